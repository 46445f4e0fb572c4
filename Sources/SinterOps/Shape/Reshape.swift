import SinterCore
import SinterForms
import SinterIR

/// The same elements under sizes that the second input gives: 0 keeps the input's size there (or is zero with `allowzero`), and one -1
/// is whatever the others leave.
public struct Reshape: Primitive {
  public static let name = "Reshape"
  public static let summary = "The same elements under other sizes."

  /// Whether 0 is a size of zero, rather than the input's size at its place.
  public var allowZero = false
  /// Whether -1 may stand beside sizes that turn out to be zero, where it follows from the input's sizes alone: ONNX refuses that.
  public var mayBeEmpty = false

  public init() {}
  /// The same elements under other sizes.
  public init(allowZero: Bool = false, mayBeEmpty: Bool = false) {
    self.allowZero = allowZero
    self.mayBeEmpty = mayBeEmpty
  }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("allowzero", &allowZero, default: false)
    list.bool("may_be_empty", &mayBeEmpty, default: false)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(Reshape.self, since: 5) { op, _ in op.mayBeEmpty = false },
      OnnxRule("Reshape", since: 1) { node, builder in
        try builder.add(Reshape(), [node.input(0), builder.integers(node.ints("shape") ?? [])])
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification("Reshape", since: allowZero ? 14 : 5, attributes: allowZero ? [("allowzero", .int(1))] : [])
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let fact = try inputs.fact(0)
    let x = try inputs.tensor(0)
    guard let entries = inputs.contents(1) else { return [try inferOpen(x, inputs, &obligations)] }
    var shape = try shape(entries, of: x, known: inputs.declaredShape(), &obligations)
    if mayBeEmpty, shape.contains(0), x.count == 0, let known = inputs.declaredShape(), known.count == shape.count,
      known.contains(0)
    {
      // What was open followed from sizes that are told no more.
      for axis in entries.indices where entries[axis] == -1 { shape[axis] = known[axis] }
    }
    return [Fact(x.element, shape, contents: fact.contents)]
  }

  /// The result of a shape that is known only at run time.
  private func inferOpen(_ x: TensorType, _ inputs: NodeInputs, _ obligations: inout Obligations) throws -> Fact {
    let entries = try inputs.indices(1)
    guard entries.rank == 1, let rank = entries.shape[0].value, rank <= Fact.contentsLimit else {
      throw DiagnosticError(
        .limit, "reshape.rank", "how many axes the result has must be known ahead of time, but its shape is \(entries)",
        hint: "give the shape a known length")
    }
    let shape = inputs.freshShape(rank: rank)
    try obligations.sameCount(x.shape, shape, "numbers of elements of \(x) and of the result")
    return Fact(x.element, shape)
  }

  /// The sizes that entries tell.
  ///
  /// - Parameter known: what an earlier inference has found.
  private func shape(
    _ entries: [Dim], of x: TensorType, known: [Dim]?, _ obligations: inout Obligations
  ) throws -> [Dim] {
    var shape = entries
    var open: Int?
    for (axis, size) in entries.enumerated() {
      switch size.value {
      case 0 where allowZero && entries.contains(-1) && !mayBeEmpty:
        throw DiagnosticError(.user, "reshape.zero", "with allowzero shape \(entries) must not hold both 0 and -1")
      case 0 where !allowZero:
        guard axis < x.rank else {
          throw DiagnosticError(
            .user, "reshape.zero", "shape \(entries) keeps the size of axis \(axis), but the input is \(x)")
        }
        shape[axis] = x.shape[axis]
      case -1:
        if let open {
          throw DiagnosticError(
            .user, "reshape.shape", "shape \(entries) has -1 at axes \(open) and \(axis); one may be open")
        }
        open = axis
      case let number? where number < -1:
        throw DiagnosticError(
          .user, "reshape.shape", "shape \(entries) holds \(number); sizes are at least 0, or -1 once")
      case nil: try obligations.atLeast(size, 0, "entry \(axis) of shape \(Broadcast.list(entries))")
      default: break
      }
    }
    if !allowZero { try keepSizes(&shape, open: open, of: x, known: known, &obligations) }
    guard let open else {
      try obligations.sameCount(x.shape, shape, "numbers of elements of \(x) and of shape \(Broadcast.list(shape))")
      return shape
    }
    let rest = shape.indices.filter { $0 != open }.reduce(Dim(1)) { $0 * shape[$1] }
    if mayBeEmpty, rest == 0, x.count == 0 {
      shape[open] = 0
    } else if let whole = x.count.exactQuotient(by: rest) {
      if !mayBeEmpty {
        try obligations.atLeast(rest, 1, "number of elements beside -1 in shape \(Broadcast.list(entries)) for \(x)")
      }
      shape[open] = whole
    } else {
      let divisor = mayBeEmpty ? Dim.max(rest, 1) : rest
      try obligations.divisible(
        x.count, by: divisor, "number of elements of \(x), which becomes \(Broadcast.list(entries)),")
      shape[open] = x.count / divisor
    }
    return shape
  }

  /// An entry that turns out to be zero keeps the input's size.
  private func keepSizes(
    _ shape: inout [Dim], open: Int?, of x: TensorType, known: [Dim]?, _ obligations: inout Obligations
  ) throws {
    let told = shape.indices.filter { $0 != open }.reduce(Dim(1)) { $0 * shape[$1] }
    let dividesInput = x.count != 0 && x.count.exactQuotient(by: told) != nil
    for (axis, size) in shape.enumerated() where axis != open && !size.isConstant {
      if let least = size.bounds(obligations.ranges).lower, least > 0 { continue }
      guard axis < x.rank else {
        try obligations.atLeast(size, 1, "entry \(axis) of shape \(Broadcast.list(shape)) for \(x)")
        continue
      }
      let own = x.shape[axis]
      if size == own || size.isZeroOnly(where: own) { continue }
      // The size, or the input's where it is 0: as a place it stays as long as both, where a product of them would grow with each Reshape.
      let kept = Dim.place(size - 1, in: own) + 1
      // Where less was known, the size that is kept was part of the type already.
      let isKnown = known.map { $0.count == shape.count && $0[axis] == kept } ?? false
      if dividesInput, !isKnown {
        // Then there would be no elements, and the size of another axis would be told to be this one's.
        try obligations.atLeast(size, Dim.min(own, 1), "entry \(axis) of shape \(Broadcast.list(shape)) for \(x)")
      } else {
        shape[axis] = kept
      }
    }
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    if node.facts.contents(1) == nil { try defineOpen(shape, of: x, try node.input(1), &lowering) }
    return [try lowering.reshape(x, to: shape)]
  }

  private func defineOpen(_ shape: [Dim], of x: Operand, _ entries: Operand, _ lowering: inout Lowering) throws {
    func number(_ builder: BodyBuilder, _ value: Int) -> Expr { builder.constant(value, .i64) }
    func entry(_ builder: BodyBuilder, _ axis: Int) -> Expr {
      builder.load(entries.id, [number(builder, axis)]).cast(to: .i64)
    }
    func kept(_ builder: BodyBuilder, _ axis: Int) -> Expr {
      let given = entry(builder, axis)
      if allowZero { return given }
      let own = axis < x.rank ? builder.size(x.shape[axis]) : number(builder, -1)
      return builder.select(given .== number(builder, 0), own, given)
    }
    try lowering.defineSizes(shape, of: "the new shape") { builder, axis in
      // What is open is what the others leave; nothing is told where they leave anything, or where more is open.
      var (rest, opens) = (number(builder, 1), number(builder, 0))
      for other in shape.indices {
        let isOpen = entry(builder, other) .== number(builder, -1)
        rest = rest * builder.select(isOpen, number(builder, 1), kept(builder, other))
        opens = opens + builder.select(isOpen, number(builder, 1), number(builder, 0))
      }
      let one = number(builder, 1)
      let whole = builder.size(x.type.count).floorDivided(by: rest.maximum(one))
      let left = builder.select((rest > number(builder, 0)) && (opens .== one), whole, number(builder, -1))
      return builder.select(entry(builder, axis) .== number(builder, -1), left, kept(builder, axis))
    }
  }

  public static var examples: [OperatorExample] {
    let empty = OperatorExample(
      Reshape(mayBeEmpty: true),
      [.random(TensorType(.f32, ["n", 6, "m"]), -1...1), .constant(.i64([3], [0, -1, 2]))],
      sizes: [Symbol("n"): 2, Symbol("m"): 4])
    func example(_ shape: [Dim], _ to: [Int], _ sizes: [Symbol: Int] = [:], open: Bool = false) -> OperatorExample {
      OperatorExample(
        Reshape(),
        [
          .random(TensorType(.f32, shape), -1...1),
          open ? .given(.i64([to.count], to)) : .constant(.i64([to.count], to)),
        ],
        sizes: sizes)
    }
    return [
      example([2, 3, 4], [4, 6]), example([2, 3, 4], [0, -1]), example([2, 3, 4], [2, 1, 3, 2, 2]),
      example([6], [2, 3]),
      example(["n", 6, 4], [-1, 4], [Symbol("n"): 3]), example(["n", 6, 4], [0, 2, 3, 4], [Symbol("n"): 3]),
      example([1], []), empty, example(["n", "m"], [2, -1], [Symbol("n"): 4, Symbol("m"): 3]),
      example(["n", 6, 4], [-1, 0, 2], [Symbol("n"): 3], open: true),
      example(["n", "m"], [6, 4], [Symbol("n"): 3, Symbol("m"): 8], open: true),
    ]
  }
}

extension Dim {
  /// Whether this is zero only where another size is: it is a product of some of that size's factors.
  fileprivate func isZeroOnly(where other: Dim) -> Bool {
    guard constant == 0, terms.count == 1, other.constant == 0, other.terms.count == 1 else { return false }
    return terms[0].factors.allSatisfy { other.terms[0].factors.contains($0) }
  }
}

extension Reshape: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    [try node.gradient().reshaped(like: try node.input(0))]
  }
}
