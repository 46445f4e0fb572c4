import SinterCore

/// Sequences of different lengths as one tensor, and their lengths: what recurrent layers take as `lengths:`.
///
/// - Parameters:
///   - sequences: [steps, …], which agree in type and in all sizes but the first.
///   - batchFirst: whether the result is [batch, steps, …] instead of [steps, batch, …]; PyTorch's default is the latter.
///   - value: what stands behind the end of a sequence.
/// - Throws: the sequences that do not fit the first.
public func padSequence(
  _ sequences: [HostTensor], batchFirst: Bool = false, value: Double = 0
) throws -> (tensor: HostTensor, lengths: HostTensor) {
  guard let first = sequences.first else {
    throw DiagnosticError(.user, "sequences.count", "no sequences are given, but at least one is needed")
  }
  let inner = Array(first.shape.dropFirst())
  var problems: [Diagnostic] = []
  for (index, sequence) in sequences.enumerated() {
    if let problem = sequence.problem {
      problems.append(Diagnostic(.user, "sequences.contents", "sequence \(index): \(problem)"))
    } else if sequence.rank == 0 || sequence.element != first.element || Array(sequence.shape.dropFirst()) != inner
      || sequence.doubles == nil
    {
      problems.append(
        Diagnostic(
          .user, "sequences.type", "sequence \(index) is \(sequence.type), but the first one is \(first.type)",
          hint: "sequences of numbers may differ in their first size only"))
    }
  }
  if !problems.isEmpty { throw DiagnosticError(problems) }
  let steps = sequences.map { $0.shape[0] }.max() ?? 0, count = sequences.count
  let row = inner.reduce(1, *)
  var numbers = [Double](repeating: value, count: steps * count * row)
  for (index, sequence) in sequences.enumerated() {
    for (place, number) in (sequence.doubles ?? []).enumerated() {
      let step = place / Swift.max(1, row)
      let start = batchFirst ? index * steps + step : step * count + index
      numbers[start * row + place % Swift.max(1, row)] = number
    }
  }
  return (
    HostTensor(first.element, (batchFirst ? [count, steps] : [steps, count]) + inner, doubles: numbers),
    .i64([count], sequences.map { $0.shape[0] })
  )
}
