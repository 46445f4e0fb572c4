import SinterCore
import SinterIR
import SinterOps

/// One walk back over the nodes of a path.
struct ReverseMode {
  let tape: GradientTape
  let path: Path
  /// What each value's users have handed to it.
  private var parts: [ValueID: [GradientTensor]] = [:]
  /// Values that are the same in all iterations of a repetition, whose graph this one is. Products of an iteration's rows with them hand them nothing: what
  /// they would is noted in `gathered`, for one product over the rows of all iterations.
  var constantInIterations: Set<ValueID> = []
  private(set) var gathered: [GatheredProduct] = []
  /// What is computed again instead of being read.
  var recomputation: Recomputation?

  init(tape: GradientTape, path: Path) {
    self.tape = tape
    self.path = path
  }

  /// - Parameter targets: what is differentiated, each with the gradient of what is computed from it.
  /// - Returns: the gradient of each value, nil where none flows to it.
  mutating func run(
    _ targets: [(value: ValueID, seed: GradientTensor)], _ values: [ValueID]
  ) throws -> [GradientTensor?] {
    let origin = tape.builder.origin
    defer { tape.builder.origin = origin }
    for target in targets { parts[target.value, default: []].append(target.seed) }
    var problems: [Diagnostic] = []
    for id in path.nodes.reversed() {
      let node = tape.builder.graph.nodes[id]
      let gradients = try node.outputs.map { try gradient(of: $0) }
      guard gradients.contains(where: { $0 != nil }) else { continue }
      do {
        let seen = try recomputation?.twin(of: id, in: tape) ?? id
        let inputs = tape.builder.graph.nodes[seen].inputs
        tape.builder.origin = node.origin
        for (index, gradient) in try inputGradients(of: seen, gradients).enumerated() where index < inputs.count {
          guard let gradient, let read = inputs[index] else { continue }
          let input = original(of: read)
          guard path.depends(input) else { continue }
          let (own, type) = (GradientTensor(input, tape), try gradient.type)
          guard try type.element == own.element, try type.rank == own.rank else {
            throw DiagnosticError(
              .bug, "gradient.shape", "the gradient of input \(index) is \(type), but the input is \(try own.type)")
          }
          parts[input, default: []].append(gradient)
        }
      } catch let error as DiagnosticError {
        let name = Swift.type(of: node.op).name
        problems += error.located(op: name, origin: node.origin).diagnostics
      }
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    tape.builder.origin = origin
    return try values.map { try gradient(of: $0) }
  }

  /// What a node's rule hands to its inputs.
  private mutating func inputGradients(
    of id: NodeID, _ outputGradients: [GradientTensor?]
  ) throws -> [GradientTensor?] {
    let node = tape.builder.graph.nodes[id]
    var wanted = node.inputs.map { $0.map { path.depends(original(of: $0)) } ?? false }
    switch node.op {
    case let scan as Scan: return try gradients(through: scan, id, wanted, outputGradients)
    case let loop as Loop: return try gradients(through: loop, id, wanted, outputGradients)
    case is If: return try gradientsThroughIf(id, wanted, outputGradients)
    default: break
    }
    guard let rule = node.op as? any Differentiable else {
      throw DiagnosticError(
        .limit, "gradient.operator", "the operator has no gradient",
        hint: "put a stopGradient() before it, or give a gradient of your own: conform the operator to Differentiable")
    }
    if let product = try GatheredProduct(node, constantInIterations, outputGradients, tape), wanted[1] {
      gathered.append(product)
      wanted[1] = false
      if !wanted.contains(true) { return [] }
    }
    return try rule.gradients(GradientNode(id, of: tape, outputGradients, wanted: wanted))
  }

  /// The value that a node's input stands for where it is computed again.
  private func original(of value: ValueID) -> ValueID { recomputation?.original(of: value) ?? value }

  /// The sum of what users have handed to a value; nil where there is nothing.
  private mutating func gradient(of value: ValueID) throws -> GradientTensor? {
    guard let given = parts[value], let first = given.first else { return nil }
    if given.count == 1 { return first }
    let sum = try tape.add(Variadic(.sum), given)[0]
    parts[value] = [sum]
    return sum
  }
}

extension GradientNode {
  /// A node of the tape's graph.
  init(_ id: NodeID, of tape: GradientTape, _ outputGradients: [GradientTensor?], wanted: [Bool]) {
    let node = tape.builder.graph.nodes[id]
    self.init(
      inputs: node.inputs.map { $0.map { GradientTensor($0, tape) } },
      outputs: node.outputs.map { GradientTensor($0, tape) }, outputGradients: outputGradients,
      facts: tape.builder.graph.inputs(of: id), tape: tape, wanted: wanted)
  }
}
