import SinterCore
import SinterIR
import SinterONNX
import SinterOps
import SinterQuantize
import Testing

/// Whole models: what is written, read back and interpreted, beside the model as it was.
@Suite struct ByteQuantizerTests {
  static func quantize(
    _ model: SampleModel, _ change: (inout QuantizationOptions) -> Void = { _ in }
  ) throws -> (graph: Graph, report: QuantizationReport) {
    var options = QuantizationOptions()
    change(&options)
    return try ByteQuantizer(options, runner: SampleModel.interpreter).quantize(model.graph(), samples: model.samples)
  }

  /// The graph of the file that is written.
  static func reread(_ graph: Graph) throws -> Graph {
    try GraphVerifier.verify(graph)
    let bytes = try OnnxExporter().file(of: graph).encoded()
    let file = try OnnxFile(
      bytes: TensorBytes(count: bytes.count) { memory in bytes.withUnsafeBytes { memory.copyMemory(from: $0) } },
      folder: nil)
    return try OnnxImporter(operators: .standard).graph(of: file)
  }

  static func loss(_ graph: Graph, _ model: SampleModel, _ runs: [[HostTensor]]) throws -> Double {
    var sums = ErrorSums()
    for inputs in runs {
      sums.add(try GraphEvaluator.run(graph, inputs)[0], reference: try GraphEvaluator.run(model.graph(), inputs)[0])
    }
    return sums.loss
  }

  static func producer<Op: Operator>(_ graph: Graph, _ value: ValueID?, _ type: Op.Type) -> Graph.Node? {
    guard let node = value.flatMap({ graph.producer(of: $0) }).map({ graph.nodes[$0] }) else { return nil }
    return node.op is Op ? node : nil
  }

  static func constant(_ graph: Graph, _ node: Graph.Node, _ index: Int) throws -> HostTensor {
    let value = try #require(index < node.inputs.count ? node.inputs[index] : nil)
    return try #require(graph.constant(value))
  }

  static func node(_ graph: Graph, named name: String) throws -> Graph.Node {
    graph.nodes[try #require(graph.order.first { graph.name(of: $0) == name })]
  }

  @Test(arguments: SampleModel.allCases) func theWrittenFileIsNearTheModel(model: SampleModel) throws {
    let (graph, report) = try Self.quantize(model)
    let again = try Self.reread(graph)
    #expect(report.layers.map(\.name) == model.layerNames)
    #expect(report.layers.allSatisfy { $0.outcome == .quantized && ($0.error?.decibels ?? 0) > 25 })
    let loss = try Self.loss(again, model, model.samples.runs)
    #expect(loss > 0 && loss < 0.03, "\(loss)")
    #expect(abs(loss - (report.loss ?? 0)) < 0.02 * loss, "the report tells what the file does")
    // Inputs that ranges were not taken from, and all sizes.
    for count in [1, 3] {
      let other = try Self.loss(again, model, [model.inputs(count, seed: 77)])
      #expect(other < 0.06, "\(count): \(other)")
    }
    #expect(try GraphEvaluator.run(again, model.inputs(0, seed: 1))[0].count == 0)
  }

  @Test(arguments: SampleModel.allCases) func layersReadWhatIsDequantized(model: SampleModel) throws {
    let graph = try Self.reread(try Self.quantize(model).graph)
    var found: [String] = []
    for id in graph.order {
      let node = graph.nodes[id]
      guard node.op is Conv || node.op is MatMul || node.op is Gemm else { continue }
      found.append(graph.name(of: id))
      let input = try #require(Self.producer(graph, node.inputs[0], DequantizeLinear.self), "\(graph.name(of: id))")
      let pair = try #require(Self.producer(graph, input.inputs[0], QuantizeLinear.self))
      #expect(Array(pair.inputs.dropFirst()) == Array(input.inputs.dropFirst()), "one scale and zero point for both")
      #expect(try Self.constant(graph, input, 2).element == .u8)
      let weights = try #require(Self.producer(graph, node.inputs[1], DequantizeLinear.self))
      #expect(try Self.constant(graph, weights, 0).element == .i8)
      if node.inputs.count > 2 {
        let bias = try #require(Self.producer(graph, node.inputs[2], DequantizeLinear.self))
        let scales = try Self.constant(graph, bias, 1).array(of: Float.self)
        let own = try Self.constant(graph, weights, 1).array(of: Float.self)
        let scale = try Self.constant(graph, input, 1).array(of: Float.self)[0]
        #expect(try Self.constant(graph, bias, 0).element == .i32)
        #expect(scales == own.map { $0 * scale })
      }
    }
    #expect(found == model.layerNames)
    #expect(!graph.order.contains { graph.nodes[$0].op is BatchNormalization })
  }

  @Test func scalesArePerChannelOrPerTensor() throws {
    for perChannel in [true, false] {
      let graph = try Self.quantize(.mlp) { $0.perChannel = perChannel }.graph
      for (name, weights, axis) in [("fc1", "fc1.w", 1), ("fc2", "fc2.w", 0)] {
        let original = try SampleModel.mlp.graph()
        let value = try #require(original.values.indices.first { original.values[$0].name == weights })
        let tensor = try #require(original.constant(value))
        let (numbers, width) = (tensor.array(of: Float.self), tensor.shape[1])
        let expected = (0..<(perChannel ? tensor.shape[axis] : 1)).map { channel in
          (numbers.enumerated().filter { !perChannel || (axis == 1 ? $0.offset % width : $0.offset / width) == channel }
            .map { abs($0.element) }.max() ?? 0) / 127
        }
        let node = try Self.node(graph, named: name)
        let dequantize = try #require(Self.producer(graph, node.inputs[1], DequantizeLinear.self))
        let scales = try Self.constant(graph, dequantize, 1)
        #expect(scales.array(of: Float.self) == expected, "\(name)")
        #expect(scales.shape == (perChannel ? [expected.count] : []))
        if perChannel { #expect((dequantize.op as? DequantizeLinear)?.axis == axis) }
      }
    }
  }

  @Test func symmetricActivationsAreSigned() throws {
    let (graph, report) = try Self.quantize(.cnn) { $0.symmetric = true }
    let types = graph.order.compactMap { id -> ElementType? in
      guard graph.nodes[id].op is QuantizeLinear else { return nil }
      return graph.type(of: graph.nodes[id].outputs[0]).tensor?.element
    }
    #expect(!types.isEmpty && types.allSatisfy { $0 == .i8 })
    #expect((report.loss ?? 1) < 0.06)
  }

  @Test func resultsOfConvolutionsAreQuantizedBehindTheirClips() throws {
    let pairs = { (graph: Graph) in graph.order.count { graph.nodes[$0].op is QuantizeLinear } }
    // image, relu, conv2, sum, clip and flatten; without results: image, relu, sum and flatten.
    #expect(try pairs(Self.quantize(.cnn).graph) == 6)
    #expect(try pairs(Self.quantize(.mlp).graph) == 3)
    // The inputs of the three layers, and the results of the first two; that of the last one is an output.
    #expect(try pairs(Self.quantize(.mlp) { $0.results = .all }.graph) == 5)
    let graph = try Self.quantize(.cnn) { $0.results = .none }.graph
    #expect(pairs(graph) == 4)
    let sum = try Self.node(graph, named: "sum")
    #expect(
      Self.producer(graph, sum.inputs[0], Conv.self) != nil && Self.producer(graph, sum.inputs[1], Unary.self) != nil)
  }

  @Test(arguments: [.percentile(99.9), .entropy, .squaredError] as [CalibrationMethod])
  func everyMethodGivesAModelThatIsNear(method: CalibrationMethod) throws {
    for model in SampleModel.allCases {
      let (graph, report) = try Self.quantize(model) { $0.method = method }
      #expect((report.loss ?? 1) < 0.08, "\(model): \(report.loss ?? 1)")
      try GraphVerifier.verify(graph)
    }
  }

  @Test func excludedLayersStay() throws {
    let (graph, report) = try Self.quantize(.cnn) { $0.excluded = ["conv[12]", "head"] }
    #expect(report.layers.filter { $0.outcome == .excluded }.map(\.name) == ["conv1", "conv2", "head"])
    for name in ["conv1", "conv2", "head"] {
      let node = try Self.node(graph, named: name)
      #expect(try Self.constant(graph, node, 1).element == .f32)
    }
  }

  @Test func layersAreLeftUntilTheLossIsSmallEnough() throws {
    let whole = try #require(try Self.quantize(.cnn).report.loss)
    #expect(try Self.quantize(.cnn) { $0.maximumLoss = whole * 1.01 }.report.leftForLoss.isEmpty)
    let (graph, report) = try Self.quantize(.cnn) { $0.maximumLoss = whole * 0.7 }
    let left = report.leftForLoss.map(\.name)
    #expect(!left.isEmpty && left.count < 4)
    #expect(try Self.loss(Self.reread(graph), .cnn, SampleModel.cnn.samples.runs) <= whole * 0.7)
    // Those that are left are those that cost most alone, and with one fewer the loss would be too large.
    let alone = report.layers.sorted { ($0.lossAlone ?? 0) > ($1.lossAlone ?? 0) }
    #expect(Set(alone.prefix(left.count).map(\.name)) == Set(left))
    let fewer = try Self.quantize(.cnn) { $0.excluded = alone.prefix(left.count - 1).map(\.name) }
    #expect((fewer.report.loss ?? 0) > whole * 0.7)
    let none = try Self.quantize(.cnn) { $0.maximumLoss = 0 }
    #expect(none.report.leftForLoss.count == 4 && none.report.loss == 0)
    #expect(!none.graph.order.contains { none.graph.nodes[$0].op is QuantizeLinear })
  }

  @Test(arguments: 0...9) func asFewAsNeededAreLeftOut(needed: Int) {
    let order = [3, 1, 4, 0, 5, 8, 2, 6, 7]
    var asked = 0
    let chosen = ByteQuantizer.leastLeftOut(worstFirst: order) { chosen in
      asked += 1
      return chosen.count { !$0 } >= needed
    }
    let left = Set(order.prefix(max(1, needed)))
    #expect(Set(chosen.indices.filter { !chosen[$0] }) == left)
    #expect(asked <= 8)
  }

  static func problems(_ graph: Graph, _ change: (inout QuantizationOptions) -> Void = { _ in }) -> [String] {
    var options = QuantizationOptions()
    change(&options)
    return ByteQuantizer(options, runner: SampleModel.interpreter).problems(of: graph).map(\.id)
  }

  @Test func whatCannotBeQuantizedIsToldAtOnce() throws {
    #expect(Self.problems(try SampleModel.cnn.graph()).isEmpty)
    #expect(Self.problems(try Self.quantize(.mlp).graph).contains("quantize.quantized"))
    #expect(
      Self.problems(try SampleModel.cnn.graph()) { $0.excluded = ["nosuch", "conv9*", "head"] } == [
        "quantize.exclude", "quantize.exclude",
      ])
    #expect(Self.problems(try SampleModel.mlp.graph()) { $0.excluded = ["*"] } == ["quantize.layers"])

    var builder = GraphBuilder(name: "bad")
    let x = builder.input(Fact(.f32, ["n", 2]), named: "x")
    let wide = try builder.add1(Cast(to: .f64), [x])
    let a = try builder.add1(MatMul(), [wide, builder.constant(HostTensor(.f64, [2, 2], doubles: [1, 2, 3, 4]))])
    let b = try builder.add1(MatMul(), [x, builder.constant(.f32([2, 2], [1, .nan, 3, 4]))])
    builder.output(a, named: "a")
    builder.output(b, named: "b")
    #expect(Self.problems(builder.graph) == ["quantize.type", "quantize.finite"])

    var empty = GraphBuilder(name: "empty")
    empty.output(try empty.add1(Unary(.relu), [empty.input(Fact(.f32, ["n"]), named: "x")]), named: "y")
    #expect(Self.problems(empty.graph) == ["quantize.layers"])
  }

  @Test func valuesWithoutRangeAreToldWithTheirLayer() throws {
    let quantizer = ByteQuantizer(QuantizationOptions(), runner: SampleModel.interpreter)
    let samples = GivenSamples(runs: [[HostTensor.f32([1, 20], [.infinity] + [Float](repeating: 1, count: 19))]])
    let error = #expect(throws: DiagnosticError.self) {
      try quantizer.quantize(SampleModel.mlp.graph(), samples: samples)
    }
    #expect(error?.diagnostics.first?.id == "quantize.finite")
    #expect(error?.diagnostics.contains { $0.places == ["node fc1"] } ?? false)
    let wrong = #expect(throws: DiagnosticError.self) {
      let runs = SampleModel.mlp.samples.runs + [[HostTensor.random([1, 19], seed: 1)]]
      return try quantizer.quantize(SampleModel.mlp.graph(), samples: GivenSamples(runs: runs))
    }
    #expect(wrong?.diagnostics.first?.places.contains("run 7 of 7 on the data") ?? false)
    let none = #expect(throws: DiagnosticError.self) {
      try quantizer.quantize(SampleModel.mlp.graph(), samples: GivenSamples(runs: []))
    }
    #expect(none?.diagnostics.first?.id == "quantize.data")
  }
}
