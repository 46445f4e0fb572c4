import SinterCore
import SinterIR

/// An LSTM whose output is a smaller vector, a product with the cell's own output, and that reads this one back: PyTorch's `proj_size`.
///
/// Gates in ONNX's order: input, output, forget, cell. Inputs: X [steps, batch, inputs], W [directions, 4 · hidden, inputs], R [directions,
/// 4 · hidden, projected], B [directions, 8 · hidden], the lengths of sequences [batch], the first output [directions, batch, projected], the first
/// state of the cell [directions, batch, hidden], and the projection [directions, projected, hidden]; B to the states may be absent. Results: all
/// outputs [steps, directions, batch, projected], the last output and the last state of the cell.
///
/// ONNX has no such operator: it is written as its expansion, a Scan for each direction.
public struct ProjectedLSTM: Composite {
  public static let name = "ProjectedLSTM"
  public static let summary = "LSTM over a sequence whose output is projected to a smaller vector."

  var recurrence = Recurrence()

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { recurrence.attributes(&list) }

  private func check(_ inputs: NodeInputs, _ obligations: inout Obligations) throws {
    let (x, w, r) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    let projection = try inputs.tensor(7)
    guard x.rank == 3, w.rank == 3, r.rank == 3, projection.rank == 3 else {
      throw DiagnosticError(
        .user, "projected.rank",
        "X, W, R and the projection must have 3 axes, but are \(x), \(w), \(r) and \(projection)")
    }
    guard recurrence.layout == 0 else {
      throw DiagnosticError(.user, "projected.layout", "layout must be 0, but is \(recurrence.layout)")
    }
    let (d, batch, width) = (Dim(recurrence.directions), x.shape[1], r.shape[2])
    var hidden = projection.shape[2]
    if let given = recurrence.hiddenSize {
      hidden = try obligations.equal(
        hidden, Dim(given), "elements of a state in the projection \(projection) and hidden_size")
    }
    func match(_ index: Int, _ name: String, _ shape: [Dim]) throws {
      guard inputs.has(index) else { return }
      let type = try inputs.tensor(index)
      guard type.rank == shape.count else {
        throw DiagnosticError(.user, "projected.shape", "\(name) must be \(Broadcast.list(shape)), but is \(type)")
      }
      _ = try obligations.equal(
        type.shape, shape, "sizes of \(name) \(type) and those needed, \(Broadcast.list(shape)),")
    }
    try match(1, "W", [d, hidden * 4, x.shape[2]])
    try match(2, "R", [d, hidden * 4, width])
    try match(3, "B", [d, hidden * 8])
    try match(4, "the lengths", [batch])
    try match(5, "the first output", [d, batch, width])
    try match(6, "the first state", [d, batch, hidden])
    try match(7, "the projection", [d, width, hidden])
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { try check(inputs, &$0) }
    func projection(_ direction: Int, _ tape: GradientTape) throws -> GradientTensor {
      let all = GradientTensor(try inputs.value(7), tape)
      let own = recurrence.directions == 1 ? all : try all.split(into: 2, along: 0)[direction]
      return try own.squeezed([0]).transposed([1, 0])
    }
    return try recurrence.expand(
      inputs, into: &builder, name: Self.name, gates: 4, states: 2, standard: [.sigmoid, .tanh, .tanh],
      widths: { weights, extras in [try weights.size(1), try extras[0].size(0)] },
      extras: { direction, tape in [try projection(direction, tape)] }
    ) { cell in
      let gates = try (cell.projected + cell.product(cell.states[0])).split(into: 4, along: 1)
      let next =
        try cell.activation(0, gates[2]) * cell.states[1] + cell.activation(0, gates[0]) * cell.activation(1, gates[3])
      let output = try cell.activation(0, gates[1]) * cell.functions[2].applied(to: next)
      return [try output.applying(MatMul(), cell.extras[0]), next]
    }
  }

  public static var examples: [OperatorExample] {
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    var both = ProjectedLSTM()
    both.recurrence.direction = .bidirectional
    return [
      OperatorExample(
        ProjectedLSTM(),
        [
          random(["t", "b", 3]), random([1, 20, 3]), random([1, 20, 2]), random([1, 40]), .absent, .absent, .absent,
          random([1, 2, 5]),
        ], outputs: 3, sizes: [Symbol("t"): 4, Symbol("b"): 2]),
      OperatorExample(
        both,
        [
          random([3, 2, 3]), random([2, 16, 3]), random([2, 16, 3]), .absent,
          .given(HostTensor(.i32, [2], values: [Int32](arrayLiteral: 3, 1))), random([2, 2, 3]), random([2, 2, 4]),
          random([2, 3, 4]),
        ], outputs: 3),
    ]
  }
}
