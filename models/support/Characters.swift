import Foundation
import Sinter

/// A text as numbers of characters, the last tenth of it held out, and what simple models of it reach.
public struct Characters: Sendable {
  /// Every character of the text once, in order; a character's number is its place.
  public let vocabulary: [Character]
  public let training: [Int], heldOut: [Int]
  private let numbers: [Character: Int]

  /// A text that is always there: `harbor.txt`, written for these examples.
  public static let standardPath = "models/support/harbor.txt"

  /// - Throws: where the file cannot be read, or has no thousand characters.
  public init(_ path: String) throws {
    let file = try MappedFile(path)
    let text = withExtendedLifetime(file) { Array(String(decoding: file.contents, as: UTF8.self)) }
    guard text.count >= 1000 else {
      throw DiagnosticError(
        .user, "example.text", "\(path) has \(text.count) characters, too few to learn from; a thousand are needed")
    }
    vocabulary = Set(text).sorted()
    let numbers = Dictionary(uniqueKeysWithValues: zip(vocabulary, vocabulary.indices))
    self.numbers = numbers
    let all = text.compactMap { numbers[$0] }
    let border = all.count - all.count / 10
    (training, heldOut) = (Array(all[..<border]), Array(all[border...]))
  }

  public var count: Int { vocabulary.count }

  /// The numbers of a text's characters; those that the vocabulary lacks are left out.
  public func encoded(_ text: String) -> [Int] { text.compactMap { numbers[$0] } }

  public func decoded(_ numbers: some Sequence<Int>) -> String { String(numbers.map { vocabulary[$0] }) }

  /// The cross entropy of the held-out part, in nats a character, where each is predicted by how often it occurs in the rest.
  public var unigram: Double { entropy { _, _ in 0 } }

  /// The same where each is predicted by the one before.
  public var bigram: Double { entropy { text, place in text[place - 1] } }

  /// Of predictions by counts, each of which begins with one; `context` is what tables of counts are kept apart by.
  private func entropy(_ context: ([Int], Int) -> Int) -> Double {
    var counts = [Int](repeating: 1, count: count * count)
    for place in 1..<training.count { counts[context(training, place) * count + training[place]] += 1 }
    var sum = 0.0
    for place in 1..<heldOut.count {
      let row = context(heldOut, place) * count
      let total = counts[row..<(row + count)].reduce(0, +)
      sum -= log(Double(counts[row + heldOut[place]]) / Double(total))
    }
    return sum / Double(max(1, heldOut.count - 1))
  }

  /// Parts of the training text that begin at random places: i64 [length] of characters, and those that follow each.
  ///
  /// - Parameter count: how many an epoch has.
  public func parts(of length: Int, count: Int) -> TextParts {
    TextParts(text: training, length: length, count: count, isRandom: true)
  }

  /// The held-out text in parts, one behind the other.
  public func heldOutParts(of length: Int) -> TextParts {
    TextParts(text: heldOut, length: length, count: (heldOut.count - 1) / length, isRandom: false)
  }

  /// The text that a model writes, character by character.
  ///
  /// - Parameters:
  ///   - scores: of the next character, by the numbers of all before it.
  ///   - temperature: what scores are divided by: less than one for likelier characters.
  public func written(
    after start: String, count length: Int, temperature: Double = 0.7, seed: UInt64 = 1,
    scores: ([Int]) throws -> [Float]
  ) throws -> String {
    var random = SampleRandom(seed: seed)
    var text = encoded(start)
    for _ in 0..<length {
      let next = try scores(text).map { Double($0) / temperature }
      let greatest = next.max() ?? 0
      let weights = next.map { exp($0 - greatest) }
      var rest = random.uniform(0, weights.reduce(0, +))
      text.append(
        weights.firstIndex { weight in
          rest -= weight
          return rest <= 0
        } ?? 0)
    }
    return decoded(text)
  }
}

/// Parts of a text, each with the same part moved on by one character.
public struct TextParts: Dataset {
  let text: [Int]
  let length: Int
  public let count: Int
  let isRandom: Bool

  public func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor] {
    guard text.count > length else {
      throw DiagnosticError(
        .user, "example.text", "the text has \(text.count) characters, too few for parts of \(length)")
    }
    let start = isRandom ? random.integer(below: text.count - length) : index * length
    return [
      .i64([length], Array(text[start..<(start + length)])),
      .i64([length], Array(text[(start + 1)..<(start + length + 1)])),
    ]
  }
}

/// The mean cross entropy of characters: of scores [n, length, vocabulary] and numbers [n, length].
public func characterLoss(_ scores: Tensor, _ target: Tensor) -> Tensor {
  crossEntropy(scores.flatten(from: 0, to: 1), target.flatten())
}
