import ExampleSupport
import Sinter

/// Trains a small GPT on a text's characters, compiles it, and lets it write.
///
///     swift run -c release gpt [STEPS] [TEXT] [LIBRARY]
///
/// TEXT is any file of text in UTF-8. LIBRARY gets the trained network, with a C header beside it.
@main
struct GPTTraining {
  static func main() {
    Example.main("gpt [STEPS] [TEXT] [LIBRARY]", most: 3, train)
  }

  static func train(_ example: Example) throws {
    let steps = example.number(0, 2000, atLeast: 50)
    let text = try Characters(example.text(1, Characters.standardPath))
    let net = GPT(characters: text.count)
    let (length, batch) = (Dim(net.length), 12)

    let step = try trainingStep(
      net, .i64(Dim(batch), length), .i64(Dim(batch), length),
      optimizer: AdamW(learningRate: 1e-3, betas: (0.9, 0.99), weightDecay: 0.1), loss: characterLoss, clipNorm: 1
    ).compile()
    let measure = try evaluation(net, .i64("n", length), .i64("n", length), loss: characterLoss)
    var state = step.initialState(seed: 1, initializer: GPT.start)
    // An epoch is fifty steps; the state that was best on the held-out tenth is what remains.
    let heldOut = text.heldOutParts(of: net.length)
    let history = try step.fit(
      &state, DataLoader(text.parts(of: net.length, count: 50 * batch), batch: batch), epochs: steps / 50,
      schedule: .cosine(epochs: steps / 50, least: 1e-4, warmup: 2), stopping: EarlyStopping("loss", patience: 6),
      display: .standard, validate: { try measure($0.parameters, heldOut) })
    let loss = try measure(state.parameters, heldOut)["loss"] ?? .nan
    let seconds = history.epochs.reduce(0) { $0 + $1.seconds } / Double(50 * max(1, history.epochs.count))

    let graph = try trace(net, .i64(1, length, name: "characters"), name: "gpt").bound(to: state.parameters)
    let model = try example.optional(2).map { try graph.compile(to: $0, header: true) } ?? graph.load()
    let written = try text.written(after: "The ", count: 300) { characters in
      // No place looks at those behind it, so that anything may stand there.
      let seen = Array(characters.suffix(net.length))
      let padded = seen + [Int](repeating: 0, count: net.length - seen.count)
      let scores = try model.run(.i64([1, net.length], padded))[0].array(of: Float.self)
      return Array(scores[((seen.count - 1) * text.count)..<(seen.count * text.count)])
    }
    Example.tell(written)
    let (unigram, bigram) = (text.unigram, text.bigram)
    try example.check(loss < unigram, "the held-out loss is \(loss), that by frequencies \(unigram)")
    example.row(
      "\(net.parameterCount) numbers, \(history.epochs.count * 50) steps",
      "held-out loss %.3f; by frequencies %.3f, by pairs %.3f; %.0f ms a step", loss, unigram, bigram, 1000 * seconds,
      expected: "below that by pairs")
  }
}
