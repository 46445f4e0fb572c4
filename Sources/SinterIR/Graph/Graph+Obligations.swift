import SinterCore

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
      let obligation = lessons.reduce(stated) { known, lesson in known.substituting(lesson.replacement) }
      switch obligation.isSettled(ranges) {
      case true: continue
      case false: refuted.append(obligation.refutation)
      case nil:
        if obligations.contains(where: { $0.isSameRelation(as: obligation) }) { continue }
        obligations.append(obligation)
        if let lesson = try learn(obligation) { lessons.append(lesson) }
      }
    }
    // What was stated before may have become impossible.
    if !lessons.isEmpty {
      refuted += knownObligations.filter { $0.isSettled(ranges) == false }.map(\.refutation)
    }
    if !refuted.isEmpty { throw DiagnosticError(refuted) }
    return lessons
  }

  /// Whether relations follow from those that the graph has.
  public func implies(_ relations: [Obligation]) -> Bool {
    if relations.allSatisfy({ $0.isSettled(ranges) == true }) { return true }
    let known = knownObligations
    return relations.allSatisfy { relation in
      relation.isSettled(ranges) == true || known.contains { $0.implies(relation) }
        || obligations.contains { $0.isSameRelation(as: relation) }
    }
  }

  /// The obligations in the words of the graph's values, which do not speak of symbols whose sizes equalities have taught.
  private var knownObligations: [Obligation] {
    var lessons: [SizeLesson] = []
    return obligations.map { stated in
      let known = lessons.reduce(stated) { known, lesson in known.substituting(lesson.replacement) }
      if known.isEquality, let lesson = known.lesson { lessons.append(lesson) }
      return known
    }.map { known in lessons.reduce(known) { known, lesson in known.substituting(lesson.replacement) } }
  }

  /// Considers all relations anew, after sizes have become known.
  mutating func restateObligations() throws {
    let old = obligations
    obligations = []
    try require(old)
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
  public var symbol: Symbol
  public var size: Dim

  func replacement(_ other: Symbol) -> Dim? { other == symbol ? size : nil }
}

extension Fact {
  func substituting(_ replacement: (Symbol) -> Dim?) -> Fact {
    Fact(type.mapDims { $0.substituting(replacement) }, contents: contents?.map { $0.substituting(replacement) })
  }
}

extension Obligation {
  /// Whether both sides are equal wherever it holds: what is known not to be 1 does not broadcast.
  fileprivate var isEquality: Bool { relation == .equal || relation == .equalOrOne && left.isConstant && left != 1 }

  /// What an equality teaches: a symbol that callers choose, and the size that can take its place.
  fileprivate var lesson: SizeLesson? {
    if symbols.contains(where: \.isFromData) { return nil }
    switch (left.symbol, right.symbol) {
    case (let a?, let b?): return a < b ? SizeLesson(symbol: b, size: left) : SizeLesson(symbol: a, size: right)
    case (let symbol?, nil): return right.symbols.contains(symbol) ? nil : SizeLesson(symbol: symbol, size: right)
    case (nil, let symbol?): return left.symbols.contains(symbol) ? nil : SizeLesson(symbol: symbol, size: left)
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
