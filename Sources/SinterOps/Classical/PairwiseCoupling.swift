import SinterCore
import SinterForms
import SinterIR

/// The probabilities of classes whose pairs' probabilities are known, after T.-F. Wu, C.-J. Lin and R. C. Weng, "Probability Estimates for
/// Multi-class Classification by Pairwise Coupling", section 4: the p that minimizes Σ (r_ji p_i − r_ij p_j)² over pairs.
///
/// The input has a column for each pair i < j with the probability that a row of one of both is of class i. The least p is approached from equal
/// ones, one class after another, for at most a hundred rounds; a row is done when it changes no more.
public struct PairwiseCoupling: Primitive {
  public static let name = "PairwiseCoupling"
  public static let summary = "Probabilities of classes from those of their pairs."

  /// The number of classes, at least 2; the input has a column for each pair of them.
  public var classCount = 2

  public init() {}
  /// The coupling of the pairs of so many classes.
  public init(classCount: Int) { self.classCount = classCount }

  public mutating func attributes(_ list: inout some AttributeList) { list.int("classes", &classCount, default: 2) }

  private var pairCount: Int { classCount * (classCount - 1) / 2 }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.rank == 2, x.element == .f32, classCount > 1 else {
      throw DiagnosticError(
        .user, "coupling.input", "the input must have f32 rows, for at least two classes, but is \(x) for \(classCount)"
      )
    }
    try obligations.equal(x.shape[1], Dim(pairCount), "number of pairs of \(classCount) classes in \(x)")
    return [Fact(.f32, [x.shape[0], Dim(classCount)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let pairs = try node.input(0)
    let (rows, classes) = (pairs.shape[0], Dim(classCount))
    let q = try matrix(pairs, into: &lowering)
    let start = try lowering.element([rows, classes]) { builder, _ in builder.constant(1 / Double(classCount), .f32) }
    let isOpen = try lowering.element([]) { builder, _ in builder.bool(true) }
    let numbers = lowering.constant(.i64([classCount], Array(0..<classCount)))
    var changes = RepetitionChanges()
    changes.condition = 1
    changes.iterations = lowering.freshSize()
    let (final, _) = try lowering.repetition(
      count: 100, carried: [start, isOpen], as: [start.type, isOpen.type], sliced: [], &changes
    ) { lowering, current, _, _ in
      let p = current[0]
      let products = try lowering.reduce(.sum, [rows, classes], over: [classes]) { builder, index, inner in
        builder.load(q.id, [index[0], index[1], inner[0]]) * builder.load(p.id, [index[0], inner[0]])
      }
      let whole = try lowering.reduce(.sum, [rows], over: [classes]) { builder, index, inner in
        builder.load(p.id, [index[0], inner[0]]) * builder.load(products.id, [index[0], inner[0]])
      }
      let limit = 0.005 / Double(classCount)
      let isDone = try lowering.reduce(.and, [rows], over: [classes]) { builder, index, inner in
        (builder.load(products.id, [index[0], inner[0]]) - builder.load(whole.id, [index[0]])).unary(.abs) < limit
      }
      let (next, _) = try lowering.repetition(count: classes, carried: [p, products, whole], sliced: [numbers]) {
        lowering, state, slices in
        (try round(state, of: slices[0], q, into: &lowering), [])
      }
      let kept = try lowering.element([rows, classes]) { builder, index in
        builder.select(builder.load(isDone.id, [index[0]]), builder.load(p.id, index), builder.load(next[0].id, index))
      }
      let mayChange = try lowering.reduce(.or, [], over: [rows]) { builder, _, inner in
        !builder.load(isDone.id, inner)
      }
      return ([kept, mayChange], [])
    }
    return [final[0]]
  }

  /// Q: the sum of the squares of r_ji over j at (i, i), −r_ji · r_ij at (i, j).
  private func matrix(_ pairs: Operand, into lowering: inout Lowering) throws -> Operand {
    let (rows, classes) = (pairs.shape[0], Dim(classCount))
    // Pair i < j is column i · (2n − i − 1) / 2 + j − i − 1.
    let columns = (0..<classCount).flatMap { i in
      (0..<classCount).map { j in
        let (low, high) = (min(i, j), max(i, j))
        return i == j ? 0 : low * (2 * classCount - low - 1) / 2 + high - low - 1
      }
    }
    let table = lowering.constant(.i64([classCount, classCount], columns))
    /// The probability of i where only i and j are.
    func r(_ builder: BodyBuilder, _ row: Expr, _ i: Expr, _ j: Expr) -> Expr {
      let first = builder.load(pairs.id, [row, builder.load(table.id, [i, j])])
      return builder.select(i < j, first, 1 - first)
    }
    let squares = try lowering.reduce(.sum, [rows, classes], over: [classes]) { builder, index, inner in
      let other = r(builder, index[0], inner[0], index[1])
      return builder.select(inner[0] .== index[1], builder.constant(0.0, .f32), other * other)
    }
    return try lowering.element([rows, classes, classes]) { builder, index in
      builder.select(
        index[1] .== index[2], builder.load(squares.id, [index[0], index[1]]),
        -(r(builder, index[0], index[2], index[1]) * r(builder, index[0], index[1], index[2])))
    }
  }

  /// One class's probability is changed for the least sum, and all are scaled to 1. `state` holds p, Q · p and p · Q · p.
  private func round(
    _ state: [Operand], of number: Operand, _ q: Operand, into lowering: inout Lowering
  ) throws -> [Operand] {
    let (p, products, whole) = (state[0], state[1], state[2])
    let rows = whole.shape
    let difference = try lowering.element(rows) { builder, index in
      let t = builder.load(number.id, [])
      return (builder.load(whole.id, index) - builder.load(products.id, [index[0], t]))
        / builder.load(q.id, [index[0], t, t])
    }
    let nextWhole = try lowering.element(rows) { builder, index in
      let t = builder.load(number.id, [])
      let d = builder.load(difference.id, index)
      let added = d * (d * builder.load(q.id, [index[0], t, t]) + builder.load(products.id, [index[0], t]) * 2)
      return (builder.load(whole.id, index) + added) / (d + 1) / (d + 1)
    }
    let nextProducts = try lowering.element(products.shape) { builder, index in
      let d = builder.load(difference.id, [index[0]])
      let t = builder.load(number.id, [])
      return (builder.load(products.id, index) + d * builder.load(q.id, [index[0], t, index[1]])) / (d + 1)
    }
    let next = try lowering.element(p.shape) { builder, index in
      let d = builder.load(difference.id, [index[0]])
      let isOwn = index[1] .== builder.load(number.id, [])
      let own = builder.load(p.id, index)
      return builder.select(isOwn, own + d, own) / (d + 1)
    }
    return [next, nextProducts, nextWhole]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        PairwiseCoupling(classCount: 3), [.random(TensorType(.f32, ["n", 3]), 0.01...0.99)], sizes: [Symbol("n"): 6],
        tolerance: 1e-4),
      OperatorExample(PairwiseCoupling(), [.given(.f32([3, 1], [0.2, 0.5, 0.99]))], tolerance: 1e-4),
    ]
  }
}
