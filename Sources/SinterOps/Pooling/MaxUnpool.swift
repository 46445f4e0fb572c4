import SinterCore
import SinterForms
import SinterIR

/// The inverse of a maximum pool: each element goes back to the place it came from, zeros elsewhere. Inputs: x, the places, row-major over the
/// whole result as its window gives it, the result's shape.
public struct MaxUnpool: Primitive {
  public static let name = "MaxUnpool"
  public static let summary = "The elements of a maximum pool put back to where they came from."

  /// The pool's window, a number for each spatial axis.
  public var kernel: [Int] = []
  /// The pool's padding, all begins, then all ends; empty: 0.
  public var pads: [Int] = []
  /// The distance between the pool's windows along each axis; empty: 1.
  public var strides: [Int] = []

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.ints("kernel_shape", &kernel, default: [])
    list.ints("pads", &pads, default: [])
    list.ints("strides", &strides, default: [])
  }

  public static var onnx: [OnnxRule] { [.direct(MaxUnpool.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(2)] }

  /// The shape that places are counted in.
  private func counted(_ x: TensorType) throws -> [Dim] {
    let rank = x.rank - 2
    let strides = self.strides.isEmpty ? [Int](repeating: 1, count: max(rank, 0)) : self.strides
    let pads = self.pads.isEmpty ? [Int](repeating: 0, count: max(2 * rank, 0)) : self.pads
    guard rank > 0, kernel.count == rank, strides.count == rank, pads.count == 2 * rank else {
      throw DiagnosticError(
        .user, "maxunpool.window",
        "kernel_shape, strides and pads must fit the spatial axes of \(x), but are \(kernel), \(strides), \(pads)")
    }
    return x.shape[..<2]
      + (0..<rank).map { axis in
        (x.shape[axis + 2] - 1) * Dim(strides[axis]) + Dim(kernel[axis] - pads[axis] - pads[axis + rank])
      }
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, places) = (try inputs.tensor(0), try inputs.indices(1))
    var counted = try counted(x)
    guard places.rank == x.rank else {
      throw DiagnosticError(
        .user, "maxunpool.places", "the input and its places must have one shape, but are \(x) and \(places)")
    }
    let shape = try obligations.equal(x.shape, places.shape, "sizes of the input \(x) and of its places \(places)")
    counted.replaceSubrange(..<2, with: shape[..<2])
    for axis in 2..<x.rank { try obligations.atLeast(counted[axis], 1, "size of axis \(axis) that the window gives") }
    try inputs.requireKnown(1, "place", below: counted.reduce(1, *))
    guard inputs.has(2) else { return [Fact(x.element, counted)] }
    var result = try inputs.knownSizes(2, "output_shape")
    guard result.count == x.rank else {
      throw DiagnosticError(.user, "maxunpool.shape", "output_shape must have \(x.rank) entries, but is \(result)")
    }
    for axis in 0..<2 {
      result[axis] = try obligations.equal(
        result[axis], counted[axis], "sizes of output_shape and of the input \(x) along axis \(axis)")
    }
    for axis in 2..<x.rank {
      try obligations.atLeast(result[axis], counted[axis], "size of axis \(axis) of output_shape")
    }
    return [Fact(x.element, result)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, places) = (try node.input(0), try node.input(1))
    let counted = try counted(x.type)
    let outside = lowering.error("MaxUnpool: place %0 lies outside of a result of %1 elements")
    return [
      try lowering.scatter(
        try node.output(), domain: x.shape, combine: nil,
        base: { builder, _ in builder.constant(0, x.element) },
        update: { builder, index in
          let place = builder.load(places.id, index).cast(to: .i64)
            .checked(below: builder.size(counted.reduce(1, *)), error: outside)
          return (Reshaping.delinearize(builder, place, counted), builder.load(x.id, index))
        })
    ]
  }

  public static var examples: [OperatorExample] {
    var op = MaxUnpool()
    op.kernel = [2, 2]
    op.strides = [2, 2]
    return [
      OperatorExample(
        op, [.random(TensorType(.f32, [1, 1, 2, 2]), -1...1), .given(.i64([1, 1, 2, 2], [5, 7, 13, 15]))]),
      OperatorExample(
        op,
        [
          .random(TensorType(.f32, ["n", "c", "h", "w"]), -1...1),
          .random(TensorType(.i64, ["m", "d", "g", "v"]), 0...15),
          .given(.i64([4], [1, 1, 5, 6])),
        ],
        sizes: [
          Symbol("n"): 1, Symbol("c"): 1, Symbol("h"): 2, Symbol("w"): 2, Symbol("m"): 1, Symbol("d"): 1,
          Symbol("g"): 2,
          Symbol("v"): 2,
        ]),
    ]
  }
}

extension MaxUnpool: Differentiable {
  /// Each element has the gradient of the place it was put back to.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, places) = (try node.input(0), try node.input(1))
    var g = try node.gradient()
    if node.has(2) {
      // Places are counted in the shape that the window gives.
      let rank = try x.rank - 2
      let sizes = try (0..<rank).map { axis in
        let stride = strides.isEmpty ? 1 : strides[axis]
        let rest = kernel[axis] - (pads.isEmpty ? 0 : pads[axis] + pads[axis + rank])
        return try (x.size(axis + 2) - x.integers([1])) * x.integers([stride]) + x.integers([rest])
      }
      let zeros = [Int](repeating: 0, count: rank)
      g = try g.applying(
        Slice(), x.integers(zeros), try node.tape.add(Concat(axis: 0), sizes)[0], x.integers(Array(2..<(rank + 2))))
    }
    return [try g.flat().applying(Gather(axis: 0), places), nil, nil]
  }
}
