import SinterCore

/// Builds a body. Expressions that are equal are built once, and what can be computed while building is (see `BodyBuilder+Simplify`).
public final class BodyBuilder {
  package private(set) var exprs: [Body.Expr] = []
  private var known: [Body.Expr: ExprID] = [:]
  /// The first mistake in using this builder: mixed types, say. Whoever asked for the body reports it.
  package private(set) var problem: String?
  /// Element types of the values that bodies load from.
  private let elementType: (FormValueID) -> ElementType

  /// A result that an operator rounded to 16 bits, and that is widened at once, keeps its bits: what is fused computes in f32 throughout.
  /// A conversion that a model asks for rounds all the same (see `Expr.rounded(to:)`).
  let widensExactly: Bool

  /// Of a value that stores in a wider type what a narrower one has: the narrower one.
  let storedWide: (FormValueID) -> ElementType?

  package init(
    widensExactly: Bool = false, storedWide: @escaping (FormValueID) -> ElementType? = { _ in nil },
    elementType: @escaping (FormValueID) -> ElementType
  ) {
    self.widensExactly = widensExactly
    self.storedWide = storedWide
    self.elementType = elementType
  }

  package func append(_ node: ExprNode, _ type: ElementType) -> Expr {
    let expr = Body.Expr(node: node, type: type)
    if let id = known[expr] { return Expr(id: id, type: type, builder: self) }
    let id = ExprID(exprs.count)
    exprs.append(expr)
    known[expr] = id
    return Expr(id: id, type: type, builder: self)
  }

  func fail(_ message: String) {
    if problem == nil { problem = message }
  }

  /// The finished body, without what no result needs.
  package func body(_ results: [Expr]) -> Body {
    Body(exprs: exprs, results: results.map(\.id)).pruned()
  }

  // MARK: Leaves

  /// A number in a type; an integer type gets its whole part, which must fit into 64 bits.
  public func constant(_ value: Double, _ type: ElementType) -> Expr {
    type.isFloat ? append(.constant(.float(value)), type) : append(.constant(.int(Int64(value))), type)
  }

  /// An integer in a type of integers or floats.
  public func constant(_ value: Int, _ type: ElementType) -> Expr {
    type.isFloat ? append(.constant(.float(Double(value))), type) : append(.constant(.int(Int64(value))), type)
  }

  /// A scalar in a type of its kind.
  public func constant(_ scalar: Scalar, _ type: ElementType) -> Expr { append(.constant(scalar), type) }

  public func bool(_ value: Bool) -> Expr { append(.constant(.bool(value)), .bool) }

  /// The place along axis `n` at which the body computes; i64.
  public func axis(_ n: Int) -> Expr { append(.axis(n), .i64) }

  /// A size as an i64.
  public func size(_ dim: Dim) -> Expr {
    if let value = dim.value { return constant(value, .i64) }
    return append(.size(dim), .i64)
  }

  /// An element of a value. `indices` are i64, one per axis; where `condition` is false the result is `otherwise` and nothing is read.
  public func load(
    _ value: FormValueID, _ indices: [Expr], where condition: Expr? = nil, otherwise: Scalar? = nil
  ) -> Expr {
    let type = elementType(value)
    return append(
      .load(
        value, indices.map(\.id), condition: condition?.id, otherwise: otherwise ?? (type.isFloat ? .float(0) : .int(0))
      ),
      type)
  }

  /// What the form has gathered so far, such as its sum; only in bodies that come behind it.
  public func accumulator(_ n: Int = 0, _ type: ElementType) -> Expr { append(.accumulator(n), type) }

  /// `a` where the condition holds, else `b`, which must have one type; both are computed.
  public func select(_ condition: Expr, _ a: Expr, _ b: Expr) -> Expr {
    if condition.type != .bool || a.type != b.type { fail("select of \(condition.type), \(a.type), \(b.type)") }
    return simplified(.select(condition.id, a.id, b.id), a.type)
  }

  package subscript(id: ExprID) -> Body.Expr { exprs[id.position] }

  /// All the expressions of another body, its axes and loads replaced; gives its results. Used to fuse a producer into a consumer, where
  /// `axes` are the consumer's indices.
  ///
  /// - Parameter condition: where it does not hold, nothing is read, no check fails, and the results may be anything.
  package func inline(
    _ body: Body, axes: [Expr], accumulators: [Expr] = [], where condition: Expr? = nil,
    load replacement: ((FormValueID, [Expr], Expr?, Scalar) -> Expr?)? = nil
  ) -> [Expr] {
    var map: [ExprID] = []
    map.reserveCapacity(body.exprs.count)
    func expr(_ id: ExprID) -> Expr { Expr(id: map[id.position], type: self[map[id.position]].type, builder: self) }
    for item in body.exprs {
      switch item.node {
      case .axis(let n): map.append(axes[n].id)
      case .accumulator(let n) where n < accumulators.count: map.append(accumulators[n].id)
      case .load(let value, let indices, let own, let otherwise):
        let mapped = indices.map(expr)
        let guardExpr = own.map { id in condition.map { $0 && expr(id) } ?? expr(id) } ?? condition
        if let replaced = replacement?(value, mapped, guardExpr, otherwise) {
          map.append(replaced.id)
        } else {
          map.append(
            append(.load(value, mapped.map(\.id), condition: guardExpr?.id, otherwise: otherwise), item.type).id)
        }
      case .checked(let a, let bound, let error):
        guard let condition else {
          map.append(append(.checked(map[a.position], below: map[bound.position], error: error), item.type).id)
          continue
        }
        let value = select(condition, expr(a), constant(0, item.type))
        let limit = select(condition, expr(bound), constant(1, item.type))
        map.append(value.checked(below: limit, error: error).id)
      case .constant, .size, .accumulator, .unary, .binary, .compare, .select, .cast, .bitcast:
        map.append(simplified(item.node.mapArguments { map[$0.position] }, item.type).id)
      }
    }
    return body.results.map(expr)
  }
}

/// A scalar being built; arithmetic on it adds to its builder's body.
public struct Expr {
  /// The expression in the builder's body.
  public let id: ExprID
  /// The type of its value.
  public let type: ElementType
  package let builder: BodyBuilder

  package init(id: ExprID, type: ElementType, builder: BodyBuilder) {
    self.id = id
    self.type = type
    self.builder = builder
  }

  private func binary(_ function: BinaryFunction, _ other: Expr) -> Expr {
    if type != other.type { builder.fail("\(function.rawValue) of \(type) and \(other.type)") }
    return builder.simplified(.binary(function, id, other.id), type)
  }

  private func compare(_ comparison: Comparison, _ other: Expr) -> Expr {
    if type != other.type { builder.fail("\(comparison.rawValue) of \(type) and \(other.type)") }
    return builder.simplified(.compare(comparison, id, other.id), .bool)
  }

  /// A function of the value, in its own type; truth for `isNaN`.
  public func unary(_ function: UnaryFunction) -> Expr {
    builder.simplified(.unary(function, id), function == .isNaN ? .bool : type)
  }

  /// A function of the value and another one of the same type.
  public func applying(_ function: BinaryFunction, _ other: Expr) -> Expr { binary(function, other) }
  /// Whether the value compares so with another one of the same type.
  public func comparing(_ comparison: Comparison, _ other: Expr) -> Expr { compare(comparison, other) }

  /// The value converted to another type; itself where it has that type.
  public func cast(to type: ElementType) -> Expr {
    type == self.type ? self : builder.simplified(.cast(id), type)
  }

  /// The value converted to f16 or bf16 such that it stays rounded, whatever it is fused with.
  package func rounded(to type: ElementType) -> Expr { cast(to: type).bitcast(to: .u16).bitcast(to: type) }

  /// The same bits as a value of another type of the same width.
  public func bitcast(to type: ElementType) -> Expr {
    type == self.type ? self : builder.append(.bitcast(id), type)
  }

  /// Itself, checked to lie in 0 ..< bound at run time; otherwise error `number` of the program is reported.
  public func checked(below bound: Expr, error number: Int) -> Expr {
    builder.append(.checked(id, below: bound.id, error: number), type)
  }

  /// The sum. Both have one type, here as in all arithmetic below; integers wrap around.
  public static func + (a: Expr, b: Expr) -> Expr { a.binary(.add, b) }
  /// The difference. Integers wrap around.
  public static func - (a: Expr, b: Expr) -> Expr { a.binary(.subtract, b) }
  /// The product. Integers wrap around.
  public static func * (a: Expr, b: Expr) -> Expr { a.binary(.multiply, b) }
  /// The quotient: of floats as IEEE 754 has it, of integers rounded toward zero, and zero where the divisor is zero.
  public static func / (a: Expr, b: Expr) -> Expr { a.binary(.divide, b) }
  /// The value with the other sign.
  public static prefix func - (a: Expr) -> Expr { a.unary(.negate) }
  /// The bits of an integer inverted; of a truth value, its opposite.
  public static prefix func ! (a: Expr) -> Expr { a.unary(.not) }
  /// The bits that both integers have set; of truth values, whether both hold. Both sides are computed.
  public static func && (a: Expr, b: Expr) -> Expr { a.binary(.and, b) }
  /// The bits that either integer has set; of truth values, whether either holds. Both sides are computed.
  public static func || (a: Expr, b: Expr) -> Expr { a.binary(.or, b) }
  /// Whether a is less than b: a truth value, false where either is NaN.
  public static func < (a: Expr, b: Expr) -> Expr { a.compare(.less, b) }
  /// Whether a is less than b or equal to it; false where either is NaN.
  public static func <= (a: Expr, b: Expr) -> Expr { a.compare(.lessOrEqual, b) }
  /// Whether a is greater than b; false where either is NaN.
  public static func > (a: Expr, b: Expr) -> Expr { a.compare(.greater, b) }
  /// Whether a is greater than b or equal to it; false where either is NaN.
  public static func >= (a: Expr, b: Expr) -> Expr { a.compare(.greaterOrEqual, b) }
  /// Whether both are equal; false where either is NaN.
  public static func .== (a: Expr, b: Expr) -> Expr { a.compare(.equal, b) }
  /// Whether the two differ; true where either is NaN.
  public static func .!= (a: Expr, b: Expr) -> Expr { a.compare(.notEqual, b) }

  // With a number on the right, taken in the type of the left.
  /// The sum with a number, which takes the type of the value, here as below: integers get its whole part.
  public static func + (a: Expr, b: Double) -> Expr { a + a.builder.constant(b, a.type) }
  /// The value less a number.
  public static func - (a: Expr, b: Double) -> Expr { a - a.builder.constant(b, a.type) }
  /// The value times a number.
  public static func * (a: Expr, b: Double) -> Expr { a * a.builder.constant(b, a.type) }
  /// The value over a number.
  public static func / (a: Expr, b: Double) -> Expr { a / a.builder.constant(b, a.type) }
  /// A number less the value.
  public static func - (a: Double, b: Expr) -> Expr { b.builder.constant(a, b.type) - b }
  /// A number over the value.
  public static func / (a: Double, b: Expr) -> Expr { b.builder.constant(a, b.type) / b }
  /// Whether the value is less than a number.
  public static func < (a: Expr, b: Double) -> Expr { a < a.builder.constant(b, a.type) }
  /// Whether the value is at most a number.
  public static func <= (a: Expr, b: Double) -> Expr { a <= a.builder.constant(b, a.type) }
  /// Whether the value is greater than a number.
  public static func > (a: Expr, b: Double) -> Expr { a > a.builder.constant(b, a.type) }
  /// Whether the value is at least a number.
  public static func >= (a: Expr, b: Double) -> Expr { a >= a.builder.constant(b, a.type) }

  /// The quotient, rounded down.
  public func floorDivided(by b: Expr) -> Expr { binary(.floorDivide, b) }
  /// What is left of dividing, rounded down: it has the divisor's sign.
  public func modulo(_ b: Expr) -> Expr { binary(.modulo, b) }
  /// What is left of dividing, rounded to zero: it has the dividend's sign.
  public func remainder(_ b: Expr) -> Expr { binary(.remainder, b) }
  /// The value to the power of another.
  public func power(_ b: Expr) -> Expr { binary(.power, b) }
  /// The smaller of two values of one type.
  public func minimum(_ b: Expr) -> Expr { binary(.minimum, b) }
  /// The larger of two values of one type.
  public func maximum(_ b: Expr) -> Expr { binary(.maximum, b) }
  /// The value, held between two bounds.
  public func clamped(_ low: Expr, _ high: Expr) -> Expr { maximum(low).minimum(high) }
}
