import SinterCore
import SinterForms

/// A pattern as a table: from each state, which of them a class of bytes leads to. State 0 is the first.
struct PatternAutomaton {
  /// The class of each byte.
  private(set) var classes: [UInt8] = []
  private(set) var classCount = 0
  /// The next state for each state and class.
  private(set) var next: [Int32] = []
  /// For each state whether what was read matches, before each `Neighbour`.
  private(set) var accepts: [[Bool]] = []
  /// The first state behind each `Neighbour`.
  private(set) var starts: [Int] = []

  /// Entries of the table, of four bytes each.
  private static let limit = 1 << 20

  /// - Throws: an error that says where the pattern is wrong, or that it needs too large a table.
  init(_ pattern: Pattern) throws {
    let machine = try PatternMachine(pattern)
    findClasses(machine)
    try findStates(machine)
    minimize()
  }

  var stateCount: Int { accepts.count }

  /// What stands before a place or behind it, as far as assertions ask.
  private enum Neighbour: Int, CaseIterable { case none, word, lineFeed, other }

  private static func neighbour(_ byte: UInt8) -> Neighbour {
    byte == 10 ? .lineFeed : CodePoints.wordCharacters.contains(UInt32(byte)) ? .word : .other
  }

  // MARK: Classes

  /// Bytes that no step tells apart, nor, where there are assertions, these.
  private mutating func findClasses(_ machine: PatternMachine) {
    var begins = [Bool](repeating: false, count: 257)
    begins[0] = true
    for node in machine.nodes {
      switch node {
      case .bytes(let range, _):
        begins[Int(range.lowerBound)] = true
        begins[Int(range.upperBound) + 1] = true
      case .assertion:
        for byte in 1...255 where Self.neighbour(UInt8(byte)) != Self.neighbour(UInt8(byte - 1)) { begins[byte] = true }
      case .either, .accept: break
      }
    }
    classCount = 0
    classes = (0..<256).map { byte in
      if begins[byte] { classCount += 1 }
      return UInt8(classCount - 1)
    }
  }

  // MARK: States

  private struct State: Hashable {
    /// Places in the machine, in order; what they lead to without a byte is found when the next byte is known.
    var places: [Int]
    var before: Neighbour
  }

  private mutating func findStates(_ machine: PatternMachine) throws {
    let hasAssertions = machine.nodes.contains { if case .assertion = $0 { true } else { false } }
    let firstBytes = (0..<classCount).map { number in UInt8(classes.firstIndex { Int($0) == number } ?? 0) }
    var closure = Closure(machine)
    var numbers: [State: Int] = [:]
    var open: [State] = []
    starts = Neighbour.allCases.map { before in
      let start = State(places: [machine.start], before: hasAssertions ? before : .none)
      if let known = numbers[start] { return known }
      numbers[start] = open.count
      open.append(start)
      return open.count - 1
    }
    var at = 0
    while at < open.count {
      let state = open[at]
      at += 1
      accepts.append(
        Neighbour.allCases.map { behind in
          closure.find(state.places, state.before, behind).contains { machine.nodes[$0] == .accept }
        })
      var targets = [Set<Int>](repeating: [], count: classCount)
      var reached: [Neighbour: [Int]] = [:]
      for behind in hasAssertions ? [Neighbour.word, .lineFeed, .other] : [.other] {
        reached[behind] = closure.find(state.places, state.before, behind)
      }
      for (behind, places) in reached {
        for place in places {
          guard case .bytes(let range, let target) = machine.nodes[place] else { continue }
          for number in classes[Int(range.lowerBound)]...classes[Int(range.upperBound)]
          where !hasAssertions || Self.neighbour(firstBytes[Int(number)]) == behind {
            targets[Int(number)].insert(target)
          }
        }
      }
      for (number, places) in targets.enumerated() {
        let before: Neighbour = hasAssertions ? Self.neighbour(firstBytes[number]) : .none
        let target = State(places: places.sorted(), before: places.isEmpty ? .none : before)
        if let known = numbers[target] {
          next.append(Int32(known))
          continue
        }
        numbers[target] = open.count
        next.append(Int32(open.count))
        open.append(target)
      }
      guard next.count <= Self.limit else {
        throw DiagnosticError(
          .limit, "pattern.size", "the pattern needs a table of more than \(Self.limit) entries",
          hint: "let it repeat fewer times, or split it")
      }
    }
  }

  /// What places lead to without a byte.
  private struct Closure {
    private let machine: PatternMachine
    private var marks: [Int]
    private var mark = 0

    init(_ machine: PatternMachine) {
      self.machine = machine
      marks = Array(repeating: 0, count: machine.nodes.count)
    }

    /// The steps over bytes, and the end, that places lead to between two neighbours.
    mutating func find(_ places: [Int], _ before: Neighbour, _ behind: Neighbour) -> [Int] {
      mark += 1
      var found: [Int] = []
      var stack = places
      while let place = stack.popLast() {
        if marks[place] == mark { continue }
        marks[place] = mark
        switch machine.nodes[place] {
        case .bytes, .accept: found.append(place)
        case .either(let branches): stack += branches
        case .assertion(let assertion, let next): if Self.holds(assertion, before, behind) { stack.append(next) }
        }
      }
      return found
    }

    private static func holds(_ assertion: Pattern.Assertion, _ before: Neighbour, _ behind: Neighbour) -> Bool {
      switch assertion {
      case .textBegins: before == .none
      case .textEnds: behind == .none
      case .lineBegins: before == .none || before == .lineFeed
      case .lineEnds: behind == .none || behind == .lineFeed
      case .wordBoundary: (before == .word) != (behind == .word)
      case .noWordBoundary: (before == .word) == (behind == .word)
      }
    }
  }

  // MARK: Fewer states

  /// Makes one state of those that nothing tells apart: parts of them are split until what each class leads to is the same throughout a part.
  private mutating func minimize() {
    var part = accepts.map { $0.reduce(0) { 2 * $0 + ($1 ? 1 : 0) } }
    var count = Set(part).count
    while true {
      var numbers: [[Int]: Int] = [:]
      let finer = part.indices.map { state in
        let signature = [part[state]] + (0..<classCount).map { part[Int(next[state * classCount + $0])] }
        let number = numbers[signature, default: numbers.count]
        numbers[signature] = number
        return number
      }
      part = finer
      if numbers.count == count { break }
      count = numbers.count
    }
    // Parts are numbered in the order of their first states, so that the first is 0.
    var first = [Int](repeating: 0, count: count)
    for state in part.indices.reversed() { first[part[state]] = state }
    next = first.flatMap { state in (0..<classCount).map { Int32(part[Int(next[state * classCount + $0])]) } }
    accepts = first.map { accepts[$0] }
    starts = starts.map { part[$0] }
  }

  /// The state that nothing leads out of and in which nothing matches; nil where there is none.
  var dead: Int? {
    accepts.indices.first { state in
      !accepts[state].contains(true) && (0..<classCount).allSatisfy { next[state * classCount + $0] == state }
    }
  }

  /// The tables as functions of the runtime take them.
  func tables(into lowering: inout Lowering) -> [Operand] {
    [
      HostTensor(.u8, [256], values: classes), HostTensor(.i32, [stateCount, classCount], values: next),
      HostTensor(.u8, [stateCount, 4], values: accepts.joined().map { UInt8($0 ? 1 : 0) }),
    ].map { lowering.constant($0) }
  }
}
