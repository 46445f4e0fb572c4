import SinterCore

/// One identity that makes a graph smaller or faster: where the left side is found, the right side takes its place.
///
/// A rule never goes uphill: applied again and again, all rules of a pass together come to an end.
public struct RewriteRule: Sendable {
  /// The identity: `x + 0 = x`.
  public let name: String
  /// The operators that the left side can end in; empty: any.
  let roots: [any Operator.Type]
  /// Whether new nodes come only from where the node at hand comes from. Otherwise they come also from where the nodes come from that
  /// go with it.
  let keepsOrigin: Bool
  /// Whether the right side may rely on sizes that the left side did not speak of. Others are refused where they would.
  let mayRelyOnMore: Bool
  /// Looks back from a node. Gives a value for each of the node's results, or nil where the rule does not apply; nodes added before nil is
  /// given are dropped.
  let rewrite: @Sendable (RewriteSite) throws -> [ValueID]?

  /// A rule that is tried at nodes of the given operators, or at all where there are none, and replaces all results of a node.
  public init(
    _ name: String, at roots: [any Operator.Type], keepsOrigin: Bool = false, mayRelyOnMore: Bool = false,
    rewrite: @escaping @Sendable (RewriteSite) throws -> [ValueID]?
  ) {
    self.name = name
    self.roots = roots
    self.keepsOrigin = keepsOrigin
    self.mayRelyOnMore = mayRelyOnMore
    self.rewrite = rewrite
  }

  /// A rule that begins at operators of one type and replaces one result.
  public init<Op: Operator>(
    _ name: String, at root: Op.Type, keepsOrigin: Bool = false,
    rewrite: @escaping @Sendable (Op, RewriteSite) throws -> ValueID?
  ) {
    self.init(name, at: [root], keepsOrigin: keepsOrigin) { site in
      guard let op = site.op as? Op, site.outputs.count == 1, let result = try rewrite(op, site) else { return nil }
      return [result]
    }
  }
}

extension Graph {
  /// Applies rules in one or more sweeps along the order, until none applies any more. Bodies of control flow are rewritten, too.
  public mutating func rewrite(_ rules: [RewriteRule], log: inout RewriteLog) throws {
    for id in order {
      for index in nodes[id].bodies.indices { try nodes[id].bodies[index].rewrite(rules, log: &log) }
    }
    // A sweep goes forward, so that one rule enables the next behind it; what it enables before waits for the next sweep.
    for _ in 0..<16 where log.isOpen {
      let before = log.count
      let rewriter = Rewriter(rules: rules, graph: self, log: log)
      self = Graph(name: name)
      defer {
        self = rewriter.finished()
        log = rewriter.log
      }
      try rewriter.sweep()
      if rewriter.log.count == before { break }
    }
  }
}

/// One sweep. A class, because the rules work on its graph through their sites.
final class Rewriter {
  fileprivate var builder: GraphBuilder
  fileprivate var uses: EntityMap<ValueID, Int>
  private(set) var log: RewriteLog
  private let rules: [ObjectIdentifier: [RewriteRule]]
  private let general: [RewriteRule]
  private var replacements: [ValueID: ValueID] = [:]
  private var rest: [NodeID]

  init(rules: [RewriteRule], graph: Graph, log: RewriteLog) {
    var byRoot: [ObjectIdentifier: [RewriteRule]] = [:]
    for rule in rules {
      for root in rule.roots { byRoot[ObjectIdentifier(root), default: []].append(rule) }
    }
    self.rules = byRoot
    general = rules.filter(\.roots.isEmpty)
    uses = graph.useCounts()
    rest = graph.order.reversed()
    self.log = log
    builder = GraphBuilder(graph)
    builder.graph.order = []
  }

  /// The graph, also after an error.
  func finished() -> Graph {
    var graph = builder.graph
    graph.order += rest.reversed()
    if !replacements.isEmpty { graph.replaceUses { self.resolved($0) } }
    graph.removeDeadNodes()
    return graph
  }

  private func resolved(_ value: ValueID) -> ValueID {
    var result = value
    while let next = replacements[result] { result = next }
    return result
  }

  private func resolveInputs(of id: NodeID) {
    if replacements.isEmpty { return }
    for index in builder.graph.nodes[id].inputs.indices {
      guard let input = builder.graph.nodes[id].inputs[index], replacements[input] != nil else { continue }
      builder.graph.nodes[id].inputs[index] = resolved(input)
    }
  }

  /// The new value of an old one takes over its name, and its sizes as they were written, so that users go on with equal ones.
  private func inherit(_ old: ValueID, by new: ValueID, isNew: Bool) {
    let known = builder.graph.values[old]
    if builder.graph.values[new].name.isEmpty { builder.graph.values[new].name = known.name }
    // Sizes that the old value's node made known take the new names.
    let own = isNew ? builder.graph.producer(of: old).map { builder.graph.definedSizes(of: $0) } ?? [] : []
    if !own.isEmpty {
      try? builder.graph.identifySizes(of: old, with: new)
    }
    guard isNew, case .tensor(let was) = known.fact.type, case .tensor(var now) = builder.graph.values[new].fact.type
    else { return }
    for axis in now.shape.indices where !now.shape[axis].isConstant && own.isDisjoint(with: was.shape[axis].symbols) {
      now.shape[axis] = was.shape[axis]
    }
    builder.graph.values[new].fact.type = .tensor(now)
    if builder.graph.values[new].fact.contents == nil { builder.graph.values[new].fact.contents = known.fact.contents }
  }

  func sweep() throws {
    var budget = 64 * rest.count + 1024
    next: while let id = rest.popLast() {
      resolveInputs(of: id)
      let node = builder.graph.nodes[id]
      guard node.outputs.contains(where: { uses[$0] > 0 }) else {
        // What computes a size may be spoken of without being used.
        if builder.graph.definedSizes(of: id).isEmpty { release(id) } else { builder.graph.order.append(id) }
        continue
      }
      for rule in general + (rules[ObjectIdentifier(type(of: node.op))] ?? []) where log.isOpen {
        if try apply(rule, at: id) {
          budget -= 1
          guard budget > 0 else {
            throw DiagnosticError(.bug, "rewrite.endless", "the rules do not come to an end; the last was \(rule.name)")
          }
          continue next
        }
      }
      builder.graph.order.append(id)
    }
  }

  private func apply(_ rule: RewriteRule, at id: NodeID) throws -> Bool {
    let mark = builder.graph.order.count
    let firstNewValue = builder.graph.values.count
    let node = builder.graph.nodes[id]
    builder.origin = node.origin
    builder.mayRelyOnMore = rule.mayRelyOnMore
    builder.reliesOnMore = false
    let results: [ValueID]?
    do {
      results = try rule.rewrite(RewriteSite(rewriter: self, id: id))
    } catch let error as DiagnosticError {
      throw error.located(at: "rule \(rule.name)")
    }
    let added = Array(builder.graph.order[mark...])
    builder.graph.order.removeSubrange(mark...)
    while uses.count < builder.graph.values.count { uses.append(0) }
    guard let results, !builder.reliesOnMore else { return false }
    guard results.count == node.outputs.count else {
      throw DiagnosticError(
        .bug, "rewrite.results", "rule \(rule.name) gives \(results.count) results for \(node.outputs.count)")
    }
    for new in added {
      for case let input? in builder.graph.nodes[new].inputs { uses[input] += 1 }
    }
    for (old, new) in zip(node.outputs, results) where uses[old] > 0 {
      let (was, now) = (builder.graph.values[old].fact.type, builder.graph.values[new].fact.type)
      guard was.agrees(with: now) else {
        throw DiagnosticError(
          .bug, "rewrite.type", "rule \(rule.name) makes a \(now) of a \(was)", at: node.origin.map(\.description))
      }
      inherit(old, by: new, isNew: new.position >= firstNewValue)
      uses[new] += uses[old]
      uses[old] = 0
      replacements[old] = new
    }
    let origins = release(id)
    if origins.count > 1, !rule.keepsOrigin {
      for new in added { builder.graph.nodes[new].origin = origins }
    }
    rest += added.reversed()
    log.add(rule.name)
    return true
  }

  /// Takes a node's uses away, and those of whatever only it needed; gives the origins of all that goes.
  @discardableResult
  private func release(_ id: NodeID) -> [Origin] {
    var origins: [Origin] = []
    var work = [id]
    while let id = work.popLast() {
      let node = builder.graph.nodes[id]
      for origin in node.origin where !origins.contains(origin) { origins.append(origin) }
      for case let input? in node.inputs {
        uses[input] -= 1
        if uses[input] == 0, let producer = builder.graph.producer(of: input),
          builder.graph.nodes[producer].outputs.allSatisfy({ uses[$0] == 0 }),
          builder.graph.definedSizes(of: producer).isEmpty
        {
          work.append(producer)
        }
      }
    }
    return origins
  }
}

/// A node that a rule looks at, and what stands before it.
public struct RewriteSite {
  fileprivate let rewriter: Rewriter
  /// The node that is looked at.
  public let id: NodeID

  /// The graph as it is now.
  public var graph: Graph { _read { yield rewriter.builder.graph } }
  /// The node's operator.
  public var op: any Operator { rewriter.builder.graph.nodes[id].op }
  /// The node's inputs; nil where an optional one is absent.
  public var inputs: [ValueID?] { rewriter.builder.graph.nodes[id].inputs }
  /// The node's results.
  public var outputs: [ValueID] { rewriter.builder.graph.nodes[id].outputs }

  /// An input, where it is there.
  public func input(_ index: Int) -> ValueID? {
    let inputs = inputs
    return index < inputs.count ? inputs[index] : nil
  }

  /// What is known of a value.
  public func fact(_ value: ValueID) -> Fact { rewriter.builder.graph.values[value].fact }
  /// The type of a value that is a tensor.
  public func type(_ value: ValueID?) -> TensorType? { value.flatMap { fact($0).type.tensor } }
  /// The contents of a value that is a constant.
  public func constant(_ value: ValueID?) -> HostTensor? { value.flatMap { rewriter.builder.graph.constant($0) } }

  /// The node that computes a value, where its operator is of the given type.
  public func producer<Op: Operator>(of value: ValueID?, as type: Op.Type) -> (op: Op, id: NodeID, inputs: [ValueID?])?
  {
    guard let value, let id = rewriter.builder.graph.producer(of: value) else { return nil }
    let node = rewriter.builder.graph.nodes[id]
    guard let op = node.op as? Op else { return nil }
    return (op, id, node.inputs)
  }

  /// Whether this node is all that a value is computed for.
  public func isUsedOnce(_ value: ValueID) -> Bool { rewriter.uses[value] == 1 }
  /// How often a value is read.
  public func useCount(_ value: ValueID) -> Int { rewriter.uses[value] }

  /// Adds a node of the right side, and gives its results.
  public func add(_ op: some Operator, _ inputs: [ValueID?], outputs: Int = 1) throws -> [ValueID] {
    try rewriter.builder.add(op, inputs, outputs: outputs)
  }
  /// Adds a node with one result.
  public func add1(_ op: some Operator, _ inputs: [ValueID?]) throws -> ValueID {
    try rewriter.builder.add(op, inputs, outputs: 1)[0]
  }
  /// Adds a constant.
  public func constant(_ tensor: HostTensor, named name: String = "") -> ValueID {
    rewriter.builder.constant(tensor, named: name)
  }
  /// Access for what adds nodes through a builder, such as an operator's expansion.
  public func build<R>(_ body: (inout GraphBuilder) throws -> R) rethrows -> R { try body(&rewriter.builder) }
}
