import SinterCore
import SinterForms
import SinterIR

/// What becomes of an element that an update meets.
public enum ScatterReduction: String, CaseIterable, Sendable {
  case none, add, mul, max, min

  var combine: Combine? {
    switch self {
    case .none: nil
    case .add: .sum
    case .mul: .product
    case .max: .maximum
    case .min: .minimum
    }
  }

  /// The opset that has it.
  var since: Int {
    switch self {
    case .none: 11
    case .add, .mul: 16
    case .max, .min: 18
    }
  }

  /// The type that updates are combined in.
  func type(_ element: ElementType) -> ElementType { self == .none ? element : element.computeType }
}

/// A copy of the data with single elements replaced or combined: each update goes to the place that its index names along an axis, its own
/// place along the others. Inputs: data, indices, updates.
public struct ScatterElements: Primitive {
  public static let name = "ScatterElements"
  public static let summary = "Elements written at indices along an axis."

  /// The axis that indices name places of, from the end where negative.
  public var axis = 0
  /// What becomes of the element that was there and the update.
  public var reduction = ScatterReduction.none

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: 0)
    list.choice("reduction", &reduction, default: .none)
  }

  public static var onnx: [OnnxRule] {
    [.direct(ScatterElements.self, since: 11), .direct(ScatterElements.self, as: "Scatter", since: 9)]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: reduction.since)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, indices, updates) = (try inputs.tensor(0), try inputs.indices(1), try inputs.tensor(2))
    let axis = try normalizedAxis(axis, rank: x.rank)
    guard indices.rank == x.rank, updates.rank == x.rank, updates.element == x.element else {
      throw DiagnosticError(
        .user, "scatter.type", "data, indices and updates must have equal ranks, but are \(x), \(indices), \(updates)")
    }
    _ = try obligations.equal(
      indices.shape, updates.shape, "sizes of the indices, \(indices), and the updates, \(updates),")
    try obligations.fits(indices, into: x, except: axis)
    try obligations.isIndexed(x, axis, by: indices)
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, indices, updates) = (try node.input(0), try node.input(1), try node.input(2))
    let axis = try normalizedAxis(axis, rank: x.rank)
    let type = reduction.type(x.element)
    let wrapped = try WrappedIndex(node, input: 1, sizes: [x.shape[axis]], name: ScatterElements.name, into: &lowering)
    let result = try lowering.scatter(
      TensorType(type, x.shape), domain: indices.shape, combine: reduction.combine,
      base: { builder, index in builder.load(x.id, index).cast(to: type) },
      update: { builder, index in
        var place = index
        place[axis] = wrapped.place(builder.load(indices.id, index), size: x.shape[axis])
        return (place, builder.load(updates.id, index).cast(to: type))
      })
    return [try lowering.cast(result, to: x.element)]
  }

  public static var examples: [OperatorExample] {
    ScatterReduction.allCases.map { reduction in
      var op = ScatterElements()
      op.reduction = reduction
      op.axis = 1
      return OperatorExample(
        op,
        [
          .random(TensorType(.f32, ["n", 4]), -1...1), .given(.i64([2, 2], [0, -1, 2, reduction == .none ? 1 : 2])),
          .random(TensorType(.f32, [2, 2]), -1...1),
        ], sizes: [Symbol("n"): 2])
    } + [
      OperatorExample(
        ScatterElements(),
        [
          .random(TensorType(.f32, ["n", "m"]), -1...1), .given(.i64([1, 2], [1, -1])),
          .random(TensorType(.f32, ["k", "l"]), -1...1),
        ], sizes: [Symbol("n"): 3, Symbol("m"): 4, Symbol("k"): 1, Symbol("l"): 2])
    ]
  }
}

/// A copy of the data with slices replaced or combined at tuples of indices, which lie along the last axis. Inputs: data, indices,
/// updates.
public struct ScatterND: Primitive {
  public static let name = "ScatterND"
  public static let summary = "Slices written at tuples of indices."

  /// What becomes of the elements that were there and the update.
  public var reduction = ScatterReduction.none

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("reduction", &reduction, default: .none)
  }

  public static var onnx: [OnnxRule] { [.direct(ScatterND.self, since: 11)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, since: reduction.since)
  }

  /// The length of the index tuples, which the number of the updates' axes tells.
  private func depth(_ x: TensorType, _ indices: TensorType, _ updates: TensorType, _ obligations: inout Obligations)
    throws -> Int
  {
    let depth = indices.rank - 1 + x.rank - updates.rank
    guard indices.rank > 0, (0...x.rank).contains(depth), updates.element == x.element else {
      throw DiagnosticError(
        .user, "scatternd.updates",
        "updates must be \(x.element)[places…, slice…], but they are \(updates) for \(x) and indices \(indices)")
    }
    try obligations.equal(
      indices.shape[indices.rank - 1], Dim(depth),
      "length of the index tuples, \(indices), and \(depth), as updates of \(x) are \(updates),")
    return depth
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, indices, updates) = (try inputs.tensor(0), try inputs.indices(1), try inputs.tensor(2))
    let depth = try depth(x, indices, updates, &obligations)
    let expected = TensorType(x.element, indices.shape.dropLast() + x.shape[depth...])
    // Without tuples there may be axes without elements.
    let tuples = TensorType(indices.element, Array(indices.shape.dropLast()))
    for axis in 0..<depth { try obligations.isIndexed(x, axis, by: tuples) }
    _ = try obligations.equal(
      updates.shape, expected.shape, "sizes of the updates, \(updates), and of what they meet, \(expected),")
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, indices, updates) = (try node.input(0), try node.input(1), try node.input(2))
    var settled = Obligations()
    let depth = try depth(x.type, indices.type, updates.type, &settled)
    let type = reduction.type(x.element)
    let sizes = Array(x.shape[..<depth])
    let wrapped = try WrappedIndex(node, input: 1, sizes: sizes, name: ScatterND.name, into: &lowering)
    let result = try lowering.scatter(
      TensorType(type, x.shape), domain: updates.shape, combine: reduction.combine,
      base: { builder, index in builder.load(x.id, index).cast(to: type) },
      update: { builder, index in
        let at = Array(index[..<(indices.rank - 1)])
        let tuple = (0..<depth).map { k in
          wrapped.place(builder.load(indices.id, at + [builder.constant(k, .i64)]), size: sizes[k])
        }
        return (tuple + index[(indices.rank - 1)...], builder.load(updates.id, index).cast(to: type))
      })
    return [try lowering.cast(result, to: x.element)]
  }

  public static var examples: [OperatorExample] {
    ScatterReduction.allCases.map { reduction in
      var op = ScatterND()
      op.reduction = reduction
      return OperatorExample(
        op,
        [
          .random(TensorType(.f32, ["n", 3]), -1...1), .given(.i64([2, 1], [0, reduction == .none ? -1 : 0])),
          .random(TensorType(.f32, [2, 3]), -1...1),
        ], sizes: [Symbol("n"): 4])
    } + [
      OperatorExample(
        ScatterND(),
        [
          .random(TensorType(.f32, ["n", "m"]), -1...1), .given(.i64([2, 1], [1, -1])),
          .random(TensorType(.f32, ["k", "l"]), -1...1),
        ], sizes: [Symbol("n"): 3, Symbol("m"): 4, Symbol("k"): 2, Symbol("l"): 4])
    ]
  }
}

// MARK: - Gradients

extension ScatterElements: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let indices = try node.input(1)
    var gather = GatherElements()
    gather.axis = axis
    return try reduction.gradients(node) {
      try $0.applying(gather, indices)
    } scatter: { base, updates, reduction in
      var op = self
      op.reduction = reduction
      return try base.applying(op, indices, updates)
    }
  }
}

extension ScatterND: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let indices = try node.input(1)
    return try reduction.gradients(node) {
      try $0.applying(GatherND(), indices)
    } scatter: { base, updates, reduction in
      var op = self
      op.reduction = reduction
      return try base.applying(op, indices, updates)
    }
  }
}

extension ScatterReduction {
  /// The gradients of what is scattered into and of the updates.
  ///
  /// - Parameters:
  ///   - gather: the elements of a value of the result's shape that updates went to.
  ///   - scatter: updates combined with a value.
  fileprivate func gradients(
    _ node: GradientNode, gather: (GradientTensor) throws -> GradientTensor,
    scatter: (_ base: GradientTensor, _ updates: GradientTensor, _ reduction: ScatterReduction) throws -> GradientTensor
  ) throws -> [GradientTensor?] {
    let (x, updates, g) = (try node.input(0), try node.input(2), try node.gradient())
    switch self {
    case .add: return [g, nil, try gather(g)]
    case .none:
      // What was overwritten has none.
      return [try scatter(g, updates.zeros(), self), nil, try gather(g)]
    case .mul:
      // The others' product: that of all over the update, or where it is zero, that of all that are not, if there is no other zero.
      let factors = try scatter(x.zeros() + 1.0, updates, .mul)
      let element = try x.element
      let (isZero, isBaseZero) = (try updates.compare(.equal, updates.zeros()), try x.compare(.equal, x.zeros()))
      let (zero, baseZero) = (try isZero.cast(to: element), try isBaseZero.cast(to: element))
      let safe = try updates + zero
      let product = try scatter(x + baseZero, safe, .mul)
      let others = try gather(scatter(baseZero, zero, .add)) - zero
      let share = try (gather(g * product) / safe).kept(where: others.compare(.equal, updates.zeros()))
      return [try g * factors, nil, share]
    case .max, .min:
      // All that are equal to the result share its gradient.
      let isOwn = try x.compare(.equal, node.output)
      let isChosen = try updates.compare(.equal, gather(node.output))
      let element = try x.element
      let count = try scatter(isOwn.cast(to: element), isChosen.cast(to: element), .add)
      let share = try g / count
      return [try share.kept(where: isOwn), nil, try gather(share).kept(where: isChosen)]
    }
  }
}
