import SinterCore
import SinterForms
import SinterIR

/// Slices of the first input along an axis, picked by the elements of the second.
public struct Gather: Primitive {
  public static let name = "Gather"
  public static let summary = "Slices along an axis, picked by index."

  /// The axis that slices are picked along, from the end where negative.
  public var axis = 0
  /// Whether negative indices count from the end, as ONNX has it; else they lie outside.
  public var countsFromEnd = true

  public init() {}
  /// Slices along an axis.
  public init(axis: Int) { self.axis = axis }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: 0)
    list.bool("counts_from_end", &countsFromEnd, default: true)
  }
  public static var onnx: [OnnxRule] { [.direct(Gather.self)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    // ONNX has no other way; where indices are right, there is no difference.
    NodeSpecification(of: Gather(axis: axis), since: 11)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, indices) = (try inputs.tensor(0), try inputs.indices(1))
    let axis = try normalizedAxis(axis, rank: x.rank)
    try obligations.isIndexed(x, axis, by: indices)
    return [Fact(x.element, x.shape[..<axis] + indices.shape + x.shape[(axis + 1)...])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, indices) = (try node.input(0), try node.input(1))
    let axis = try normalizedAxis(axis, rank: x.rank)
    let wrapped = try WrappedIndex(
      node, input: 1, sizes: [x.shape[axis]], countsFromEnd: countsFromEnd, name: Gather.name, into: &lowering)
    return [
      try lowering.element(try node.output().shape) { builder, index in
        let middle = Array(index[axis..<(axis + indices.rank)])
        let place = wrapped.place(builder.load(indices.id, middle), size: x.shape[axis])
        return builder.load(x.id, index[..<axis] + [place] + index[(axis + indices.rank)...])
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 4]), -1...1)
    let sizes = [Symbol("n"): 5]
    var fromStart = Gather()
    fromStart.countsFromEnd = false
    return [
      OperatorExample(Gather(), [x, .given(.i64([2, 2], [0, -1, 4, 2]))], sizes: sizes),
      OperatorExample(Gather(axis: 1), [x, .constant(.i64([3], [1, -1, 0]))], sizes: sizes),
      OperatorExample(fromStart, [x, .given(.i64([3], [0, 4, 2]))], sizes: sizes),
      OperatorExample(Gather(axis: -1), [x, .given(HostTensor(.i32, [], values: [Int32(2)]))], sizes: sizes),
    ]
  }
}

/// For each element of the second input, the element of the first that it names along an axis, at its own place along the others.
public struct GatherElements: Primitive {
  public static let name = "GatherElements"
  public static let summary = "One element along an axis for each index."

  /// The axis that indices name places of, from the end where negative.
  public var axis = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.int("axis", &axis, default: 0) }
  public static var onnx: [OnnxRule] { [.direct(GatherElements.self, since: 11)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, indices) = (try inputs.tensor(0), try inputs.indices(1))
    let axis = try normalizedAxis(axis, rank: x.rank)
    guard indices.rank == x.rank else {
      throw DiagnosticError(
        .user, "gather.rank", "indices must have as many axes as the data, but are \(indices) for \(x)")
    }
    try obligations.fits(indices, into: x, except: axis)
    try obligations.isIndexed(x, axis, by: indices)
    return [Fact(x.element, indices.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, indices) = (try node.input(0), try node.input(1))
    let axis = try normalizedAxis(axis, rank: x.rank)
    let wrapped = try WrappedIndex(node, input: 1, sizes: [x.shape[axis]], name: GatherElements.name, into: &lowering)
    return [
      try lowering.element(indices.shape) { builder, index in
        var own = index
        own[axis] = wrapped.place(builder.load(indices.id, index), size: x.shape[axis])
        return builder.load(x.id, own)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var second = GatherElements()
    second.axis = 1
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 3]), -1...1)
    let indices = OperatorExample.Input.given(.i64([2, 3], [0, 1, -1, 1, 0, 0]))
    let open = OperatorExample.Input.random(TensorType(.f32, ["n", "m"]), -1...1)
    return [GatherElements(), second].map { OperatorExample($0, [x, indices], sizes: [Symbol("n"): 2]) }
      + [OperatorExample(second, [open, indices], sizes: [Symbol("n"): 3, Symbol("m"): 2])]
  }
}

/// Slices picked by index tuples, which lie along the last axis of the second input.
public struct GatherND: Primitive {
  public static let name = "GatherND"
  public static let summary = "Slices picked by tuples of indices."

  /// How many leading axes data and indices share, which are walked side by side.
  public var batchDims = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.int("batch_dims", &batchDims, default: 0) }
  public static var onnx: [OnnxRule] { [.direct(GatherND.self, since: 11)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: batchDims == 0 ? 11 : 12)
  }

  /// The length of the tuples, which decides how many axes the result has.
  private func depth(_ x: TensorType, _ indices: TensorType) throws -> Int {
    guard (0...x.rank).contains(batchDims), batchDims < indices.rank else {
      throw DiagnosticError(
        .user, "gathernd.batch", "batch_dims is \(batchDims), but the operands are \(x) and \(indices)")
    }
    return try tupleLength(indices, atMost: x.rank - batchDims, of: x)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, indices) = (try inputs.tensor(0), try inputs.indices(1))
    let depth = try depth(x, indices)
    for axis in batchDims..<(batchDims + depth) { try obligations.isIndexed(x, axis, by: indices) }
    let batch = try obligations.equal(
      Array(x.shape[..<batchDims]), Array(indices.shape[..<batchDims]),
      "sizes of \(x) and of its indices, which are \(indices),")
    return [
      Fact(x.element, batch + indices.shape[batchDims..<(indices.rank - 1)] + x.shape[(batchDims + depth)...])
    ]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, indices) = (try node.input(0), try node.input(1))
    let depth = try depth(x.type, indices.type)
    let sizes = Array(x.shape[batchDims..<(batchDims + depth)])
    let wrapped = try WrappedIndex(node, input: 1, sizes: sizes, name: GatherND.name, into: &lowering)
    return [
      try lowering.element(try node.output().shape) { builder, index in
        let tuple = (0..<depth).map { k in
          wrapped.place(
            builder.load(indices.id, index[..<(indices.rank - 1)] + [builder.constant(k, .i64)]), size: sizes[k])
        }
        return builder.load(x.id, index[..<batchDims] + tuple + index[(indices.rank - 1)...])
      }
    ]
  }

  public static var examples: [OperatorExample] {
    var batched = GatherND()
    batched.batchDims = 1
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 3, 2]), -1...1)
    return [
      OperatorExample(GatherND(), [x, .given(.i64([2, 2], [0, 1, 1, -1]))], sizes: [Symbol("n"): 2]),
      OperatorExample(GatherND(), [x, .given(.i64([2, 1], [1, 0]))], sizes: [Symbol("n"): 2]),
      OperatorExample(batched, [x, .given(.i64([2, 1], [1, 2]))], sizes: [Symbol("n"): 2]),
      OperatorExample(
        batched,
        [.random(TensorType(.f32, ["n", "m", "k"]), -1...1), .random(TensorType(.i64, ["b", 1]), 0...2)],
        sizes: [Symbol("n"): 2, Symbol("m"): 3, Symbol("k"): 2, Symbol("b"): 2]),
    ]
  }
}

/// The length of index tuples, which lie along the last axis.
func tupleLength(_ indices: TensorType, atMost limit: Int, of x: TensorType) throws -> Int {
  guard let last = indices.shape.last else {
    throw DiagnosticError(.user, "gathernd.depth", "the indices must have at least one axis, but are \(indices)")
  }
  guard let length = last.value else {
    throw DiagnosticError(
      .limit, "gathernd.depth",
      "how long the index tuples are must be known ahead of time, but the indices are \(indices)",
      hint: "give the last axis of the indices a known size")
  }
  guard length <= limit else {
    throw DiagnosticError(
      .user, "gathernd.depth", "index tuples may have at most \(limit) entries for \(x), but the indices are \(indices)"
    )
  }
  return length
}

extension Obligations {
  /// There are no indices of an axis that has no elements.
  mutating func isIndexed(_ x: TensorType, _ axis: Int, by indices: TensorType) throws {
    try atLeast(x.shape[axis], Dim.min(indices.count, 1), "size of axis \(axis) of \(x), whose indices are \(indices),")
  }

  /// Indices lie within the data along all axes but the one that they index.
  mutating func fits(_ indices: TensorType, into x: TensorType, except axis: Int) throws {
    for other in x.shape.indices where other != axis {
      try atLeast(
        x.shape[other], indices.shape[other], "size of axis \(other) of \(x), whose indices are \(indices),")
    }
  }
}

extension NodeInputs {
  /// The type of an input that holds indices.
  func indices(_ index: Int) throws -> TensorType {
    let type = try tensor(index)
    guard type.element.isInteger else {
      throw DiagnosticError(
        .user, "operator.type", "input \(index) must hold integers, but is \(type)", hint: "insert a Cast")
    }
    return type
  }
}

// MARK: - Gradients: what was read is added to where it was read from.

extension Gather: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, indices) = (try node.input(0), try node.input(1))
    let axis = try normalizedAxis(axis, rank: try x.rank)
    let (rank, count) = (try node.output.rank, try indices.rank)
    // The axes of the indices come first, as those of a scatter do.
    let own = Array(axis..<(axis + count))
    let rest = (0..<rank).filter { !own.contains($0) }
    let updates = try node.gradient().transposed(own + rest)
    let moved = [axis] + (0..<(try x.rank)).filter { $0 != axis }
    var scatter = ScatterND()
    scatter.reduction = .add
    let sum = try x.transposed(moved).zeros().applying(scatter, try indices.unsqueezed([count]), updates)
    return [try sum.transposed(back: moved), nil]
  }
}

extension GatherElements: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    var scatter = ScatterElements()
    (scatter.axis, scatter.reduction) = (axis, .add)
    return [try node.input(0).zeros().applying(scatter, try node.input(1), try node.gradient()), nil]
  }
}

extension GatherND: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    var indices = try node.input(1)
    if batchDims > 0 {
      // The places along the axes of the batch come before the indices.
      let rank = try indices.rank
      let one = try indices.cast(to: .i64).applying(Gather(axis: rank - 1), indices.integers([0]))
      let zero = try one * one.integers([0])
      let places = try (0..<batchDims).map { axis in
        try zero + indices.positions(along: axis).unsqueezed((0..<rank).filter { $0 != axis })
      }
      indices = try node.tape.add(Concat(axis: rank - 1), places + [indices.cast(to: .i64)])[0]
    }
    var scatter = ScatterND()
    scatter.reduction = .add
    return [try node.input(0).zeros().applying(scatter, indices, try node.gradient()), nil]
  }
}
