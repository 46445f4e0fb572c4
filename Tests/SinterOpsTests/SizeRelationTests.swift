import SinterCore
import SinterIR
import SinterOps
import Testing

/// What operators rely on of sizes that are known only at run time, and that known ones which do not fit are refused.
@Suite struct SizeRelationTests {
  /// A graph of one node; inputs are told by their shapes, or nil where absent.
  private func graph(_ op: some Operator, _ shapes: [[Dim]?], _ element: ElementType = .f32) throws -> Graph {
    var builder = GraphBuilder(name: "graph")
    let inputs = shapes.enumerated().map { index, shape in
      shape.map { builder.input(Fact(element, $0), named: "x\(index)") }
    }
    builder.output(try builder.add1(op, inputs), named: "y")
    return builder.graph
  }

  private func relations(_ op: some Operator, _ shapes: [[Dim]?], _ element: ElementType = .f32) throws -> [String] {
    try graph(op, shapes, element).obligations.map(\.description)
  }

  private func refusal(_ op: some Operator, _ shapes: [[Dim]?], _ element: ElementType = .f32) -> String {
    do {
      return "takes \(try graph(op, shapes, element).obligations)"
    } catch {
      return "\(error)"
    }
  }

  private func conv(_ change: (inout Conv) -> Void) -> Conv {
    var op = Conv()
    change(&op)
    return op
  }

  @Test func convolutionsHaveWindowsInside() throws {
    let padded = conv { $0.window.pads = [1, 1, 1, 1] }
    #expect(try relations(padded, [["n", 3, "h", "w"], [2, 3, 5, 3]]) == ["h + 2 >= 5", "w + 2 >= 3"])
    #expect(try relations(padded, [[1, 3, 3, 1], [2, 3, 5, 3]]) == [])
    #expect(refusal(padded, [[1, 3, 2, 1], [2, 3, 5, 3]]).contains("must be at least 5, but is 4"))
    let same = conv { $0.window.autoPad = .sameUpper }
    #expect(try relations(same, [["n", 3, "w"], [2, 3, 5]]) == ["w >= 1"])
  }

  @Test func convolutionsMatchChannels() throws {
    let grouped = conv { $0.group = 2 }
    #expect(
      try relations(grouped, [["n", "c", 4], ["m", "k", 3], ["b"]]) == ["c = 2*k", "m is a multiple of 2", "m = b"])
    #expect(refusal(grouped, [["n", 3, 4], [2, 1, 3]]).contains("must be equal, but are 3 and 2"))
    #expect(refusal(grouped, [["n", 2, 4], [3, 1, 3]]).contains("must be a multiple of 2, but is 3"))
    #expect(refusal(Conv(), [["n", 2, 4], [3, 2, 3], [2]]).contains("must be equal, but are 3 and 2"))
  }

  @Test func declaredKernelsStandForOpenOnes() throws {
    let declared = conv { $0.window.kernel = [2] }
    #expect(try relations(declared, [["n", 3, 4], [2, 3, "k"]]) == ["k = 2"])
    #expect(refusal(Conv(), [["n", 3, 4], [2, 3, "k"]]).contains("kernel_shape"))
  }

  @Test func transposedConvolutionsGiveElements() throws {
    var op = ConvTranspose()
    op.window.pads = [1, 1]
    #expect(try relations(op, [["n", 3, "w"], [3, 2, 2]]) == ["w - 1 >= 1"])
    #expect(refusal(op, [["n", 3, 1], [3, 2, 2]]).contains("must be at least 1, but is 0"))
  }

  /// A pool may have no window, but not be short of one by two steps, and counts toward zero.
  @Test func poolsCountWindows() throws {
    var op = MaxPool()
    op.window.kernel = [4]
    op.window.strides = [2]
    let graph = try graph(op, [["n", "c", "w"]])
    #expect(graph.obligations.contains { $0.description == "w >= 1" })
    let result = try #require(graph.type(of: graph.outputs[0].value).tensor).shape[2]
    for (size, count) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 1), (6, 2)] {
      #expect(result.evaluated { $0 == Symbol("w") ? size : nil } == count)
      let known = try self.graph(op, [[1, 1, Dim(size)]])
      #expect(known.type(of: known.outputs[0].value).tensor?.shape[2].value == count)
    }
    #expect(refusal(op, [[1, 0, 4]]).contains("of which only the first axis may be empty"))
  }

  @Test func productsMatchInnerSizes() throws {
    #expect(try relations(Gemm(), [["m", "k"], ["l", "n"], ["c"]]) == ["k = l", "c = n or 1"])
    #expect(refusal(Gemm(), [[2, 3], [3, 4], [2, 4], [4]]).contains("takes"))
    #expect(refusal(Gemm(), [[2, 3], [3, 4], [3, 4]]).contains("must be 1 or 2, but is 3"))
    #expect(try relations(Einsum("ii,ij->j"), [["a", "b"], ["c", "d"]]).contains("a = b"))
    #expect(refusal(Einsum("ii->i"), [[1, 2]]).contains("must be equal, but are 1 and 2"))
    #expect(refusal(Det(), [[2, 3]]).contains("must be equal, but are 2 and 3"))
  }

  @Test func normalizationsMatchTheirParameters() throws {
    let vectors: [[Dim]] = [["s"], ["t"], ["u"], ["v"]]
    #expect(try relations(BatchNormalization(), [["n", "c", "h"]] + vectors) == ["c = s", "c = t", "c = u", "c = v"])
    #expect(try relations(LayerNormalization(), [["n", "w"], [20]]) == ["w >= 1", "20 = w or 1"])
    #expect(refusal(RMSNormalization(), [["n", 4], [3]]).contains("must be 1 or 4, but is 3"))
    #expect(refusal(LayerNormalization(), [["n", 0], [1]]).contains("must be at least 1, but is 0"))
    var groups = GroupNormalization()
    groups.groups = 2
    #expect(try relations(groups, [["n", "c", "h"], ["s"], ["t"]]) == ["c is a multiple of 2", "c = s", "c = t"])
    groups.scalesGroups = true
    #expect(try relations(groups, [["n", 4, "h"], ["s"], [2]]) == ["s = 2 or 1"])
  }

  /// A size that cannot be 1 does not broadcast: the other one is known from it.
  @Test func knownSizesTeachOthers() throws {
    let graph = try graph(LayerNormalization(), [["n", "w"], [20]])
    #expect(graph.type(of: graph.outputs[0].value).tensor?.shape == ["n", 20])
  }

  @Test func quantizationMatchesScales() throws {
    #expect(try relations(QuantizeLinear(), [["n", "c"], ["s"]]) == ["s = c or 1"])
    var blocks = QuantizeLinear()
    blocks.blockSize = 2
    blocks.axis = 0
    #expect(refusal(blocks, [[5, 2], [2, 2]]).contains("must be equal, but are 3 and 2"))
    #expect(refusal(QuantizeLinear(), [[5, 2], [3]]).contains("must be 1 or 2, but is 3"))
    #expect(refusal(MatMulInteger(), [[2, 3], [3, 4], [3]], .u8).contains("must be 1 or 2, but is 3"))
    #expect(refusal(MatMulInteger(), [[2, 3], [2, 3, 4], nil, [4]], .u8).contains("must be 1 or 1, but is 4"))
  }

  @Test func recurrentStatesMatch() throws {
    let op = LSTM()
    let weights: [[Dim]?] = [["t", "b", 2], [1, 12, 2], [1, 12, 3], nil, nil]
    #expect(try relations(op, weights + [[1, "c", 3]]) == ["c = b"])
    #expect(refusal(op, weights + [[1, "b", 2]]).contains("initial_h"))
    #expect(refusal(op, weights + [nil, [1, "b", 5]]).contains("initial_c"))
    #expect(refusal(op, [["t", "b", 2], [1, 12, 2], [1, 12, 4]]).contains("must be equal, but are 12 and 16"))
    #expect(try relations(RNN(), [["t", "b", "i"], [1, "g", "j"], [1, "f", "h"]]) == ["g = h", "j = i", "f = g"])
  }

  @Test func attentionMatchesItsInputs() throws {
    let inputs: [[Dim]] = [["b", 4, "q", 8], ["b", 2, "k", 8], ["b", 2, "k", 8]]
    #expect(try relations(Attention(), inputs) == [])
    #expect(try relations(Attention(), inputs + [["m", "p"]]) == ["m = q or 1", "k >= p"])
    #expect(
      refusal(Attention(), [[1, 3, 2, 8], [1, 2, 5, 8], [1, 2, 5, 8]]).contains("must be a multiple of 2, but is 3"))
    #expect(refusal(Attention(), [[1, 2, 2, 8], [1, 2, 5, 8], [1, 2, 4, 8]]).contains("lengths of keys"))
    #expect(refusal(Attention(), inputs.map { $0 } + [nil, ["b", 2, "p", 8]]).contains("together"))
    #expect(
      refusal(RotaryEmbedding(), [[1, 2, 3, 4], [1, 3, 2], [1, 2, 2]]).contains("must be equal, but are 3 and 2"))
    #expect(refusal(TensorScatter(), [[1, 2, 3, 4], [1, 2, 5, 4]]).contains("must be at least 5, but is 3"))
  }
}
