import Foundation
import Sinter
import SinterONNX
import Testing

/// Kinds of networks that people learn with: each is trained, used or exported as they are.
@Suite struct NetworkTests {
  // MARK: Ensembles

  struct Digit: UnaryLayer {
    var conv = Conv2d(1, 4, kernel: 3, padding: 1), norm = BatchNorm2d(4), pool = MaxPool2d(2),
      fc = Linear(4 * 4 * 4, 3)
    func forward(_ x: Tensor) -> Tensor { fc(pool(norm(conv(x)).relu()).flatten(from: 1)) }
  }

  /// The scores of several networks, added.
  struct Ensemble: UnaryLayer {
    var members: [Digit]
    func forward(_ x: Tensor) -> Tensor { members.dropFirst().reduce(members[0](x)) { $0 + $1(x) } }
  }

  /// Networks that were trained apart from one another are one library together.
  @Test func ensemblesAreOneLibrary() throws {
    let x = HostTensor.f32([12, 1, 8, 8], (0..<768).map { Float($0 * 37 % 101) / 101 - 0.5 })
    let labels = HostTensor.i64([12], (0..<12).map { $0 % 3 })
    let step = try trainingStep(
      Digit(), .f32(12, 1, 8, 8), .i64(12), optimizer: Adam(learningRate: 0.02), loss: crossEntropy
    ).compile()
    let single = try trace(Digit(), .f32("n", 1, 8, 8))
    var whole = ParameterStore()
    var sum = [Float](repeating: 0, count: 36), best = 0
    for member in 0..<7 {
      var state = step.initialState(seed: UInt64(member))
      for _ in 0..<15 { try step(&state, x, labels) }
      let parameters = state.parameters
      for name in parameters.names { whole["members.\(member).\(name)"] = parameters[name] }
      let scores = try single.bound(to: parameters).load().run(x)[0].array(of: Float.self)
      sum = zip(sum, scores).map { $0 + $1 }
      best = max(best, Self.right(scores, labels))
    }
    try withScratchFolder { folder in
      let ensemble = try trace(Ensemble(members: (0..<7).map { _ in Digit() }), .f32("n", 1, 8, 8)).bound(to: whole)
      let loaded = try ensemble.compile(to: folder + "/libensemble.so")
      #expect(loaded.library.inputs.map(\.name) == ["input"] && loaded.library.outputs.count == 1)
      let scores = try loaded.run(x)[0].array(of: Float.self)
      #expect(zip(scores, sum).allSatisfy { abs($0 - $1) <= 1e-4 })
      #expect(Self.right(scores, labels) >= best - 1 && best > 6)
    }
  }

  /// How many rows of three scores have the greatest where the label is.
  private static func right(_ scores: [Float], _ labels: HostTensor) -> Int {
    (labels.integers ?? []).enumerated().count { row, label in
      (0..<3).allSatisfy { scores[3 * row + label] >= scores[3 * row + $0] }
    }
  }

  // MARK: Series

  /// Two neighbours at a time, then a memory.
  struct ConvolvedSeries: UnaryLayer {
    var conv = Conv1d(1, 8, kernel: 2), lstm = LSTM(8, 16, batchFirst: true), fc = Linear(16, 1)
    func forward(_ x: Tensor) -> Tensor { fc(lstm(conv(x).relu().transpose(1, 2)).0.select(1, -1)) }
  }

  @Test func aConvolutionBeforeAnLSTMTrainsAndIsExported() throws {
    let waves = (0..<16).map { row in (0..<11).map { Float(sin(Double($0) * 0.6 + Double(row) * 0.7)) } }
    let x = HostTensor.f32([16, 1, 10], waves.flatMap { $0.dropLast() }),
      y = HostTensor.f32([16, 1], waves.map { $0[10] })
    let step = try trainingStep(
      ConvolvedSeries(), .f32(16, 1, 10), .f32(16, 1), optimizer: Adam(learningRate: 0.01), loss: { mseLoss($0, $1) }
    ).compile()
    var state = step.initialState(seed: 1)
    let first = try #require(try step(&state, x, y)["loss"])
    var last = first
    for _ in 0..<150 { last = try #require(try step(&state, x, y)["loss"]) }
    #expect(last < first / 50, "\(first) → \(last)")

    let model = try trace(ConvolvedSeries(), .f32("n", 1, "length")).bound(to: state.parameters)
    let expected = try model.load().run(x)[0].array(of: Float.self)
    try withScratchFolder { folder in
      try model.export("\(folder)/series.onnx")
      #expect(
        try OnnxFile(reading: "\(folder)/series.onnx").graph.nodes.map(\.operatorType).contains { $0 == "LSTM" })
      let graph = try OnnxImporter(operators: .standard).graph(reading: "\(folder)/series.onnx")
      let read = try BoundModel(graph: graph).load().run(x)[0].array(of: Float.self)
      #expect(read.count == 16 && zip(read, expected).allSatisfy { abs($0 - $1) <= 1e-5 })
    }
  }

  // MARK: Words

  struct WordModel: UnaryLayer {
    var embedding: Embedding, drop = Dropout(0.2), lstm = LSTM(200, 200, layers: 2, batchFirst: true, dropout: 0.2)
    var out: Linear
    init(words: Int) {
      embedding = Embedding(words, 200)
      out = Linear(200, words)
    }
    func forward(_ x: Tensor) -> Tensor { out(drop(lstm(drop(embedding(x))).0)) }
  }

  /// The perplexity of a text falls below three tenths of what the words' frequencies alone give.
  @Test func aModelOfWordsLearnsAText() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../models/support/harbor.txt"
    let words = try String(contentsOfFile: path, encoding: .utf8).lowercased().split { !$0.isLetter }.map(String.init)
    let vocabulary = Dictionary(uniqueKeysWithValues: zip(Set(words).sorted(), 0...))
    let text = words.compactMap { vocabulary[$0] }
    let counts = text.reduce(into: [Int](repeating: 0, count: vocabulary.count)) { $0[$1] += 1 }
    let entropy = -text.reduce(0.0) { $0 + log(Double(counts[$1]) / Double(text.count)) } / Double(text.count)

    let (batch, length) = (4, 35)
    func loss(_ scores: Tensor, _ target: Tensor) -> Tensor {
      crossEntropy(scores.flatten(from: 0, to: 1), target.flatten(from: 0, to: 1))
    }
    let net = WordModel(words: vocabulary.count)
    let step = try trainingStep(
      net, .i64(Dim(batch), Dim(length)), .i64(Dim(batch), Dim(length)), optimizer: Adam(learningRate: 0.004),
      loss: loss,
      clipNorm: 0.25
    ).compile()
    var state = step.initialState(seed: 1)
    // As many streams through the text as a batch has rows.
    let stream = (text.count - 1) / batch
    func part(_ begin: Int, _ offset: Int) -> HostTensor {
      .i64(
        [batch, length], (0..<batch).flatMap { row in (0..<length).map { text[row * stream + begin + $0 + offset] } })
    }
    let begins = Array(stride(from: 0, through: stream - length, by: length))
    for _ in 0..<40 {
      for begin in begins { try step(&state, part(begin, 0), part(begin, 1)) }
    }
    let measured = try evaluation(
      net, .i64(Dim(batch), Dim(length)), .i64(Dim(batch), Dim(length)), loss: loss)
    let rows = begins.map { (part($0, 0), part($0, 1)) }
    let x = rows.flatMap { $0.0.integers ?? [] }, y = rows.flatMap { $0.1.integers ?? [] }
    let data = try TensorDataset(.i64([x.count / length, length], x), .i64([y.count / length, length], y))
    let own = try #require(try measured(state.parameters, data, batch: batch)["loss"])
    #expect(text.count > 900 && exp(own) < 0.3 * exp(entropy), "\(exp(own)), by frequencies \(exp(entropy))")
  }

  // MARK: BERT

  /// Words, places and segments, an encoder, and a head that tells which words were masked.
  struct Bert: Layer {
    static let epsilon = 1e-12
    var words = Embedding(40, 16, paddingIndex: 0), places = Embedding(24, 16), segments = Embedding(2, 16)
    var norm = LayerNorm(16, epsilon: Bert.epsilon)
    var encoder = TransformerEncoder(
      TransformerEncoderLayer(
        16, heads: 2, feedforward: 32, dropout: 0, activation: .gelu, epsilon: Bert.epsilon, batchFirst: true),
      layers: 2)
    var dense = Linear(16, 16), headNorm = LayerNorm(16, epsilon: Bert.epsilon), bias = Parameter([40])

    func callAsFunction(_ tokens: Tensor, _ segment: Tensor, padding: Tensor) -> Tensor {
      let own = words(tokens)
      let place = tokens.trace.tensor(places.weight).narrow(0, from: 0, count: 11)
      let h = encoder(norm(own + place + segments(segment)), paddingMask: padding)
      let table = tokens.trace.tensor(words.weight), bias = tokens.trace.tensor(bias)
      return headNorm(dense(h).gelu()).matmul(table.transpose(0, 1)) + bias
    }
  }

  /// Beside the numbers of transformers' BERT, which `Tests/Peers/bert_fixtures.py` has stored.
  @Test func bertIsThatOfTransformers() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().path + "/Fixtures/bert.safetensors"
    var parameters = try ParameterStore(reading: path)
    var stored: [String: HostTensor] = [:]
    for name in parameters.names where name.hasPrefix("in.") || name.hasPrefix("out.") {
      stored[name] = parameters[name]
      parameters[name] = nil
    }
    func fixture(_ name: String) throws -> HostTensor { try #require(stored[name]) }
    let inputs = try [fixture("in.tokens"), fixture("in.segments"), fixture("in.padding")]
    let specs: [InputSpec] = [.i64(3, 11), .i64(3, 11), .bool(3, 11)]
    let net = Bert()
    let model = try trace(net, specs) { net($0[0], $0[1], padding: $0[2]) }
    let logits = try model.bound(to: parameters).load().run(list: inputs)[0].array(of: Float.self)
    let expected = try fixture("out.logits").array(of: Float.self)
    // What stands at padded places is of no account, but it is the same as well.
    #expect(logits.count == expected.count && zip(logits, expected).allSatisfy { abs($0 - $1) <= 2e-4 })

    let step = try trainingStep(net, specs + [.i64(3, 11)], optimizer: SGD(learningRate: 0.1)) { given in
      let scores = net(given[0], given[1], padding: given[2])
      return (crossEntropy(scores.flatten(from: 0, to: 1), given[3].flatten(from: 0, to: 1)), [])
    }.compile()
    var state = step.initialState()
    state.parameters = parameters
    for expected in try #require(fixture("out.losses").doubles) {
      let loss = try #require(try step.run(&state, inputs + [fixture("in.labels")])["loss"])
      #expect(abs(loss - expected) <= 1e-4 * expected)
    }
  }
}
