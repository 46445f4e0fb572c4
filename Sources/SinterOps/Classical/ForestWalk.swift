import SinterCore
import SinterForms

/// Walks from the roots of a forest to leaves, as loads whose indices are computed: no way is branched on.
///
/// As many steps as a tree has levels are written into the body that asks for a leaf. Beyond `unrolled` levels, a repetition takes most of
/// the steps first.
struct ForestWalk {
  private static let unrolled = 32, iteration = 16

  private let forest: Forest
  private let element: ElementType
  /// The columns of each row that tests look at, and −∞.
  private let rows: Operand
  /// Child and column of each place in one number where they fit, else the column alone, with the children beside it.
  private let tests: Operand
  private let columnBits: Int?
  private let children: Operand?
  private let bounds: Operand
  private let leaves: Operand
  /// The places that a repetition has reached; nil: the roots.
  private var starts: Operand?
  private var steps: Int

  /// - Parameter values: of each place; those of leaves count.
  init(_ forest: Forest, of x: Operand, values: [Double], into lowering: inout Lowering) throws {
    self.forest = forest
    element = x.element
    let count = forest.column.count
    rows = try Self.columns(forest, of: x, into: &lowering)
    let bits = Int.bitWidth - (forest.endColumn + 1).leadingZeroBitCount
    if Int.bitWidth - count.leadingZeroBitCount + bits <= 31 {
      columnBits = bits
      tests = lowering.constant(
        HostTensor(.i32, [count], values: zip(forest.child, forest.column).map { $0 << Int32(bits) | $1 }))
      children = nil
    } else {
      columnBits = nil
      tests = lowering.constant(HostTensor(.i32, [count], values: forest.column))
      children = lowering.constant(HostTensor(.i32, [count], values: forest.child))
    }
    // Any number but NaN will do as the bound of a leaf, so its value stands there.
    var bounds = forest.bound
    for place in forest.leaf.indices where forest.leaf[place] >= 0 && !values[place].isNaN {
      bounds[place] = values[place]
    }
    self.bounds = lowering.constant(HostTensor(element, [count], doubles: bounds))
    let isWhole = zip(forest.leaf, zip(values, bounds)).allSatisfy { $0 < 0 || $1.0 == $1.1 }
    leaves = isWhole ? self.bounds : lowering.constant(HostTensor(element, [count], doubles: values))
    steps = forest.depth
    if steps > Self.unrolled { try repeatSteps(rows: x.shape[0], into: &lowering) }
  }

  /// A matrix with a column for each that the forest tests, and one of −∞.
  private static func columns(_ forest: Forest, of x: Operand, into lowering: inout Lowering) throws -> Operand {
    let width = forest.endColumn + 1
    let shape = [x.shape[0], Dim(width)]
    if width == 1 {
      return try lowering.element(shape) { builder, _ in builder.constant(-.infinity, x.element) }
    }
    let features = lowering.constant(.i64([width], forest.columns.map(\.feature) + [0]))
    let lowers = lowering.constant(HostTensor(.bool, [width], values: forest.columns.map(\.lowersNaN) + [false]))
    let hasLowered = forest.columns.contains { $0.lowersNaN }
    return try lowering.element(shape) { builder, index in
      let least = builder.constant(-.infinity, x.element)
      var value = builder.load(x.id, [index[0], builder.load(features.id, [index[1]])])
      if hasLowered {
        value = builder.select(value.unary(.isNaN) && builder.load(lowers.id, [index[1]]), least, value)
      }
      return builder.select(index[1] .== builder.constant(width - 1, .i64), least, value)
    }
  }

  private mutating func repeatSteps(rows: Dim, into lowering: inout Lowering) throws {
    let iterations = (steps - 1) / Self.iteration
    let shape = [rows, Dim(rootCount)]
    let roots = try lowering.element(shape) { _, index in index[1].cast(to: .i32) }
    let walk = self
    let (final, _) = try lowering.repetition(count: Dim(iterations), carried: [roots], sliced: []) {
      lowering, current, _ in
      let next = try lowering.element(shape) { builder, index in
        let start = builder.load(current[0].id, index).cast(to: .i64)
        return walk.walked(builder, row: index[0], from: start, steps: Self.iteration).cast(to: .i32)
      }
      return ([next], [])
    }
    starts = final[0]
    steps -= iterations * Self.iteration
  }

  private var rootCount: Int { forest.rootCount }

  private func walked(_ builder: BodyBuilder, row: Expr, from start: Expr, steps: Int) -> Expr {
    var place = start
    for _ in 0..<steps {
      let test = builder.load(tests.id, [place])
      let column: Expr
      let child: Expr
      if let columnBits {
        column = test.applying(.and, builder.constant(1 << columnBits - 1, .i32))
        child = test.applying(.shiftRight, builder.constant(columnBits, .i32))
      } else if let children {
        column = test
        child = builder.load(children.id, [place])
      } else {
        return place
      }
      let isAtMost = builder.load(rows.id, [row, column.cast(to: .i64)]) <= builder.load(bounds.id, [place])
      let step = builder.select(isAtMost, builder.constant(0, .i32), builder.constant(1, .i32))
      place = (child + step).cast(to: .i64)
    }
    return place
  }

  private func place(_ builder: BodyBuilder, row: Expr, tree: Expr) -> Expr {
    let start = starts.map { builder.load($0.id, [row, tree]).cast(to: .i64) } ?? tree
    return walked(builder, row: row, from: start, steps: steps)
  }

  /// The value of the leaf that a row reaches in a tree.
  func value(_ builder: BodyBuilder, row: Expr, tree: Expr) -> Expr {
    builder.load(leaves.id, [place(builder, row: row, tree: tree)])
  }

  /// The same as a 32-bit number.
  func leaf(_ builder: BodyBuilder, row: Expr, tree: Expr) -> Expr {
    value(builder, row: row, tree: tree).cast(to: .i32)
  }
}
