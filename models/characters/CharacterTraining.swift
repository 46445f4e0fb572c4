import ExampleSupport
import Sinter

/// Trains recurrent networks on characters: one that learns a sentence by heart, and one that learns to write like a text.
///
///     swift run -c release characters [sentence|text] [STEPS] [TEXT]
///
/// TEXT is any file of text in UTF-8.
@main
struct CharacterTraining {
  static func main() {
    Example.main("characters [sentence|text] [STEPS] [TEXT]", most: 3) { example in
      if example.choice(0, ["sentence", "text"]) == "sentence" { try sentence(example) } else { try text(example) }
    }
  }

  /// Windows of ten characters of a sentence, all in one batch.
  static func sentence(_ example: Example) throws {
    let sentence = "nobody builds a boat by talking about the sea; take a plank, a saw and a morning, and then talk."
    let vocabulary = Set(sentence).sorted()
    let numbers = sentence.map { character in vocabulary.firstIndex(of: character) ?? 0 }
    let (window, steps) = (10, example.number(1, 300))
    let count = numbers.count - window
    let data = try TensorDataset(
      .i64([count, window], (0..<count).flatMap { numbers[$0..<($0 + window)] }),
      .i64([count, window], (0..<count).flatMap { numbers[($0 + 1)...($0 + window)] }))

    let net = SentenceModel(characters: vocabulary.count)
    let size = Dim(count)
    let step = try trainingStep(
      net, .i64(size, Dim(window)), .i64(size, Dim(window)), optimizer: Adam(learningRate: 1e-2), loss: characterLoss
    ).compile()
    var state = step.initialState(seed: 1)
    let history = try step.fit(&state, DataLoader(data, batch: count), epochs: steps)

    // The first window tells its characters, each further one its last.
    let model = try trace(net, .i64("n", Dim(window))).bound(to: state.parameters).load()
    let scores = try model.run(data.tensors[0])[0]
    let best = try Tensor(scores).argmax(-1).numbers().integers?.map { Int($0) } ?? []
    let told = Array(best[..<window]) + (1..<count).map { best[$0 * window + window - 1] }
    // What a whole window tells counts; a character alone does not say how the sentence begins.
    let right = zip(told, numbers.dropFirst()).dropFirst(window - 1).count { $0 == $1 }
    Example.tell(String(sentence.prefix(1)) + String(told.map { vocabulary[$0] }))
    example.row(
      "sentence of \(sentence.count) characters, RNN of 2 layers, \(steps) steps",
      "loss %.4f, %.0f of \(count) characters right", history.epochs.last?.training["loss"] ?? .nan, Double(right),
      expected: "all \(count)")
  }

  /// Parts of 64 characters from random places; every 50 steps the held-out tenth is measured, and the best state is kept.
  static func text(_ example: Example) throws {
    let text = try Characters(example.text(2, Characters.standardPath))
    let steps = example.number(1, 1000, atLeast: 50)
    let (length, batch) = (64, 32)
    let net = CharacterModel(characters: text.count)
    let step = try trainingStep(
      net, .i64(Dim(batch), Dim(length)), .i64(Dim(batch), Dim(length)), optimizer: Adam(learningRate: 2e-3),
      loss: characterLoss, clipNorm: 5
    ).compile()
    let measure = try evaluation(net, .i64("n", Dim(length)), .i64("n", Dim(length)), loss: characterLoss)
    var state = step.initialState(seed: 1)
    let heldOut = text.heldOutParts(of: length)
    try step.fit(
      &state, DataLoader(text.parts(of: length, count: 50 * batch), batch: batch), epochs: steps / 50,
      stopping: EarlyStopping("loss", patience: 10), display: .standard,
      validate: { try measure($0.parameters, heldOut) })
    let loss = try measure(state.parameters, heldOut)["loss"] ?? .nan

    // A library that takes one character and what is remembered, and gives the same back.
    let width = Dim(CharacterModel.width)
    let model = try trace(net, [.i64(1, 1), .f32(1, 1, width), .f32(1, 1, width)]) { net.step($0[0], $0[1], $0[2]) }
      .bound(to: state.parameters).load()
    var memory = [HostTensor](
      repeating: .f32([1, 1, CharacterModel.width], [Float](repeating: 0, count: CharacterModel.width)), count: 2)
    var read = 0
    let written = try text.written(after: "The ", count: 200) { characters in
      var scores: [Float] = []
      for character in characters[read...] {
        let results = try model.run(.i64([1, 1], [character]), memory[0], memory[1])
        scores = results[0].array(of: Float.self)
        memory = Array(results[1...])
      }
      read = characters.count
      return scores
    }
    Example.tell(written)
    let (unigram, bigram) = (text.unigram, text.bigram)
    try example.check(loss < unigram, "the held-out loss is \(loss), that by frequencies \(unigram)")
    example.row(
      "LSTM of \(net.parameterCount) numbers, \(state.steps) steps",
      "held-out loss %.3f; by frequencies %.3f, by pairs %.3f", loss, unigram, bigram, expected: "below that by pairs")
  }
}
