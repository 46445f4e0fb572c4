import SinterCore

/// What fusion decided about each edge from a producer to a consumer, and why.
package struct FusionReport: Sendable {
  /// Why a value is stored, though a consumer could compute it itself.
  package enum Refusal: String, Sendable, CaseIterable {
    case isOutput = "the value is an output"
    case isReadByRepetition = "a repetition reads the value"
    case isReadByCall = "the consumer reads whole tensors from memory"
    case isNoRelayout = "the consumer is a contraction and the producer computes something"
    case isNotAffine = "the consumer is a contraction and would read with irregular indices"
    case isDear = "computing the value again costs more than storing it"
    case isTooLong = "the consumer's body would become too long"
    case becomesEpilogue = "the producer runs in the kernel that computes its operand"
    case anotherConsumerNeedsIt = "another consumer needs the value stored"
  }

  package enum Outcome: Hashable, Sendable {
    case inlined
    /// The consumer became the last step of the producer's kernel.
    case epilogue
    /// Both are members of one group of rows.
    case rows
    case stored(Refusal)
  }

  package struct Edge: Sendable {
    package var producer: FormValueID
    package var consumer: FormValueID
    package var outcome: Outcome
  }

  /// A change of the program that fusion made, in the order in which it made them.
  package struct Move: Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable, CaseIterable {
      case attention = "two contractions around a softmax become one form"
      case hoisting = "element work moves in front of a relayout"
      case inlining = "a value is computed inside of its consumers"
      case epilogue = "element work becomes an epilogue"
      case rows = "forms over the same rows become one group"
    }
    package var kind: Kind
    /// The values whose forms it changed.
    package var values: [FormValueID]

    package var description: String { "\(kind.rawValue): " + values.map(\.description).joined(separator: ", ") }
  }

  package var edges: [Edge] = []
  package private(set) var moves: [Move] = []

  package init() {}

  mutating func add(_ kind: Move.Kind, _ values: [FormValueID]) { moves.append(Move(kind: kind, values: values)) }

  mutating func add(_ producer: FormValueID, _ consumer: FormValueID, _ outcome: Outcome) {
    edges.append(Edge(producer: producer, consumer: consumer, outcome: outcome))
  }
}

extension FusionReport: CustomStringConvertible {
  /// One line an edge: `%4 into %7: inlined`.
  package var description: String {
    edges.map { edge in
      let text =
        switch edge.outcome {
        case .inlined: "inlined"
        case .epilogue: "epilogue"
        case .rows: "same rows"
        case .stored(let refusal): "stored, because " + refusal.rawValue
        }
      return "\(edge.producer) into \(edge.consumer): \(text)"
    }.joined(separator: "\n")
  }
}
