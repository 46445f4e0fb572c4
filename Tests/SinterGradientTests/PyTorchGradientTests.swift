import Foundation
import Sinter
import SinterCore
import SinterGradient
import SinterIR
import SinterOps
import Testing

/// Gradients of operators beside those of PyTorch, whose numbers `Tests/Peers/gradient_fixtures.py` has stored.
@Suite struct PyTorchGradientTests {
  /// An operator with attributes as ONNX names them.
  private static func with<Op: Operator>(_ op: Op, _ attributes: [String: OnnxAttribute]) throws -> any Operator {
    var op = op
    var reader = OnnxAttributeReader(
      OnnxNode(domain: "", opType: Op.name, opset: 24, name: "", values: [], outputCount: 1, attributes: attributes))
    op.attributes(&reader)
    try reader.finish()
    return op
  }

  private static func op(_ name: String) throws -> any Operator {
    switch name {
    case "rnn": RNN()
    case "lstm": try with(LSTM(), ["direction": .string("bidirectional")])
    case "gru": try with(GRU(), ["direction": .string("bidirectional"), "linear_before_reset": .int(1)])
    case "attention": Attention()
    case "group_normalization": try with(GroupNormalization(), ["num_groups": .int(2)])
    case "instance_normalization": GroupNormalization()
    case "lrn":
      try with(LRN(), ["size": .int(3), "alpha": .float(0.5), "beta": .float(0.75), "bias": .float(1.5)])
    case "grid_sample_bilinear": try with(GridSample(), ["padding_mode": .string("reflection")])
    case "grid_sample_bicubic":
      try with(GridSample(), ["mode": .string("cubic"), "padding_mode": .string("reflection")])
    case "resize_bilinear": try with(Resize(), ["mode": .string("linear")])
    case "resize_bicubic": try with(Resize(), ["mode": .string("cubic")])
    default: try with(LpPool(), ["kernel_shape": .ints([2, 3]), "strides": .ints([2, 1]), "p": .int(3)])
    }
  }

  @Test(arguments: [
    "rnn", "lstm", "gru", "attention", "group_normalization", "instance_normalization", "lrn", "grid_sample_bilinear",
    "grid_sample_bicubic", "resize_bilinear", "resize_bicubic", "lp_pool",
  ])
  func equalPyTorch(_ name: String) throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().path + "/Fixtures/gradients.safetensors"
    let fixture = try ParameterStore(reading: path)
    var builder = GraphBuilder(name: name)
    var (inputs, tensors): ([ValueID?], [HostTensor]) = ([], [])
    for index in 0..<8 {
      guard let tensor = fixture["\(name).\(index)"] else {
        inputs.append(nil)
        continue
      }
      inputs.append(builder.input(Fact(.tensor(tensor.type)), named: "x\(index)"))
      tensors.append(tensor)
    }
    while inputs.last == .some(nil) { inputs.removeLast() }
    if name.hasPrefix("resize") {
      inputs += [nil, nil, builder.constant(.i64([4], [1, 2, 7, 3]))]
    }
    let expected = (0..<3).compactMap { fixture["\(name).y\($0)"] }
    let results = try builder.add(try Self.op(name), inputs, outputs: expected.count)
    let parts = try results.enumerated().map { index, result in
      let seed = builder.constant(try #require(fixture["\(name).g\(index)"]))
      let product = try builder.add1(Binary(.multiply), [result, seed])
      return try builder.add1(Reduce(.sum, keepsAxes: false), [product])
    }
    let loss = parts.count == 1 ? parts[0] : try builder.add1(Variadic(.sum), parts)
    let wanted = (0..<8).filter { fixture["\(name).d\($0)"] != nil }
    #expect(!wanted.isEmpty)
    let gradients = try builder.gradients(of: loss, withRespectTo: wanted.compactMap { inputs[$0] })
    let given = try GraphEvaluator.run(builder.graphWithOutputs(results + gradients), tensors, symbols: [:])
    let all = try expected + wanted.map { try #require(fixture["\(name).d\($0)"]) }
    // Places of samples are computed in f32 by the operators themselves; their gradients are those of expansions in f64.
    let tolerance = name.hasPrefix("resize") ? 1e-6 : 1e-9
    for (index, (given, expected)) in zip(given, all).enumerated() {
      #expect(given.shape == expected.shape)
      #expect(given.distance(to: expected) <= tolerance, "\(index < results.count ? "result" : "gradient") \(index)")
    }
  }
}
