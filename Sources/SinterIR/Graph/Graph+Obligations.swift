import SinterCore
import SinterForms

extension Graph {
  /// Adds relations that nodes rely on. What holds in any case, or is there already, is left out; what cannot hold is thrown.
  ///
  /// Equalities teach: a symbol that must equal another size is replaced by it in the whole graph, but for the types that callers see.
  ///
  /// - Returns: what was learned, in order.
  @discardableResult
  public mutating func require(_ new: [Obligation]) throws -> [SizeLesson] {
    var refuted: [Diagnostic] = []
    var lessons: [SizeLesson] = []
    for stated in new {
      let obligation = stated.knowing(lessons)
      switch obligation.isSettled(ranges) {
      case true: continue
      case false: refuted.append(obligation.refutation)
      case nil:
        if obligations.contains(where: { $0.isSameRelation(as: obligation) }) || implies([obligation]) { continue }
        obligations.append(obligation)
        if let lesson = try learn(obligation) { lessons.append(lesson) }
      }
    }
    // What was stated before may have become impossible.
    if !lessons.isEmpty { refuted += contradictions }
    if !refuted.isEmpty { throw DiagnosticError(refuted) }
    return lessons
  }

  /// Whether relations follow from those that the graph has.
  public func implies(_ relations: [Obligation]) -> Bool {
    let ranges = taughtRanges
    func follows(_ relation: Obligation, from known: [Obligation]) -> Bool {
      relation.follows(from: known, ranges)
    }
    let open = relations.filter { !follows($0, from: obligations) }
    if open.isEmpty { return true }
    // Relations are kept as they were stated, in sizes that others may have been put in place of since.
    let lessons = lessons
    let known = knownObligations
    let rest = open.map { $0.knowing(lessons) }.filter { !follows($0, from: known) }
    if rest.isEmpty { return true }
    // What was stated before a size was known to be at least 1 says `max(1, h)` where others say `h`: told from that bound on, both are alike.
    let least = ranges.compactMapValues { $0.lowerBound > 0 ? Dim($0.lowerBound) : nil }
    func counted(_ relation: Obligation) -> Obligation {
      relation.substituting { symbol in least[symbol].map { Dim(symbol) + $0 } }
    }
    guard rest.contains(where: { $0.symbols.contains { least[$0] != nil } }) else { return false }
    let knownSoFar = known.map(counted)
    return rest.allSatisfy { counted($0).follows(from: knownSoFar, [:]) }
  }

  /// The ranges of symbols, narrowed by what relations say of one: where `h + 2 >= 5`, h is at least 3.
  package var taughtRanges: [Symbol: ClosedRange<Int>] {
    var result = ranges
    let lessons = lessons
    for obligation in obligations where obligation.relation == .atLeast {
      guard let (symbol, least) = obligation.knowing(lessons).leastValue else { continue }
      let known = result[symbol] ?? 0...Int.max
      if least > known.lowerBound, least <= known.upperBound { result[symbol] = least...known.upperBound }
    }
    return result
  }

  /// What the graph's equalities teach, in order.
  private var lessons: [SizeLesson] {
    obligations.reduce(into: []) { lessons, stated in
      let obligation = stated.knowing(lessons)
      if obligation.isEquality, let lesson = obligation.lesson { lessons.append(lesson) }
    }
  }

  /// The obligations in the words of the graph's values, which do not speak of symbols whose sizes equalities have taught.
  var knownObligations: [Obligation] {
    let lessons = lessons
    return obligations.map { $0.knowing(lessons) }
  }

  /// Whether some small sizes fulfil all that the graph relies on, but not a relation.
  func refutes(_ relation: Obligation) -> Bool {
    let known = knownObligations
    let symbols = Set((known + [relation]).flatMap(\.symbols)).sorted()
    // Sums of products of sizes are seldom equal by chance: few values of each tell.
    let values = symbols.count <= 3 ? Array(0...5) : symbols.count <= 6 ? [0, 1, 2, 3] : [1, 2]
    func isCounterexample(_ assignment: [Symbol: Int]) -> Bool {
      relation.holds { assignment[$0] } == false && known.allSatisfy { $0.holds { assignment[$0] } == true }
    }
    guard symbols.count <= 12 else {
      // Too many to try all: some that are drawn.
      var generator = SplitMix64(seed: 1)
      return (0..<2000).contains { _ in
        isCounterexample(
          Dictionary(
            uniqueKeysWithValues: symbols.map { symbol in
              (symbol, Int.random(in: 0...3, using: &generator).clamped(to: ranges[symbol] ?? 0...Int.max))
            }))
      }
    }
    var assignment: [Symbol: Int] = [:]
    func search(_ rest: ArraySlice<Symbol>) -> Bool {
      guard let symbol = rest.first else {
        return isCounterexample(assignment)
      }
      return values.contains { value in
        if let range = ranges[symbol], !range.contains(value) { return false }
        assignment[symbol] = value
        return search(rest.dropFirst())
      }
    }
    return search(symbols[...])
  }

  /// What no sizes can fulfil: a graph inside a node that states such may be there, as long as it is never run.
  var impossible: Obligation? {
    obligations.isEmpty ? nil : knownObligations.first { $0.isSettled(ranges) == false }
  }

  /// What no sizes can fulfil, given what has become known.
  private var contradictions: [Diagnostic] {
    var found = knownObligations.filter { $0.isSettled(ranges) == false }.map(\.refutation)
    for id in order where !nodes[id].bodies.isEmpty {
      // These hold what their graphs take against what they give.
      var stated = Obligations(ranges: ranges)
      do {
        _ = try nodes[id].op.infer(inputs(of: id), requiring: &stated)
      } catch {
        found += (error as? DiagnosticError)?.diagnostics ?? []
      }
    }
    return found
  }

  /// Considers all relations anew, after sizes have become known.
  mutating func restateObligations() throws {
    let old = obligations
    obligations = []
    do {
      try require(old)
    } catch {
      // What no sizes fulfil stays: it refuses every run.
      obligations = old
      throw error
    }
  }

  private mutating func learn(_ obligation: Obligation) throws -> SizeLesson? {
    guard obligation.isEquality, let lesson = obligation.lesson else { return nil }
    let (symbol, size) = (lesson.symbol, lesson.size)
    for index in inputs.indices where inputs[index].declared == nil {
      let type = type(of: inputs[index].value)
      if type.symbols.contains(symbol) { inputs[index].declared = type }
    }
    let (declared, stated) = (inputs.map(\.declared), obligations)
    try substitute(lesson.replacement)
    // A caller goes on with the sizes that it knows, and relations are told, and checked, as they were stated.
    for index in inputs.indices { inputs[index].declared = declared[index] }
    obligations = stated
    if let range = ranges[symbol], let other = size.symbol {
      let known = ranges[other] ?? 0...Int.max
      let (low, high) = (max(range.lowerBound, known.lowerBound), min(range.upperBound, known.upperBound))
      if low <= high { ranges[other] = low...high }
    }
    return lesson
  }
}

/// A symbol of which an equality has taught what it is.
public struct SizeLesson: Hashable, Sendable {
  /// The symbol that goes.
  public var symbol: Symbol
  /// What takes its place.
  public var size: Dim

  func replacement(_ other: Symbol) -> Dim? { other == symbol ? size : nil }
}

extension Fact {
  func substituting(_ replacement: (Symbol) -> Dim?) -> Fact {
    var fact = Fact(
      type.mapDims { $0.substituting(replacement) }, contents: contents?.map { $0.substituting(replacement) })
    fact.followsFromSizes = followsFromSizes
    fact.scalars = scalars?.map { $0.substituting(replacement) }
    return fact
  }
}

extension Int {
  fileprivate func clamped(to range: ClosedRange<Int>) -> Int {
    Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
  }
}

extension Obligation {
  /// Whether it holds wherever known relations do, as far as that is easily told. A size that is one of several is at least something where
  /// all of them are, or for the greatest of several, where one is.
  fileprivate func follows(from known: [Obligation], _ ranges: [Symbol: ClosedRange<Int>], depth: Int = 3) -> Bool {
    if isSettled(ranges) == true || known.contains(where: { $0.implies(self) }) { return true }
    guard depth > 0, relation == .atLeast, let parts = (left - right).parts else { return false }
    func isPositive(_ size: Dim) -> Bool {
      Obligation(.atLeast, size, 0, subject: subject).follows(from: known, ranges, depth: depth - 1)
    }
    return parts.kind == .greatest ? parts.sizes.contains(where: isPositive) : parts.sizes.allSatisfy(isPositive)
  }

  /// Whether both sides are equal wherever it holds: what is known not to be 1 does not broadcast.
  fileprivate var isEquality: Bool { relation == .equal || relation == .equalOrOne && left.isConstant && left != 1 }

  /// The only symbol that it speaks of, and what that is at least.
  fileprivate var leastValue: (symbol: Symbol, least: Int)? {
    let difference = left - right
    guard difference.terms.count == 1, let symbol = difference.symbols.first,
      let (factor, rest) = difference.linear(in: symbol),
      let step = factor.value, step > 0, let offset = rest.value
    else { return nil }
    return (symbol, Dim(-offset).ceilDivided(by: Dim(step)).value ?? 0)
  }

  /// The same with what was learned put in.
  fileprivate func knowing(_ lessons: [SizeLesson]) -> Obligation {
    lessons.reduce(self) { $0.substituting($1.replacement) }
  }

  /// What an equality teaches: a symbol that callers choose, and the size that can take its place.
  fileprivate var lesson: SizeLesson? {
    guard left.symbol != nil || right.symbol != nil else { return nil }
    if left.mentions(where: \.isFromData) || right.mentions(where: \.isFromData) { return nil }
    switch (left.symbol, right.symbol) {
    case (let a?, let b?): return a < b ? SizeLesson(symbol: b, size: left) : SizeLesson(symbol: a, size: right)
    case (let symbol?, nil): return right.mentions { $0 == symbol } ? nil : SizeLesson(symbol: symbol, size: right)
    case (nil, let symbol?): return left.mentions { $0 == symbol } ? nil : SizeLesson(symbol: symbol, size: left)
    case (nil, nil): return nil
    }
  }

  /// The same, told to be stated by a node.
  func located(op: any Operator, origin: [Origin], inputs: NodeInputs) -> Obligation {
    var copy = self
    copy.op = op.onnxNode(inputs)?.opType ?? type(of: op).name
    copy.origin = origin.map(\.description).filter { !$0.isEmpty }
    return copy
  }
}
