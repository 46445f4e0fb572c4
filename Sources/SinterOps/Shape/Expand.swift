import SinterCore
import SinterForms
import SinterIR

/// The input broadcast against a shape that the second input gives.
public struct Expand: Primitive {
  public static let name = "Expand"
  public static let summary = "A tensor broadcast to a shape."

  public init() {}

  public static var onnx: [OnnxRule] { [.direct(Expand.self, since: 8)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 8) }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let shape = try inputs.sizes(1, "shape", requiring: &obligations)
    return [Fact(x.element, try obligations.broadcast(x.shape, shape))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    if x.shape == shape { return [x] }
    return [
      try lowering.element(shape) { builder, index in
        builder.load(x.id, Broadcast.index(builder, index, of: shape, into: x.shape))
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(Expand(), [.random(TensorType(.f32, [3, 1]), -1...1), .constant(.i64([3], [2, 1, 4]))]),
      OperatorExample(
        Expand(), [.random(TensorType(.f32, ["n", 1]), -1...1), .constant(.i64([2], [1, 4]))], sizes: [Symbol("n"): 3]),
      OperatorExample(
        Expand(), [.random(TensorType(.f32, ["n", "m"]), -1...1), .given(.i64([3], [2, 3, 4]))],
        sizes: [Symbol("n"): 3, Symbol("m"): 1]),
    ]
  }
}

/// The input repeated along each axis, as often as the second input says.
public struct Tile: Primitive {
  public static let name = "Tile"
  public static let summary = "A tensor repeated along its axes."

  public init() {}

  public static var onnx: [OnnxRule] {
    [
      .direct(Tile.self, since: 6),
      OnnxRule("Tile", since: 1) { node, builder in
        // The first version repeats along one axis: inputs are data, count, axis.
        let inputs = builder.inputs(node.inputs, outputs: 1)
        let rank = try inputs.tensor(0).rank
        /// Both have the type of the data.
        func number(_ index: Int, _ name: String) throws -> Int {
          guard let tensor = inputs.constant(index), tensor.element.isFloat else {
            return try inputs.knownIntegers(index, name).first ?? 0
          }
          return Int(saturating: tensor.doubles?.first ?? 0)
        }
        let count = try number(1, "tiles")
        let axis = try normalizedAxis(try number(2, "axis"), rank: rank)
        return try builder.add(
          Tile(), [node.input(0), builder.integers((0..<rank).map { $0 == axis ? count : 1 })])
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 6) }
  public func sizeInputs(_ inputs: NodeInputs) -> [SizeInput] { [SizeInput(1)] }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    let repeats = try inputs.sizes(1, "repeats", requiring: &obligations)
    guard repeats.count == x.rank else {
      throw DiagnosticError(.user, "tile.count", "repeats must have \(x.rank) entries for \(x), but is \(repeats)")
    }
    return [Fact(x.element, zip(x.shape, repeats).map { $0 * $1 })]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    return [
      try lowering.element(shape) { builder, index in
        builder.load(
          x.id,
          index.indices.map { axis in
            shape[axis] == x.shape[axis] ? index[axis] : index[axis].modulo(builder.size(x.shape[axis]))
          })
      }
    ]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(
        Tile(), [.random(TensorType(.f32, ["n", 2, 3]), -1...1), .constant(.i64([3], [2, 1, 3]))],
        sizes: [Symbol("n"): 2]),
      OperatorExample(
        Tile(), [.random(TensorType(.f32, ["n", "m"]), -1...1), .given(.i64([2], [3, 2]))],
        sizes: [Symbol("n"): 1, Symbol("m"): 2]),
    ]
  }
}

extension Expand: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    [try node.gradient().summed(to: try node.input(0)), nil]
  }
}

extension Tile: Differentiable {
  /// Each axis as copies times its own size; the copies are summed.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let x = try node.input(0)
    let repeats = try node.integers(1, "repeats")
    var sizes: [GradientTensor] = []
    for (axis, count) in repeats.enumerated() {
      sizes += [x.integers([count]), try x.size(axis)]
    }
    if sizes.isEmpty { return [try node.gradient(), nil] }
    let shape = try node.tape.add(Concat(axis: 0), sizes)[0]
    let parts = try node.gradient().applying(Reshape(allowZero: true, mayBeEmpty: true), shape)
    let axes = repeats.indices.filter { repeats[$0] != 1 }.map { 2 * $0 }
    return [try parts.sum(axes).reshaped(like: x), nil]
  }
}
