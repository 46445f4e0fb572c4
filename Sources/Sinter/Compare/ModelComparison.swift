import SinterCore
import SinterIR

/// Two ways to compute a model, value by value: where they part first, and by how much.
package struct ModelComparison {
  /// One side: values by name, for given inputs.
  package struct Side {
    package var name: String
    /// Names of what can be asked for, in the order of computation.
    package var names: [String]
    package var outputs: [String]
    /// The values of these names; nil for one that this side does not have after all.
    package var values: (_ names: [String]) throws -> [HostTensor?]

    package init(
      name: String, names: [String], outputs: [String], values: @escaping (_ names: [String]) throws -> [HostTensor?]
    ) {
      self.name = name
      self.names = names
      self.outputs = outputs
      self.values = values
    }

    /// A graph, computed as it is.
    package init(name: String, _ graph: Graph, by engine: GraphEngine, on inputs: [HostTensor]) {
      let results = graph.namedResults
      var known = Dictionary(results.map { ($0.name, $0.value) }) { first, _ in first }
      // An output's own name counts, whatever its value is called.
      for port in graph.outputs { known[port.name] = port.value }
      let ids = known
      self.init(name: name, names: results.map(\.name), outputs: graph.outputs.map(\.name)) { names in
        func run(_ graph: Graph) throws -> [HostTensor] {
          do {
            return try engine.run(graph, inputs)
          } catch let error as DiagnosticError {
            throw error.located(at: name)
          }
        }
        // As the graph is where nothing but its outputs is asked for.
        if names == graph.outputs.map(\.name) { return try run(graph) }
        let found = names.map { ids[$0] }
        let given = try run(graph.giving(found.compactMap { $0 }))
        var next = given.makeIterator()
        return found.map { $0 == nil ? nil : next.next() }
      }
    }
  }

  /// A value that both sides have.
  package struct Row: Sendable {
    package var name: String
    package var difference: TensorDifference
    package var element: ElementType
  }

  package private(set) var outputs: [Row] = []
  /// Outputs that only one side has or gave a value of, and which side that is not.
  package private(set) var notCompared: [(name: String, missing: String)] = []
  /// In the order of the first side's computation.
  package private(set) var values: [Row] = []
  /// Share of the greatest magnitude; nil: what the type allows.
  package var tolerance: Double?

  /// Compares outputs by name, or where names differ and numbers agree by position; then all values between that both sides have.
  package init(_ first: Side, _ second: Side, tolerance: Double? = nil) throws {
    self.tolerance = tolerance
    let isByPosition =
      Set(first.outputs).isDisjoint(with: second.outputs) && first.outputs.count == second.outputs.count
    let (theirs, ours) = (Set(second.outputs), first.outputs)
    let shared = isByPosition ? ours : ours.filter { theirs.contains($0) }
    guard !shared.isEmpty else {
      throw DiagnosticError(
        .user, "diff.outputs", "no output of \(first.name) has the name of one of \(second.name)",
        hint: "outputs are \(ours.joined(separator: ", ")) and \(second.outputs.joined(separator: ", "))")
    }
    // Asked for as a whole, so that what runs is what would run otherwise.
    let (a, b) = (try first.values(ours), try second.values(second.outputs))
    for (at, name) in ours.enumerated() {
      guard let x = a[at] else {
        notCompared.append((name, first.name))
        continue
      }
      guard let other = isByPosition ? at : second.outputs.firstIndex(of: name), let y = b[other] else {
        notCompared.append((name, second.name))
        continue
      }
      outputs.append(Row(name: name, difference: TensorDifference(x, y), element: x.element))
    }
    if !isByPosition {
      let known = Set(ours)
      notCompared += second.outputs.filter { !known.contains($0) }.map { ($0, first.name) }
    }
    let known = Set(second.names)
    var seen: Set<String> = []
    let between = first.names.filter { known.contains($0) && seen.insert($0).inserted }
    if between.isEmpty { return }
    let (x, y) = (try first.values(between), try second.values(between))
    values = between.indices.compactMap { index in
      guard let a = x[index], let b = y[index] else { return nil }
      return Row(name: between[index], difference: TensorDifference(a, b), element: a.element)
    }
  }

  package func differs(_ row: Row) -> Bool {
    row.difference.exceeds(tolerance ?? TensorDifference.tolerance(of: row.element))
  }

  /// The first value between that is not the same.
  package var firstDifference: Row? { values.first(where: differs) }
  package var outputsAgree: Bool { !outputs.contains(where: differs) }
}
