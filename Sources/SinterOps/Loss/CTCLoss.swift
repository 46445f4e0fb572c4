import SinterCore
import SinterIR

/// The negative logarithm of the probability of each sequence of labels, summed over all ways in which steps can spell it: a way has a label or a blank at
/// each step, and spells what is left when repeats and then blanks are dropped (Graves et al., 2006).
///
/// Inputs: logarithmic probabilities [steps, n, classes], labels [n, most labels], how many steps of each sequence count [n], how many labels [n]. Labels
/// behind their number may be anything. Result: [n], infinite where no way spells the labels.
public struct CTCLoss: Composite {
  public static let name = "CTCLoss"
  public static let summary = "The negative logarithm of the probability that steps spell labels, between blanks."

  /// The class that stands between labels.
  public var blank = 0

  /// In place of the logarithm of 0, so that no gradient is NaN. Narrow floats do not hold it: they are computed in f32.
  private static let impossible = -1e30

  public init() {}
  /// The loss whose blank is this class.
  public init(blank: Int) { self.blank = blank }

  public mutating func attributes(_ list: inout some AttributeList) { list.int("blank", &blank, default: 0) }

  public func expand(_ given: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let (x, own, steps, counts) = (
      try given.tensor(0), try given.indices(1), try given.indices(2), try given.indices(3)
    )
    guard x.element.isFloat, x.rank == 3, own.rank == 2, steps.rank == 1, counts.rank == 1 else {
      throw DiagnosticError(
        .user, "ctc.shape",
        "probabilities must be floats [steps, n, classes], labels [n, most] and both lengths [n], but are"
          + " \(x), \(own), \(steps) and \(counts)")
    }
    if blank < 0 || x.shape[2].value.map({ blank >= $0 }) ?? false {
      throw DiagnosticError(.user, "ctc.blank", "the blank \(blank) lies outside of \(x.shape[2]) classes")
    }
    try builder.require(by: Self.name) { obligations in
      for (type, what) in [(own, "labels"), (steps, "lengths"), (counts, "numbers of labels")] {
        try obligations.equal(x.shape[1], type.shape[0], "numbers of sequences of probabilities and of \(what)")
      }
    }
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    func input(_ index: Int) throws -> GradientTensor { GradientTensor(try given.value(index), tape) }
    let compute = x.element == .f64 ? ElementType.f64 : .f32
    let probabilities = try x.element == compute ? input(0) : input(0).cast(to: compute)
    let (lengths, labelCounts) = (try input(2).cast(to: .i64), try input(3).cast(to: .i64).unsqueezed([1]))
    let places = try labels(input(1).cast(to: .i64), labelCounts)

    // What each step gives to each place: [steps, n, places].
    let sizes = try [probabilities.size(0), places.size(0), places.size(1)]
    var along = GatherElements()
    along.axis = 2
    let indices = try places.unsqueezed([0]).applying(Expand(), tape.add(Concat(axis: 0), sizes)[0])
    let given = try probabilities.applying(along, indices)
      .applying(Clip(), probabilities.number(Self.impossible))

    // From a label one comes to the next one at once, unless they are equal; from a blank never to the blank behind.
    let first = try places.applying(Slice(), places.integers([0]), places.integers([1]), places.integers([1]))
    let twoBefore = try Self.shifted(places, filling: first, by: 2)
    let leap = try places.compare(.equal, twoBefore).applying(
      Where(), probabilities.number(Self.impossible), probabilities.number(0))
    // Before the first step, only what comes before the first blank can be.
    let position = try places.positions(along: 1)
    let start = try position.compare(.equal, 0).applying(
      Where(), probabilities.number(0), probabilities.number(Self.impossible))
    let none = try probabilities.zeros(sizes: [places.size(0), places.size(1)])
    let times = try probabilities.positions(along: 0)

    var scan = Scan()
    (scan.stateCount, scan.slicedCount) = (1, 2)
    let reached = GradientTensor(
      try tape.builder.add(
        scan, [(start + none).id, given.id, times.id, leap.id, lengths.id], outputs: 1,
        bodies: [iteration(none.type, times.element, leap, lengths)])[0], tape)

    // The last label or the blank behind it.
    let end = try labelCounts * 2
    let isEnd =
      try position.compare(.equal, end).cast(to: compute) + position.compare(.equal, end - 1).cast(to: compute)
    let ends = try isEnd.compare(.greater, 0.5).applying(Where(), reached, reached.number(Self.impossible))
    let greatest = try ends.applying(Reduce(.maximum, keepsAxes: true), ends.integers([1])).applying(StopGradient())
    let sum = try (ends - greatest).unary(.exp).sum([1], keepsAxes: false)
    let loss = try -(sum.unary(.log) + greatest.squeezed([1]))
    let isPossible = try loss.compare(.less, -Self.impossible / 10)
    let all = try isPossible.applying(Where(), loss, loss.number(.infinity))
    return [try x.element == compute ? all.id : all.cast(to: x.element).id]
  }

  /// The labels with blanks around each: [n, 2 · most + 1].
  private func labels(_ labels: GradientTensor, _ counts: GradientTensor) throws -> GradientTensor {
    let tape = labels.tape
    let isLabel = try labels.positions(along: 1).compare(.less, counts)
    let blanks = try labels.zeros() + Double(blank)
    let own = try isLabel.applying(Where(), labels, blanks)
    let pairs = try tape.add(Concat(axis: 2), [blanks.unsqueezed([2]), own.unsqueezed([2])])[0].flattened(
      from: 1, to: 2)
    let last = try labels.zeros(sizes: [labels.size(0), labels.integers([1])]) + Double(blank)
    return try tape.add(Concat(axis: 1), [pairs, last])[0]
  }

  /// Places along the second axis moved on, with a column in front.
  private static func shifted(_ x: GradientTensor, filling column: GradientTensor, by count: Int) throws
    -> GradientTensor
  {
    let longer = try x.tape.add(Concat(axis: 1), [GradientTensor](repeating: column, count: count) + [x])[0]
    return try longer.applying(Slice(), x.integers([0]), x.integers([-count]), x.integers([1]))
  }

  /// One step: the logarithm of the probability of all ways that have come to each place.
  private func iteration(
    _ state: TensorType, _ time: ElementType, _ leap: GradientTensor, _ lengths: GradientTensor
  ) throws -> Graph {
    let tape = GradientTape(GraphBuilder(name: "step of \(Self.name)"))
    func input(_ type: TensorType, _ name: String) -> GradientTensor {
      GradientTensor(tape.builder.input(Fact(.tensor(type)), named: name), tape)
    }
    let (before, given) = (input(state, "before"), input(state, "given"))
    let (now, leap, lengths) = (
      input(TensorType(time, []), "time"), input(try leap.type, "leap"), input(try lengths.type, "lengths")
    )
    let column = try before.zeros(sizes: [before.size(0), before.integers([1])]) + Self.impossible
    let ways = try [
      before, Self.shifted(before, filling: column, by: 1), Self.shifted(before, filling: column, by: 2) + leap,
    ]
    let greatest = try tape.add(Variadic(.maximum), ways)[0].applying(StopGradient())
    let parts = try ways.map { try ($0 - greatest).unary(.exp) }
    let next = try (parts[0] + parts[1] + parts[2]).unary(.log) + greatest + given
    let isInside = try lengths.compare(.greater, now).unsqueezed([1])
    tape.builder.output(try isInside.applying(Where(), next, before).id, named: "next")
    return tape.builder.graph
  }

  public static var examples: [OperatorExample] {
    func example(
      _ lengths: [Int], _ labels: [Int], _ counts: [Int], most: Int, blank: Int = 0, of element: ElementType = .f32
    ) -> OperatorExample {
      OperatorExample(
        CTCLoss(blank: blank),
        [
          .random(TensorType(element, ["t", "n", 4]), -3...(-0.1)), .given(.i64([counts.count, most], labels)),
          .given(.i64([counts.count], lengths)), .given(.i64([counts.count], counts)),
        ], sizes: [Symbol("t"): 6, Symbol("n"): counts.count])
    }
    return [
      example([6, 5, 4], [1, 2, 1, 3, 3, 0, 2, 0, 0], [3, 2, 1], most: 3),
      example([6, 3], [0, 1, 2, 2, 9, 9], [3, 1], most: 3, blank: 3),
      example([4], [], [0], most: 0), example([6, 3], [1, 2, 3, 3], [2, 2], most: 2, of: .f16),
    ]
  }
}
