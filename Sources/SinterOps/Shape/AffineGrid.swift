import SinterCore
import SinterForms
import SinterIR

/// Where each place of an image is taken to by an affine map: theta [n, d, d + 1] and the image's sizes [n, c, spatial…] give [n,
/// spatial…, d], in coordinates from -1 to 1.
public struct AffineGrid: Primitive {
  public static let name = "AffineGrid"
  public static let summary = "Sampling places of an affine map."

  /// Whether -1 and 1 are the middles of the outermost places, not their outer borders.
  public var alignsCorners = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("align_corners", &alignsCorners, default: false)
  }
  public static var onnx: [OnnxRule] { [.direct(AffineGrid.self, since: 20)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 20) }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let theta = try inputs.tensor(0)
    guard theta.rank == 3 else {
      throw DiagnosticError(.user, "affinegrid.theta", "theta must be [n, 2, 3] or [n, 3, 4], but is \(theta)")
    }
    let sizes = try inputs.sizes(1, "size", requiring: &obligations)
    guard sizes.count == 4 || sizes.count == 5 else {
      throw DiagnosticError(.user, "affinegrid.size", "size must have 4 or 5 entries, but is \(sizes)")
    }
    let rows = sizes.count - 2
    for (axis, count) in [(1, rows), (2, rows + 1)] {
      try obligations.equal(
        theta.shape[axis], Dim(count),
        "size of axis \(axis) of theta, which is \(theta), and \(count) for \(rows) spatial axes")
    }
    for (axis, size) in sizes.enumerated().dropFirst(2) {
      try obligations.atLeast(size, 1, "entry \(axis) of size \(Broadcast.list(sizes))")
    }
    let batch = try obligations.equal(
      sizes[0], theta.shape[0], "entry 0 of size and of the shape of theta, which is \(theta),")
    return [Fact(theta.element, [batch] + sizes.dropFirst(2) + [Dim(rows)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let theta = try node.input(0)
    let shape = try node.output().shape
    let spatial = shape.count - 2
    let compute = theta.element.computeType
    return [
      try lowering.element(shape) { builder, index in
        let row = index[shape.count - 1]
        func entry(_ column: Int) -> Expr {
          builder.load(theta.id, [index[0], row, builder.constant(column, .i64)]).cast(to: compute)
        }
        var value = entry(spatial)
        for column in 0..<spatial {
          // The first coordinate is that of the last axis.
          let axis = spatial - column
          let size = builder.size(shape[axis]).cast(to: compute)
          let place = index[axis].cast(to: compute)
          // One place that is both corners is the last one.
          let aligned = builder.select(
            size > 1, place * 2 / (size - 1).maximum(builder.constant(1, compute)) - 1, builder.constant(1, compute))
          let coordinate = alignsCorners ? aligned : (place * 2 + 1) / size - 1
          value = value + entry(column) * coordinate
        }
        return value.cast(to: theta.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [false, true].map { alignsCorners in
      var op = AffineGrid()
      op.alignsCorners = alignsCorners
      return OperatorExample(
        op, [.random(TensorType(.f32, [2, 2, 3]), -1...1), .constant(.i64([4], [2, 3, 4, 5]))])
    } + [
      OperatorExample(
        AffineGrid(), [.random(TensorType(.f32, ["n", "d", "e"]), -1...1), .given(.i64([5], [2, 3, 4, 1, 2]))],
        sizes: [Symbol("n"): 2, Symbol("d"): 3, Symbol("e"): 4])
    ]
  }
}

extension AffineGrid: Differentiable {
  /// A grid is theta times each place with a one behind it, and the identity's grid is these places.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (theta, g) = (try node.input(0), try node.gradient())
    let rank = try g.rank
    // The places, [n, p, d + 1], of which the last column is one.
    let unit = try theta.zeros() + GradientTensor.unitRows(rank - 2, rank - 1, like: theta)
    let grid = try unit.applying(self, try node.input(1))
    let rows = try grid.flattened(from: 1, to: rank - 2)
    let ones = try rows.applying(Slice(), rows.integers([0]), rows.integers([1]), rows.integers([2])) * 0.0 + 1.0
    let places = try node.tape.add(Concat(axis: 2), [rows, ones])[0]
    let columns = try g.flattened(from: 1, to: rank - 2).transposed([0, 2, 1])
    return [try columns.applying(MatMul(), places), nil]
  }
}
