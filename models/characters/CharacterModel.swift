import Sinter

/// Predicts each next character by a recurrence: an LSTM over embedded characters.
struct CharacterModel: UnaryLayer {
  static let width = 128
  var embedding: Embedding, lstm: LSTM, out: Linear

  init(characters: Int) {
    embedding = Embedding(characters, 32)
    lstm = LSTM(32, Self.width, batchFirst: true)
    out = Linear(Self.width, characters)
  }

  /// Scores [n, length, characters] of what follows each of [n, length].
  func forward(_ x: Tensor) -> Tensor { out(lstm(embedding(x)).0) }

  /// The same for one character more, with what the layer remembers handed in and out.
  func step(_ character: Tensor, _ hidden: Tensor, _ cell: Tensor) -> [Tensor] {
    let (output, (nextHidden, nextCell)) = lstm(embedding(character), (hidden, cell))
    return [out(output), nextHidden, nextCell]
  }
}

/// Two plain recurrent layers over characters as they are, one of n: what a sentence can be learned by heart with.
struct SentenceModel: UnaryLayer {
  let characters: Int
  var rnn: RNN, out: Linear

  init(characters: Int) {
    self.characters = characters
    rnn = RNN(characters, 64, layers: 2, batchFirst: true)
    out = Linear(64, characters)
  }

  func forward(_ x: Tensor) -> Tensor { out(rnn(x.oneHot(characters).float()).0) }
}
