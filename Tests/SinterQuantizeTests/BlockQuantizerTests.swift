import SinterCore
import SinterIR
import SinterONNX
import SinterOps
import SinterQuantize
import Testing

/// Weights of four bits: both ways of writing them, read back and interpreted.
@Suite struct BlockQuantizerTests {
  static func quantize(_ form: BlockQuantizer.Form, block: Int = 16, excluded: [String] = []) throws -> (
    Graph, QuantizationReport
  ) {
    let (graph, report) = try BlockQuantizer(block: block, form: form, excluded: excluded).quantize(
      SampleModel.mlp.graph())
    return (try ByteQuantizerTests.reread(graph), report)
  }

  @Test(arguments: [16, 32, 64]) func bothFormsAreNearTheModelAndEachOther(block: Int) throws {
    let (dequantized, report) = try Self.quantize(.dequantized, block: block)
    let (packed, _) = try Self.quantize(.matMulNBits, block: block)
    #expect(report.layers.map(\.name) == ["fc1", "fc2", "fc3"])
    #expect(report.layers.allSatisfy { ($0.error?.decibels ?? 0) > 17 })
    #expect(dequantized.opsets[""] == 21)
    #expect(packed.order.count { packed.nodes[$0].op is MatMulNBits } == 3)
    for count in [0, 1, 5] {
      let inputs = SampleModel.mlp.inputs(count, seed: 3)
      let results = try [dequantized, packed].map { try GraphEvaluator.run($0, inputs)[0].array(of: Float.self) }
      #expect(zip(results[0], results[1]).allSatisfy { abs($0 - $1) < 1e-4 } && results[0].count == 3 * count)
    }
    #expect(try ByteQuantizerTests.loss(dequantized, .mlp, [SampleModel.mlp.inputs(8, seed: 5)]) < 0.15)
  }

  @Test func everyWeightIsTheNearestOfItsBlock() throws {
    let (graph, _) = try Self.quantize(.dequantized)
    let original = try SampleModel.mlp.graph()
    for (name, axis) in [("fc1", 0), ("fc2", 1)] {
      let node = try ByteQuantizerTests.node(graph, named: name)
      let dequantize = try #require(ByteQuantizerTests.producer(graph, node.inputs[1], DequantizeLinear.self))
      let op = try #require(dequantize.op as? DequantizeLinear)
      #expect(op.axis == axis && op.blockSize == 16)
      let integers = try ByteQuantizerTests.constant(graph, dequantize, 0)
      let scales = try ByteQuantizerTests.constant(graph, dequantize, 1)
      #expect(integers.element == .i4)
      let value = try #require(original.values.indices.first { original.values[$0].name == name + ".w" })
      let tensor = try #require(original.constant(value))
      #expect(
        scales.shape
          == (axis == 0
            ? [(tensor.shape[0] + 15) / 16, tensor.shape[1]] : [tensor.shape[0], (tensor.shape[1] + 15) / 16]))
      let (numbers, steps, found) = (tensor.array(of: Float.self), scales.array(of: Float.self), integers.int64s ?? [])
      for index in numbers.indices {
        let (row, column) = (index / tensor.shape[1], index % tensor.shape[1])
        let step = axis == 0 ? steps[row / 16 * scales.shape[1] + column] : steps[row * scales.shape[1] + column / 16]
        let nearest = max(-8, min(7, (numbers[index] / step).rounded(.toNearestOrEven)))
        #expect(Float(found[index]) == nearest)
      }
    }
  }

  @Test func excludedProductsStay() throws {
    let (graph, report) = try Self.quantize(.matMulNBits, excluded: ["fc2"])
    #expect(report.layers.count { $0.outcome == .excluded } == 1)
    #expect(graph.order.contains { graph.nodes[$0].op is Gemm })
    #expect(throws: DiagnosticError.self) { try Self.quantize(.dequantized, excluded: ["nosuch"]) }
  }
}
