import SinterCore

/// A value of a form program: what a form computes, an input, a constant.
public struct FormValueID: EntityIndex {
  public let rawValue: Int32
  /// The value at a position of `FormProgram.values`.
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public static var prefix: String { "%" }
}

/// An expression of a body.
public struct ExprID: EntityIndex {
  public let rawValue: Int32
  /// The expression at a position of `Body.exprs`.
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public static var prefix: String { "$" }
}

/// One scalar computation. Arguments come before their users in a body.
public enum ExprNode: Hashable, Sendable {
  case constant(Scalar)
  /// The index along axis n of the space that the body runs over; i64.
  case axis(Int)
  /// A size; i64.
  case size(Dim)
  /// An element of a stored value; one i64 index per axis of it. Where `condition` is given and false, nothing is read and the
  /// result is `otherwise`; where it holds or is absent, the indices lie within the value.
  case load(FormValueID, [ExprID], condition: ExprID?, otherwise: Scalar)
  /// What the form has computed for this element, inside an epilogue; n counts the form's results.
  case accumulator(Int)
  case unary(UnaryFunction, ExprID)
  case binary(BinaryFunction, ExprID, ExprID)
  case compare(Comparison, ExprID, ExprID)
  /// Both sides are computed; loads that must not happen carry conditions of their own.
  case select(ExprID, ExprID, ExprID)
  /// Conversion by value. Float to integer truncates and saturates; to bool compares with zero.
  case cast(ExprID)
  /// The same bits as another type of the same width.
  case bitcast(ExprID)
  /// The value itself, after checking `0 <= value < bound` at run time; error `n` of the program is reported otherwise.
  case checked(ExprID, below: ExprID, error: Int)

  /// The expressions it uses.
  public var arguments: [ExprID] {
    switch self {
    case .constant, .axis, .size, .accumulator: []
    case .load(_, let indices, let condition, _): condition.map { indices + [$0] } ?? indices
    case .unary(_, let a), .cast(let a), .bitcast(let a): [a]
    case .binary(_, let a, let b), .compare(_, let a, let b), .checked(let a, let b, _): [a, b]
    case .select(let a, let b, let c): [a, b, c]
    }
  }

  /// The same with each argument replaced.
  public func mapArguments(_ map: (ExprID) -> ExprID) -> ExprNode {
    switch self {
    case .constant, .axis, .size, .accumulator: self
    case .load(let value, let indices, let condition, let otherwise):
      .load(value, indices.map(map), condition: condition.map(map), otherwise: otherwise)
    case .unary(let function, let a): .unary(function, map(a))
    case .cast(let a): .cast(map(a))
    case .bitcast(let a): .bitcast(map(a))
    case .binary(let function, let a, let b): .binary(function, map(a), map(b))
    case .compare(let comparison, let a, let b): .compare(comparison, map(a), map(b))
    case .select(let a, let b, let c): .select(map(a), map(b), map(c))
    case .checked(let a, let b, let error): .checked(map(a), below: map(b), error: error)
    }
  }
}

/// A function from an index to one or more scalars: how one element of a result is computed from elements of other values.
///
/// This is what makes fusion simple: to fuse a producer into its consumer, the consumer's load becomes the producer's body with the
/// load's indices in place of its axes.
public struct Body: Hashable, Sendable {
  /// One expression and the element type of its value.
  public struct Expr: Hashable, Sendable {
    /// What it computes, from expressions before it.
    public var node: ExprNode
    /// The element type of the result. Comparisons have `bool`, axes and sizes `i64`.
    public var type: ElementType

    package init(node: ExprNode, type: ElementType) {
      self.node = node
      self.type = type
    }
  }

  /// All expressions; each uses only those before it.
  public var exprs: [Expr]
  /// What the body computes for one element: one scalar for most forms, an index per axis and a value for the updates
  /// of a scatter.
  public var results: [ExprID]

  /// A body of expressions that are in order. `BodyBuilder` makes bodies that are, and types their expressions.
  public init(exprs: [Expr] = [], results: [ExprID] = []) {
    self.exprs = exprs
    self.results = results
  }

  /// The expression at a position; it must be one of this body's.
  public subscript(id: ExprID) -> Expr { exprs[id.position] }

  /// The values that it loads from, each once, in order of first use.
  public var operands: [FormValueID] {
    var seen: Set<FormValueID> = []
    return exprs.compactMap {
      if case .load(let value, _, _, _) = $0.node, seen.insert(value).inserted { value } else { nil }
    }
  }

  /// The same body reading other values.
  public func mapOperands(_ map: (FormValueID) -> FormValueID) -> Body {
    var copy = self
    for index in copy.exprs.indices {
      if case .load(let value, let indices, let condition, let otherwise) = copy.exprs[index].node {
        copy.exprs[index].node = .load(map(value), indices, condition: condition, otherwise: otherwise)
      }
    }
    return copy
  }
}
