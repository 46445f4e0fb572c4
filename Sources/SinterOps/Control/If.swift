import SinterCore
import SinterForms
import SinterIR

/// The results of one graph or of another, as a condition says. A condition that is known ahead of time leaves only the graph it picks.
/// Otherwise results may differ in size, and must have equal numbers of axes.
public struct If: Primitive, ControlFlow {
  public static let name = "If"
  public static let summary = "The results of one graph or of another, as a condition says."

  public init() {}

  public static var onnx: [OnnxRule] {
    [
      OnnxRule(values: "If") { node, builder in
        let branches = [try node.body("then_branch"), try node.body("else_branch")]
        let condition = try node.tensorValue(0)
        func built(_ body: OnnxBody, _ builder: GraphBuilder) throws -> OnnxBody.Built {
          try body.buildValues([], body.captures.map { builder.fact($0) })
        }
        func spliced(_ built: OnnxBody.Built, _ body: OnnxBody) throws -> [OnnxValue] {
          built.results(as: try builder.splice(built.graph, body.captures))
        }
        if let known = builder.inputs([condition], outputs: node.outputCount).integers(0)?.first {
          let taken = branches[known != 0 ? 0 : 1]
          return try spliced(try built(taken, builder), taken)
        }
        let attempts = branches.map { branch in Result { try built(branch, builder) } }
        if let taken = Self.onlyBranch(attempts), let failed = attempts[1 - taken].failure {
          // What cannot be built must not be taken.
          let results = try spliced(try attempts[taken].get(), branches[taken])
          let reason =
            "If: the condition picks \(taken == 0 ? "else_branch" : "then_branch"), which cannot run: \(failed.description) (\(node.name))"
          return try results.map { result in
            try result.map { try builder.add1(Expect(taken == 0, reason: reason), [condition, $0]) }
          }
        }
        var both = try attempts.map { try $0.get() }
        if both[0].results.count == both[1].results.count {
          let forms = try zip(try both[0].forms(), try both[1].forms()).enumerated().map { index, pair in
            try pair.0.joined(with: pair.1, "result \(index)")
          }
          both = try both.map { try $0.giving(forms, "result") }
        }
        let graphs = both.map(\.graph)
        if let diagnostic = ranksDiffer(graphs) {
          throw RanksDiffer(bodies: ["then_branch", "else_branch"], diagnostic: diagnostic)
        }
        let count = both[0].results.prefix(node.outputCount).reduce(0) { $0 + $1.leaves.count }
        let results = try builder.add(
          If(), [condition] + branches.flatMap(\.captures),
          outputs: both[0].results.count < node.outputCount ? node.outputCount : count, bodies: graphs)
        var place = 0
        return both[0].results.prefix(node.outputCount).map { $0.taking(results, at: &place) }
      }
    ]
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    var node = NodeSpecification("If", since: 16)
    node.bodies = [("then_branch", 0), ("else_branch", 0)]
    return node
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let condition = try inputs.tensor(0)
    guard condition.element == .bool else {
      throw DiagnosticError(.user, "if.condition", "the condition must be one truth value, but is \(condition)")
    }
    _ = try obligations.equal(condition.count, 1, "elements of the condition \(condition) and their number")
    let (yes, no) = (try inputs.body(0, "then_branch"), try inputs.body(1, "else_branch"))
    guard yes.outputs.count == no.outputs.count else {
      throw DiagnosticError(
        .user, "if.results",
        "the branches must give as many results, but give \(yes.outputs.count) and \(no.outputs.count)")
    }
    if let diagnostic = Self.ranksDiffer([yes, no]) { throw DiagnosticError([diagnostic]) }
    let inside = yes.ownDataSymbols.union(no.ownDataSymbols)
    // What both branches rely on, the node does, but for sizes that they compute themselves.
    for relation in yes.obligations where inside.isDisjoint(with: relation.symbols) {
      if no.obligations.contains(where: { $0.isSameRelation(as: relation) }) { try obligations.require(relation) }
    }
    return try yes.outputs.indices.map { index in
      let (a, b) = (try yes.tensorOutput(index), try no.tensorOutput(index))
      guard a.element == b.element else {
        throw DiagnosticError(.user, "if.results", "result \(index) is \(a) in one branch and \(b) in the other")
      }
      func isKnown(_ size: Dim) -> Bool { inside.isDisjoint(with: size.symbols) }
      let shape = a.shape.indices.map { axis in
        a.shape[axis] == b.shape[axis] && isKnown(a.shape[axis])
          ? a.shape[axis] : inputs.freshSize(result: index, axis: axis)
      }
      return Fact(a.element, shape)
    }
  }

  /// The branch that can be built, where the other one is wrong whatever sizes it meets.
  private static func onlyBranch(_ attempts: [Result<OnnxBody.Built, any Error>]) -> Int? {
    let wrong = attempts.map {
      $0.failure.map { $0.diagnostics.allSatisfy { $0.kind == .user } && !$0.diagnostics.isEmpty }
    }
    switch (wrong[0], wrong[1]) {
    case (true?, nil): return 1
    case (nil, true?): return 0
    default: return nil
    }
  }

  /// That the branches give a result of different numbers of axes.
  private static func ranksDiffer(_ branches: [Graph]) -> Diagnostic? {
    for (index, (a, b)) in zip(branches[0].outputs, branches[1].outputs).enumerated() {
      guard let x = branches[0].type(of: a.value).tensor, let y = branches[1].type(of: b.value).tensor, x.rank != y.rank
      else { continue }
      return Diagnostic(
        .limit, "if.ranks",
        "result \(index) is \(x) in one branch and \(y) in the other, and the condition is not known ahead of time",
        hint: "make the condition a constant, or give both branches as many axes")
    }
    return nil
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (yes, no) = (try node.facts.body(0, "then_branch"), try node.facts.body(1, "else_branch"))
    let captures = try node.inputs.indices.dropFirst().map { try node.input($0) }
    return try lowering.branch(
      try node.input(0), types: try node.outputs.indices.map { try node.output($0) },
      then: { try yes.lower(into: &$0, inputs: Array(captures.prefix(yes.inputs.count))) },
      otherwise: { try no.lower(into: &$0, inputs: Array(captures.dropFirst(yes.inputs.count))) })
  }

  public static var examples: [OperatorExample] { [] }
}

extension Result<OnnxBody.Built, any Error> {
  /// What is wrong.
  fileprivate var failure: DiagnosticError? {
    if case .failure(let error) = self { error as? DiagnosticError } else { nil }
  }
}
