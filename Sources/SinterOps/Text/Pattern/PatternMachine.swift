import SinterCore

/// A pattern as steps over bytes, several of which may be at hand at once.
struct PatternMachine {
  enum Node: Hashable {
    case bytes(ClosedRange<UInt8>, Int)
    case assertion(Pattern.Assertion, Int)
    case either([Int])
    case accept
  }

  private(set) var nodes: [Node] = [.accept]
  private(set) var start = 0
  private var known: [Node: Int] = [.accept: 0]

  /// Steps beyond this number take longer to compile than a pattern is worth.
  private static let limit = 1 << 17

  init(_ pattern: Pattern) throws { start = try add(pattern, before: 0) }

  private mutating func node(_ node: Node) throws -> Int {
    if let place = known[node] { return place }
    guard nodes.count < Self.limit else {
      throw DiagnosticError(
        .limit, "pattern.size", "the pattern needs more than \(Self.limit) steps", hint: "let it repeat fewer times")
    }
    nodes.append(node)
    known[node] = nodes.count - 1
    return nodes.count - 1
  }

  /// A node that goes on at `next` behind what matches.
  private mutating func add(_ pattern: Pattern, before next: Int) throws -> Int {
    switch pattern {
    case .empty: return next
    case .byte: return try node(.bytes(0...255, next))
    case .assertion(let assertion): return try node(.assertion(assertion, next))
    case .sequence(let parts): return try parts.reversed().reduce(next) { try add($1, before: $0) }
    case .alternatives(let branches): return try node(.either(try branches.map { try add($0, before: next) }))
    case .set(let set):
      let sequences = set.ranges.flatMap { ByteSequences.of($0) }
      let starts = try sequences.map { sequence in
        try sequence.reversed().reduce(next) { try node(.bytes($1, $0)) }
      }
      return starts.count == 1 ? starts[0] : try node(.either(starts))
    case .repeated(let part, let least, let most):
      var place = next
      if let most {
        for _ in least..<most { place = try node(.either([next, try add(part, before: place)])) }
      } else {
        // A node of its own that what is repeated comes back to.
        nodes.append(.either([]))
        place = nodes.count - 1
        nodes[place] = .either([next, try add(part, before: place)])
      }
      for _ in 0..<least { place = try add(part, before: place) }
      return place
    }
  }
}
