import Sinter
import SinterCore
import SinterForms
import SinterIR
import SinterOps
import Testing

/// Gradients through products with packed weights, and lengths of sequences that do not fit.
@Suite struct PackedWeightTests {
  /// The gradient in the left side, beside the gradient times the weights, which the product of an identity matrix tells.
  @Test(arguments: [2, 4, 8])
  func leftSides(_ bits: Int) throws {
    var op = MatMulNBits()
    (op.inner, op.columns, op.blockSize, op.bits) = (40, 5, 16, bits)
    let blocks = 3, width = 16 * bits / 8
    let packed = HostTensor(
      .u8, [5, blocks, width], values: (0..<(5 * blocks * width)).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) })
    let scales = HostTensor.f32([5, blocks], (0..<15).map { Float($0 % 7) / 8 - 0.25 })
    func run(_ rows: Int, _ x: [Float], _ seed: [Float]) throws -> [HostTensor] {
      var builder = GraphBuilder(name: "packed")
      let a = builder.input(Fact(.f32, [Dim(rows), 40]), named: "a")
      let g = builder.input(Fact(.f32, [Dim(rows), 5]), named: "g")
      let y = try builder.add1(op, [a, builder.constant(packed), builder.constant(scales)])
      let gradient = try builder.gradients(of: y, withRespectTo: [a], seed: g)[0]
      builder.output(y, named: "y")
      builder.output(gradient, named: "gradient")
      return try BoundModel(graph: builder.graph).load().run(.f32([rows, 40], x), .f32([rows, 5], seed))
    }
    let unit = (0..<1600).map { Float($0 % 41 == 0 ? 1 : 0) }
    let weights = try run(40, unit, [Float](repeating: 0, count: 200))[0].array(of: Float.self)
    let seed = (0..<15).map { Float($0) / 4 - 1.5 }
    let found = try run(3, [Float](repeating: 0.5, count: 120), seed)[1].array(of: Float.self)
    for row in 0..<3 {
      for k in 0..<40 {
        let wanted = (0..<5).reduce(0.0) { $0 + Double(seed[row * 5 + $1]) * Double(weights[k * 5 + $1]) }
        #expect(abs(Double(found[row * 40 + k]) - wanted) < 1e-3 * max(1, abs(wanted)), "row \(row), k \(k)")
      }
    }
  }

  @Test("scales have no gradient, which is told")
  func scales() throws {
    var builder = GraphBuilder(name: "packed")
    var op = MatMulNBits()
    (op.inner, op.columns, op.blockSize) = (16, 2, 16)
    let a = builder.input(Fact(.f32, [3, 16]), named: "a")
    let scales = builder.input(Fact(.f32, [2, 1]), named: "scales")
    let packed = builder.constant(HostTensor(.u8, [2, 1, 8], values: [UInt8](repeating: 18, count: 16)))
    let y = try builder.add1(op, [a, packed, scales])
    let error = #expect(throws: DiagnosticError.self) { try builder.gradients(of: y, withRespectTo: [scales]) }
    #expect(error?.diagnostics.first?.id == "gradient.blocks")
  }

  @Test("a step refuses lengths of sequences beyond their steps")
  func lengths() throws {
    struct Net: Layer { var lstm = Sinter.LSTM(3, 4, batchFirst: true) }
    let net = Net()
    let step = try trainingStep(net, [.f32("n", "t", 3), .i64("n")], optimizer: Sinter.SGD()) { inputs in
      (net.lstm(inputs[0], lengths: inputs[1]).0.square().mean(), [])
    }.compile()
    var state = step.initialState(seed: 1)
    let x = HostTensor.f32([2, 5, 3], (0..<30).map { Float($0) / 30 })
    for lengths in [[5, 1], [0, 5]] { try step(&state, x, .i64([2], lengths)) }
    for lengths in [[6, 1], [2, -1]] {
      let error = #expect(throws: DiagnosticError.self, "\(lengths)") { try step(&state, x, .i64([2], lengths)) }
      #expect(error.map { "\($0)".contains("sequence length") } ?? false, "\(String(describing: error))")
    }
    #expect(state.steps == 2)
  }
}
