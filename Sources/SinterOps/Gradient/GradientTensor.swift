import SinterCore
import SinterIR

/// A value of the graph to which gradients are added, with the arithmetic that rules are written in.
public struct GradientTensor {
  /// The value of the graph.
  public let id: ValueID
  /// Where operators on it are added; both sides of an operation have the same one.
  public let tape: GradientTape

  package init(_ id: ValueID, _ tape: GradientTape) {
    self.id = id
    self.tape = tape
  }

  /// The element type and the sizes. Throws where the graph has no such value, as all that follows does.
  public var type: TensorType {
    get throws { try tape.builder.type(id) }
  }
  /// The sizes, each a number or an expression of symbols.
  public var shape: [Dim] {
    get throws { try type.shape }
  }
  /// The number of axes.
  public var rank: Int {
    get throws { try type.rank }
  }
  /// The element type.
  public var element: ElementType {
    get throws { try type.element }
  }

  /// The result of an operator with one result.
  public func applying(_ op: some Operator, _ others: GradientTensor?...) throws -> GradientTensor {
    try tape.add(op, [self] + others)[0]
  }

  /// A number in this value's element type.
  public func number(_ value: Double) throws -> GradientTensor {
    tape.constant(try HostTensor(scalar: value, try element))
  }

  func integers(_ values: [Int]) -> GradientTensor { tape.constant(.i64([values.count], values)) }
}

// MARK: - Arithmetic

extension GradientTensor {
  private func binary(_ kind: Binary.Kind, _ other: GradientTensor) throws -> GradientTensor {
    try applying(Binary(kind), other)
  }

  /// The sum, with NumPy's broadcasting. Both have one element type, as in all arithmetic here; an error is thrown
  /// otherwise.
  public static func + (a: GradientTensor, b: GradientTensor) throws -> GradientTensor { try a.binary(.add, b) }
  /// The difference, with NumPy's broadcasting.
  public static func - (a: GradientTensor, b: GradientTensor) throws -> GradientTensor { try a.binary(.subtract, b) }
  /// The product of elements, with NumPy's broadcasting.
  public static func * (a: GradientTensor, b: GradientTensor) throws -> GradientTensor { try a.binary(.multiply, b) }
  /// The quotient of elements, with NumPy's broadcasting.
  public static func / (a: GradientTensor, b: GradientTensor) throws -> GradientTensor { try a.binary(.divide, b) }

  /// The sum with a number, which takes the element type of the tensor, here as below.
  public static func + (a: GradientTensor, b: Double) throws -> GradientTensor { try a + a.number(b) }
  /// The sum with a number.
  public static func + (a: Double, b: GradientTensor) throws -> GradientTensor { try b.number(a) + b }
  /// Each element less a number.
  public static func - (a: GradientTensor, b: Double) throws -> GradientTensor { try a - a.number(b) }
  /// A number less each element.
  public static func - (a: Double, b: GradientTensor) throws -> GradientTensor { try b.number(a) - b }
  /// Each element times a number.
  public static func * (a: GradientTensor, b: Double) throws -> GradientTensor { try a * a.number(b) }
  /// Each element times a number.
  public static func * (a: Double, b: GradientTensor) throws -> GradientTensor { try b.number(a) * b }
  /// Each element over a number.
  public static func / (a: GradientTensor, b: Double) throws -> GradientTensor { try a / a.number(b) }
  /// A number over each element.
  public static func / (a: Double, b: GradientTensor) throws -> GradientTensor { try b.number(a) / b }
  /// Each element with the other sign.
  public static prefix func - (a: GradientTensor) throws -> GradientTensor { try a.unary(.negate) }

  /// A function of each element.
  public func unary(_ kind: Unary.Kind) throws -> GradientTensor { try applying(Unary(kind)) }

  /// Each element to the power of another, with NumPy's broadcasting.
  public func power(_ exponent: GradientTensor) throws -> GradientTensor { try binary(.power, exponent) }

  /// Whether each element compares so with another, with NumPy's broadcasting; truth values.
  public func compare(_ kind: Compare.Kind, _ other: GradientTensor) throws -> GradientTensor {
    try applying(Compare(kind), other)
  }
  /// Whether each element compares so with a number; truth values.
  public func compare(_ kind: Compare.Kind, _ value: Double) throws -> GradientTensor {
    try compare(kind, number(value))
  }

  /// This where a condition holds, zero elsewhere.
  public func kept(where condition: GradientTensor) throws -> GradientTensor {
    try condition.applying(Where(), self, number(0))
  }
  /// Zero where a condition holds, this elsewhere.
  public func dropped(where condition: GradientTensor) throws -> GradientTensor {
    try condition.applying(Where(), number(0), self)
  }

  /// The elements converted to another type by value; the tensor itself where it has that type.
  public func cast(to element: ElementType) throws -> GradientTensor {
    try self.element == element ? self : applying(Cast(to: element))
  }
}

// MARK: - Shapes

extension GradientTensor {
  func shapeValue() throws -> GradientTensor { try applying(Shape()) }

  /// These elements in another value's shape, which holds as many.
  public func reshaped(like other: GradientTensor) throws -> GradientTensor {
    try shape == other.shape ? self : applying(Reshape(allowZero: true, mayBeEmpty: true), other.shapeValue())
  }

  /// The first two axes as one.
  package func mergingFirstAxes() throws -> GradientTensor { try flattened(from: 0, to: 1) }

  /// An axis cut, or filled up with zeros, to a size, a value of one element.
  func resized(_ axis: Int, to size: GradientTensor) throws -> GradientTensor {
    let cut = try applying(Slice(), integers([0]), size, integers([axis]))
    let missing = try size - cut.size(axis)
    return try cut.applying(Pad(), tape.add(Concat(axis: 0), [integers([0]), missing])[0], nil, integers([axis]))
  }

  /// Some axes as one, from the first to the last of them.
  func flattened(from first: Int, to last: Int) throws -> GradientTensor {
    let sizes = try (0..<rank).map { try size($0) }
    let joint = try sizes[first...last].dropFirst().reduce(sizes[first]) { try $0 * $1 }
    return try reshaped(to: Array(sizes[..<first]) + [joint] + sizes[(last + 1)...])
  }

  /// These elements in a shape of given sizes, each a value of one element.
  func reshaped(to sizes: [GradientTensor]) throws -> GradientTensor {
    try applying(Reshape(allowZero: true, mayBeEmpty: true), tape.add(Concat(axis: 0), sizes)[0])
  }

  /// One axis multiplied by a matrix from the right: result[…, j, …] = Σᵢ self[…, i, …] · matrix[i, j].
  func multiplied(by matrix: GradientTensor, along axis: Int) throws -> GradientTensor {
    let rank = try rank
    if axis == rank - 1 { return try applying(MatMul(), matrix) }
    if axis == rank - 2 { return try matrix.transposed([1, 0]).applying(MatMul(), self) }
    let moved = (0..<rank).filter { $0 != axis } + [axis]
    return try transposed(moved).applying(MatMul(), matrix).transposed(back: moved)
  }

  /// The first rows of an identity matrix, in another value's element type.
  static func unitRows(_ rows: Int, _ columns: Int, like other: GradientTensor) throws -> GradientTensor {
    var numbers = [Double](repeating: 0, count: rows * columns)
    for row in 0..<rows { numbers[row * columns + row] = 1 }
    return other.tape.constant(HostTensor(try other.element, [rows, columns], doubles: numbers))
  }

  /// With the places along the first axis in the other order.
  package func reversed() throws -> GradientTensor {
    try applying(Slice(), integers([-1]), integers([Int.min]), integers([0]), integers([-1]))
  }

  /// All elements as one axis.
  func flat() throws -> GradientTensor { try applying(Reshape(), integers([-1])) }

  /// Zeros of this element type and shape.
  public func zeros() throws -> GradientTensor {
    var op = ConstantOfShape()
    op.value = try HostTensor(scalar: 0, try element).reshaped([1])
    return try shapeValue().applying(op)
  }

  /// Zeros of given sizes, each a value of one element.
  func zeros(sizes: [GradientTensor]) throws -> GradientTensor {
    var op = ConstantOfShape()
    op.value = try HostTensor(scalar: 0, try element).reshaped([1])
    let shape = sizes.isEmpty ? integers([]) : try tape.add(Concat(axis: 0), sizes)[0]
    return try shape.applying(op)
  }

  /// Equal parts along an axis.
  func split(into count: Int, along axis: Int) throws -> [GradientTensor] {
    try tape.add(Split(axis: axis), [self], outputs: count)
  }

  /// Repeated so that it has another value's shape.
  public func expanded(like other: GradientTensor) throws -> GradientTensor {
    try shape == other.shape ? self : applying(Expand(), other.shapeValue())
  }

  /// The axes in another order: axis j of the result is axis `order[j]`.
  public func transposed(_ order: [Int]) throws -> GradientTensor {
    order == Array(order.indices) ? self : try applying(Transpose(order))
  }

  /// Axes that stand in an order, as `transposed` has brought them there, brought back.
  func transposed(back order: [Int]) throws -> GradientTensor {
    var inverse = order
    for (place, axis) in order.enumerated() { inverse[axis] = place }
    return try transposed(inverse)
  }

  /// The last two axes exchanged.
  public func matrixTransposed() throws -> GradientTensor {
    let rank = try rank
    var order = Array(0..<rank)
    order.swapAt(rank - 1, rank - 2)
    return try transposed(order)
  }

  /// With new axes of size 1 at these places of the result.
  public func unsqueezed(_ axes: [Int]) throws -> GradientTensor {
    axes.isEmpty ? self : try applying(Unsqueeze(), integers(axes))
  }
  /// Without these axes, whose size must be 1.
  public func squeezed(_ axes: [Int]) throws -> GradientTensor {
    axes.isEmpty ? self : try applying(Squeeze(), integers(axes))
  }

  /// The sum over axes, which stay with size 1 or are dropped; without any axis, the tensor itself.
  public func sum(_ axes: [Int], keepsAxes: Bool = true) throws -> GradientTensor {
    axes.isEmpty ? self : try applying(Reduce(.sum, keepsAxes: keepsAxes), integers(axes))
  }

  /// The number of elements, in this value's type.
  func count() throws -> GradientTensor { try applying(Size()).cast(to: try element) }

  /// Positions 0, 1, … along an axis; i64 of one axis.
  func positions(along axis: Int) throws -> GradientTensor {
    let size = try shapeValue().applying(Gather(axis: 0), tape.constant(.i64([], [axis])))
    return try tape.constant(.i64([], [0])).applying(Range(), size, tape.constant(.i64([], [1])))
  }

  /// The sum of all that broadcasting has made of each element of a value of another shape: what the gradient of a broadcast operand is.
  public func summed(to other: GradientTensor) throws -> GradientTensor {
    let (from, to) = (try shape, try other.shape)
    if from == to { return self }
    guard from.count >= to.count else { return try applying(SumTo(), other) }
    let leading = from.count - to.count
    var axes = Array(0..<leading)
    for axis in to.indices where to[axis] != from[leading + axis] {
      guard to[axis] == 1 else { return try applying(SumTo(), other) }
      axes.append(leading + axis)
    }
    return try sum(axes).reshaped(like: other)
  }
}

// MARK: - Places along an axis

extension GradientTensor {
  /// The size of an axis; i64 of one element.
  func size(_ axis: Int) throws -> GradientTensor { try shapeValue().applying(Gather(axis: 0), integers([axis])) }

  /// Zeros of another size along an axis, to which this is added at places along it.
  func scattered(to places: GradientTensor, along axis: Int, size: GradientTensor) throws -> GradientTensor {
    let rank = try rank
    let moved = [axis] + (0..<rank).filter { $0 != axis }
    let updates = try transposed(moved)
    let rest = try (1..<rank).map { try updates.size($0) }
    var scatter = ScatterND()
    scatter.reduction = .add
    let result = try zeros(sizes: [size] + rest).applying(scatter, try places.unsqueezed([1]), updates)
    return try result.transposed(back: moved)
  }
}
