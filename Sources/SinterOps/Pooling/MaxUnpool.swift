import SinterCore
import SinterIR
import SinterKernel

/// The inverse of a maximum pool: each element goes back to the place it came from, zeros elsewhere. Inputs: x, the places, row-major over the
/// whole result as its window gives it, the result's shape.
public struct MaxUnpool: Primitive {
  public static let name = "MaxUnpool"
  public static let summary = "The elements of a maximum pool put back to where they came from."

  public var kernel: [Int] = []
  public var pads: [Int] = []
  public var strides: [Int] = []

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.ints("kernel_shape", &kernel, default: [])
    list.ints("pads", &pads, default: [])
    list.ints("strides", &strides, default: [])
  }

  public static var onnx: [OnnxRule] { [.direct(MaxUnpool.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? { OnnxForm(of: self, since: 11) }

  /// The shape that places are counted in.
  private func counted(_ x: TensorType) throws -> [Dim] {
    let rank = x.rank - 2
    let strides = self.strides.isEmpty ? [Int](repeating: 1, count: max(rank, 0)) : self.strides
    let pads = self.pads.isEmpty ? [Int](repeating: 0, count: max(2 * rank, 0)) : self.pads
    guard rank > 0, kernel.count == rank, strides.count == rank, pads.count == 2 * rank else {
      throw DiagnosticError(
        .user, "maxunpool.window", "kernel_shape, strides and pads must fit the spatial axes of \(x), but are \(kernel), \(strides), \(pads)")
    }
    return x.shape[..<2]
      + (0..<rank).map { axis in
        (x.shape[axis + 2] - 1) * Dim(strides[axis]) + Dim(kernel[axis] - pads[axis] - pads[axis + rank])
      }
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let counted = try counted(x)
    guard inputs.has(2) else { return [Fact(x.element, counted)] }
    if inputs.contents(2) == nil, let declared = inputs.declaredShape(), declared.count == x.rank {
      return [Fact(x.element, declared)]
    }
    let shape = try inputs.knownSizes(2, "output_shape")
    guard shape.count == x.rank else {
      throw DiagnosticError(.user, "maxunpool.shape", "output_shape must have \(x.rank) entries, but is \(shape)")
    }
    return [Fact(x.element, shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, places) = (try node.input(0), try node.input(1))
    let counted = try counted(x.type)
    return [
      try lowering.scatter(
        try node.output(), domain: x.shape, combine: nil,
        base: { builder, _ in builder.constant(0, x.element) },
        update: { builder, index in
          let place = builder.load(places.id, index).cast(to: .i64)
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
        op, [.random(TensorType(.f32, [1, 1, 2, 2]), -1...1), .given(.i64([1, 1, 2, 2], [5, 7, 13, 15]))])
    ]
  }
}
