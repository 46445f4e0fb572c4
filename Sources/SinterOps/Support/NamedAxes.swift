import SinterCore
import SinterForms
import SinterIR

/// Axes that a tensor names while the model runs. Negative ones count from the end.
struct NamedAxes {
  let operand: Operand
  /// Of the shape that they belong to.
  let rank: Int
  /// How many are named.
  let count: Int

  init(_ operand: Operand, rank: Int) {
    self.operand = operand
    self.rank = rank
    count = operand.type.count.value ?? 0
  }

  /// The number of an axis as it is given.
  private func entry(_ builder: BodyBuilder, _ k: Int) -> Expr {
    builder.load(operand.id, operand.shape.map { _ in builder.constant(k, .i64) }).cast(to: .i64)
  }

  /// Whether an entry is a certain axis.
  func isAxis(_ builder: BodyBuilder, _ k: Int, _ axis: Int) -> Expr {
    let entry = entry(builder, k)
    return (entry .== builder.constant(axis, .i64)) || (entry .== builder.constant(axis - rank, .i64))
  }

  /// Whether an axis is named.
  func names(_ builder: BodyBuilder, _ axis: Int) -> Expr {
    (0..<count).reduce(builder.bool(false)) { $0 || isAxis(builder, $1, axis) }
  }

  /// How many axes before one are not named.
  func countOfOthers(_ builder: BodyBuilder, before axis: Int) -> Expr {
    (0..<axis).reduce(builder.constant(0, .i64)) { sum, other in
      sum + builder.select(names(builder, other), builder.constant(0, .i64), builder.constant(1, .i64))
    }
  }

  /// Whether each entry is an axis; and no axis is named twice, unless that `mayRepeat`.
  func areRight(_ builder: BodyBuilder, mayRepeat: Bool) -> Expr {
    let named = (0..<rank).reduce(builder.constant(0, .i64)) { sum, axis in
      let entries = (0..<count).map { isAxis(builder, $0, axis) }
      let times = entries.reduce(builder.constant(0, .i64)) { sum, isHere in
        sum + builder.select(isHere, builder.constant(1, .i64), builder.constant(0, .i64))
      }
      return sum + (mayRepeat ? times : times.minimum(builder.constant(1, .i64)))
    }
    return named .== builder.constant(count, .i64)
  }
}

extension NodeInputs {
  /// How many axes an input names that is known only at run time.
  func countOfAxes(_ index: Int, rank: Int) throws -> Int {
    let type = try indices(index)
    guard type.rank <= 1, let count = type.count.value else {
      throw DiagnosticError(
        .limit, "operator.dynamic", "how many axes input \(index) names must be known ahead of time, but it is \(type)",
        hint: "make it a constant")
    }
    guard (0...rank).contains(count) else {
      throw DiagnosticError(.user, "operator.axes", "input \(index) names \(count) of \(rank) axes")
    }
    return count
  }
}

extension Lowering {
  /// Makes those sizes of a result known that only data determine. A negative one is an error.
  ///
  /// - Parameters:
  ///   - what: what the sizes are of, as in `size 1 of WHAT would be -3`.
  ///   - build: the size of an axis, as i64.
  mutating func defineSizes(
    _ shape: [Dim], of what: String, _ build: (BodyBuilder, _ axis: Int) throws -> Expr
  ) throws {
    for (axis, size) in shape.enumerated() {
      guard let symbol = size.symbol, symbol.isFromData, !knows(symbol) else { continue }
      let value = try element([]) { builder, _ in try build(builder, axis) }
      define(symbol, as: value, "size \(axis) of \(what)")
    }
  }
}
