import SinterCore
import SinterONNX
import TestSupport

/// Small models with what large ones are made of, and with enough work that threads share it. Each has one open size, `n`.
enum SmallModel: String, CaseIterable {
  case residuals, transformer, lstm, gru, deconvolution, reductions

  var file: OnnxFile {
    var writer = ModelWriter(name: rawValue)
    switch self {
    case .residuals: writer.addResiduals()
    case .transformer: writer.addTransformer()
    case .lstm: writer.addRecurrence("LSTM", gates: 4)
    case .gru: writer.addRecurrence("GRU", gates: 3)
    case .deconvolution: writer.addDeconvolution()
    case .reductions: writer.addReductions()
    }
    return writer.file
  }
}

/// Writes an ONNX file node by node, with weights that are the same every time.
private struct ModelWriter {
  typealias Attributes = [(name: String, value: OnnxFile.Attribute.Value)]

  private var graph: OnnxFile.Graph
  private var generator = SeededGenerator(seed: 7)
  private var count = 0

  init(name: String) { graph = OnnxFile.Graph(name: name) }

  var file: OnnxFile { OnnxFile(irVersion: 9, operatorSets: [.init("", 20)], graph: graph) }

  mutating func input(_ name: String, _ sizes: [Int?]) -> String {
    graph.inputs.append(.init(name, .tensor(.f32, sizes.map { $0.map { .value(Int64($0)) } ?? .symbol("n") })))
    return name
  }

  mutating func output(_ name: String) { graph.outputs.append(.init(name, nil)) }

  mutating func weights(_ shape: [Int]) -> String { constant(.random(.f32, shape, &generator)) }

  mutating func numbers(_ values: [Int]) -> String { constant(.i64([values.count], values)) }

  private mutating func constant(_ tensor: HostTensor) -> String {
    let name = "c\(graph.initializers.count)"
    graph.initializers.append(.init(name, tensor))
    return name
  }

  mutating func node(_ type: String, _ inputs: [String], _ attributes: Attributes = []) -> String {
    count += 1
    let name = "\(type.lowercased())\(count)"
    graph.nodes.append(
      .init(
        type, name: name, inputs: inputs, outputs: [name],
        attributes: attributes.map { OnnxFile.Attribute($0.name, $0.value) }))
    return name
  }

  /// A convolution of odd sizes, a block with a depthwise convolution, added to what it started from, and a classifier.
  mutating func addResiduals() {
    let x = input("x", [nil, 3, 67, 61])
    let first = node(
      "Conv", [x, weights([24, 3, 3, 3]), weights([24])], [("strides", .ints([2, 2])), ("pads", .ints([1, 1, 1, 1]))])
    let start = node("Relu", [first])
    let wide = node("Relu", [node("Conv", [start, weights([72, 24, 1, 1])])])
    let depth = node("Conv", [wide, weights([72, 1, 3, 3])], [("group", .int(72)), ("pads", .ints([1, 1, 1, 1]))])
    let narrow = node("Conv", [node("Sigmoid", [depth]), weights([24, 72, 1, 1])])
    let sum = node("Add", [start, narrow])
    let deep = node("Relu", [node("Conv", [sum, weights([40, 24, 3, 3])], [("pads", .ints([1, 1, 1, 1]))])])
    let pooled = node("MaxPool", [deep], [("kernel_shape", .ints([3, 3])), ("strides", .ints([2, 2]))])
    let flat = node("Flatten", [node("GlobalAveragePool", [pooled])])
    output(node("Gemm", [flat, weights([40, 10]), weights([10])]))
    output(sum)
  }

  /// Attention with four heads over 50 places, and what follows it.
  mutating func addTransformer() {
    let (places, width, heads) = (50, 64, 4)
    let x = input("x", [nil, places, width])
    let normal = node("LayerNormalization", [x, weights([width]), weights([width])])
    let split = numbers([0, places, heads, width / heads])
    var parts: [String] = []
    for order in [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]] {
      let part = node("Add", [node("MatMul", [normal, weights([width, width])]), weights([width])])
      parts.append(node("Transpose", [node("Reshape", [part, split])], [("perm", .ints(order.map { Int64($0) }))]))
    }
    let scores = node("Mul", [node("MatMul", [parts[0], parts[1]]), weights([1])])
    let mixed = node("MatMul", [node("Softmax", [scores], [("axis", .int(-1))]), parts[2]])
    let joined = node(
      "Reshape", [node("Transpose", [mixed], [("perm", .ints([0, 2, 1, 3]))]), numbers([0, places, width])])
    let attended = node("Add", [x, node("MatMul", [joined, weights([width, width])])])
    let second = node("LayerNormalization", [attended, weights([width]), weights([width])])
    let inner = node(
      "Gelu", [node("Add", [node("MatMul", [second, weights([width, 4 * width])]), weights([4 * width])])])
    output(node("Add", [attended, node("MatMul", [inner, weights([4 * width, width])])]))
  }

  /// Eleven steps, both ways.
  mutating func addRecurrence(_ type: String, gates: Int) {
    let (steps, width, hidden) = (11, 30, 72)
    let x = input("x", [steps, nil, width])
    let result = node(
      type,
      [
        x, weights([2, gates * hidden, width]), weights([2, gates * hidden, hidden]), weights([2, 2 * gates * hidden]),
      ], [("hidden_size", .int(Int64(hidden))), ("direction", .string("bidirectional"))])
    output(node("Softmax", [result], [("axis", .int(-1))]))
  }

  mutating func addDeconvolution() {
    let x = input("x", [nil, 32, 13, 11])
    let wide = node(
      "ConvTranspose", [x, weights([32, 24, 4, 4]), weights([24])],
      [("strides", .ints([2, 2])), ("pads", .ints([1, 1, 1, 1]))])
    let normal = node("InstanceNormalization", [wide, weights([24]), weights([24])])
    let wider = node(
      "ConvTranspose", [node("Relu", [normal]), weights([24, 5, 3, 3])],
      [("strides", .ints([2, 2])), ("group", .int(1))])
    output(node("Tanh", [wider]))
  }

  /// Along axes that are long enough to be cut, one at a time and all at once.
  mutating func addReductions() {
    let x = node("Mul", [input("x", [nil, 90_001]), weights([90_001])])
    for (type, axes) in [
      ("ReduceSum", [1]), ("ReduceMean", [0, 1]), ("ReduceMax", [1]), ("ReduceL2", [0]), ("ReduceLogSumExp", [1]),
    ] {
      output(node(type, [x, numbers(axes)]))
    }
    output(node("ArgMax", [x], [("axis", .int(1))]))
    output(node("CumSum", [x, constant(.i64([], [1]))]))
    output(node("Softmax", [x], [("axis", .int(1))]))
  }
}
