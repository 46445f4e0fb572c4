import Sinter
import SinterModels
import Testing

/// What layers start with, hold and refuse: first values, names, copies, sizes of one.
@Suite struct LayerStartTests {
  @Test func poolsGivePlacesOfOneExample() throws {
    let x = tensor([[[1.0, 5.0], [3.0, 2.0]], [[4.0, 0.0], [1.0, 9.0]]])
    let (values, places) = MaxPool2d(2).withIndices(x)
    #expect(values.shape == [2, 1, 1] && places.shape == [2, 1, 1])
    #expect(try EdgeValueTests.values(values) == [5, 9] && EdgeValueTests.values(places) == [1, 3])
  }

  /// The numbers are those of torchvision's `_transform_input`.
  @Test func imagesAreTurnedIntoWhatTheFirstWeightsExpect() throws {
    let turned = GoogLeNet(transformInput: true).transformed(tensor([[[[0.0, 1.0]], [[0.0, 1.0]], [[0.0, 1.0]]]]))
    EdgeValueTests.expectNear(
      try EdgeValueTests.values(turned), [-0.03, 0.428, -0.088, 0.36, -0.188, 0.262], within: 1e-5)
    func nodes(_ net: GoogLeNet) throws -> Int { try trace(net, .f32(1, 3, 32, 32)).graph.nodes.count }
    #expect(try nodes(GoogLeNet(transformInput: true)) > nodes(GoogLeNet()))
  }

  @Test func paddingRowsHaveNoGradient() throws {
    var table = Embedding(3, 2, paddingIndex: 0)
    table.weight = table.weight.initialized(.ones)
    let model = try trace(table, [.i64(2)]) { tensors in
      table(tensors[0]).sum().gradients(withRespectTo: tensors[0].trace.tensor(table.weight))
    }
    try withScratchFolder { folder in
      let gradient = try model.initialized().compile(to: "\(folder)/librows.so").run(.i64([2], [0, 1]))[0]
      #expect(gradient.doubles == [0, 0, 1, 1, 0, 0])
    }
  }

  @Test func oneValuePerChannelIsRefused() throws {
    func step(_ rows: Dim) throws -> TrainingStep {
      try trainingStep(BatchNorm1d(2), .f32(rows, 2), .f32(rows, 2), optimizer: SGD(), loss: mseLoss)
    }
    let error = #expect(throws: DiagnosticError.self) { try step(1) }
    #expect(error?.diagnostics.first?.message.contains("more than one value per channel") == true)
    let compiled = try step("n").compile()
    var state = compiled.initialState()
    try compiled(&state, .f32([1, 2], [1, 2]), .f32([1, 2], [0, 0]))
    #expect(state.parameters["running_var"]?.doubles?.allSatisfy { abs($0 - 0.9) < 1e-6 } == true)
    try compiled(&state, .f32([2, 2], [1, 2, 3, 2]), .f32([2, 2], [0, 0, 0, 0]))
    EdgeValueTests.expectNear(state.parameters["running_var"]?.doubles ?? [], [0.81 + 0.2, 0.81], within: 1e-5)
  }

  @Test func optimizersRememberNothing() throws {
    let closure = try lossGradients(Linear(2, 1), .f32(4, 2), .f32(4, 1), loss: mseLoss).compile()
    var parameters = closure.initialParameters()
    var optimizer = LBFGS(learningRate: 0.1, iterations: 5, history: 0)
    let x: HostTensor = .f32([4, 2], [1, 2, 3, 4, 0, 1, 2, 0]), y: HostTensor = .f32([4, 1], [1, 0, 2, 1])
    let first = try optimizer.step(&parameters) { try closure($0, x, y) }
    let second = try optimizer.step(&parameters) { try closure($0, x, y) }
    #expect(second < first)
  }

  @Test func transformersStartAsGlorotHasIt() {
    let net = Transformer(8, heads: 2, encoderLayers: 2, decoderLayers: 1, feedforward: 16)
    for entry in namedParameters(of: net) where entry.parameter.shape.count > 1 {
      let (name, parameter) = (entry.name, entry.parameter)
      let bound = (6 / Double(parameter.shape.reduce(0, +))).squareRoot()
      let greatest =
        ParameterStore(initializing: [(name: name, parameter: parameter)], seed: 1)[name]?.doubles?
        .reduce(0) { Swift.max($0, abs($1)) } ?? 0
      #expect(greatest <= bound && greatest > 0.93 * bound, "\(name): \(greatest), \(bound)")
    }
  }

  @Test func copiesKeepWhatWasSet() {
    var layer = TransformerEncoderLayer(8, heads: 2, feedforward: 16)
    layer.dropout1 = Dropout(0.7)
    layer.linear1.weight = layer.linear1.weight.initialized(.constant(3))
    let copy = layer.copied()
    #expect(copy.dropout1.probability == 0.7)
    #expect(copy.linear1.weight !== layer.linear1.weight && copy.norm1.weight !== layer.norm1.weight)
    guard case .constant(3) = copy.linear1.weight.initializer else {
      Issue.record("the copy starts as \(copy.linear1.weight.initializer)")
      return
    }
    let two = TransformerEncoder(layer, layers: 2)
    #expect(two.layers[0].linear1.weight !== two.layers[1].linear1.weight)
  }

  @Test func partsOfSequencesKeepNames() throws {
    let net = Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
    #expect(namedParameters(of: net[2...]).map(\.name) == ["2.weight", "2.bias"])
    #expect(namedParameters(of: net[..<1]).map(\.name) == ["0.weight", "0.bias"])
    var named = Sequential(named: ["a": Linear(2, 2), "b": ReLU()])
    named["a"] = nil
    #expect(named.count == 1 && named["a"] == nil && named["b"] != nil && named["0"] == nil)
    var part = net[2...]
    part.append(ReLU())
    #expect(try EdgeValueTests.values(part(ones(1, 3))).count == 1)
    var twice = net[1...]
    twice.append(Linear(1, 1))
    let error = #expect(throws: DiagnosticError.self) { try twice(ones(1, 3)).numbers() }
    #expect(error?.diagnostics.first?.message.contains("named 2") == true)
  }
}
