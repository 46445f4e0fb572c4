import SinterCore
import SinterForms
import SinterIR

/// The different elements of a tensor, or its different slices along an axis. Results: them, the first place of each, for each place which of
/// them stands there, how often each occurs. A NaN is different from everything, and stands behind all numbers.
public struct Unique: Primitive {
  public static let name = "Unique"
  public static let summary = "The different elements, or slices along an axis, and where they are."

  /// Absent: the elements of the whole tensor.
  public var axis: Int?
  /// In ascending order; otherwise in the order of their first places.
  public var isSorted = true

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.optionalInt("axis", &axis)
    list.bool("sorted", &isSorted, default: true)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(Unique.self, since: 11),
      OnnxRule("Unique", domain: .microsoft) { node, builder in
        // Of a list, in the order of first places, which are no result.
        var op = Unique()
        op.isSorted = false
        if let x = node.input(0), try builder.type(x).rank != 1 {
          throw DiagnosticError(.user, "unique.rank", "the input must be a list, but is \(try builder.type(x))")
        }
        let results = try builder.add(op, node.inputs, outputs: 4)
        return [results[0], results[2], results[3]]
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat || $0.isInteger || $0 == .bool || $0 == .string }
    let axis = try axis.map { try normalizedAxis($0, rank: x.rank) }
    let count = inputs.freshSize(result: 0, axis: axis ?? 0)
    var shape = axis == nil ? [count] : x.shape
    if let axis { shape[axis] = count }
    let all = axis.map { x.shape[$0] } ?? x.count
    return [Fact(x.element, shape), Fact(.i64, [count]), Fact(.i64, [all]), Fact(.i64, [count])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let given = try node.input(0)
    // Texts are ordered by their ranks, which are equal where they are.
    let x = given.element == .string ? lowering.call(.ranks, [given], gives: TensorType(.i64, given.shape)) : given
    let axis = try axis.map { try normalizedAxis($0, rank: x.rank) }
    let extent = axis.map { x.shape[$0] } ?? x.type.count
    let others = axis.map { axis in x.shape.indices.filter { $0 != axis }.map { x.shape[$0] } } ?? []
    let result = try node.output().shape[axis ?? 0]
    /// The element of a slice at a place among its own; where there is no axis, slices are elements.
    func element(_ builder: BodyBuilder, _ slice: Expr, _ own: [Expr]) -> Expr {
      guard let axis else {
        return builder.load(x.id, Reshaping.delinearize(builder, slice, x.shape)).cast(to: x.element.computeType)
      }
      var index = own
      index.insert(slice, at: axis)
      return builder.load(x.id, index).cast(to: x.element.computeType)
    }

    let order = try sorted(extent, others, &lowering, element)
    // Where a slice differs from the one before it, something new begins.
    let differs = try lowering.reduce(.maximum, [extent], over: others) { builder, index, own in
      let before = (index[0] - builder.constant(1, .i64)).maximum(builder.constant(0, .i64))
      let isNew =
        element(builder, builder.load(order.id, index), own) .!= element(builder, builder.load(order.id, [before]), own)
      return isNew.cast(to: .i64)
    }
    let begins = try lowering.element([extent]) { builder, index in
      let isFirst = index[0] .== builder.constant(0, .i64)
      return builder.select(
        isFirst, builder.constant(1, .i64), builder.load(differs.id, index).maximum(builder.constant(0, .i64)))
    }
    let places = try lowering.selected(extent, size: result, "number of different elements") { builder, place in
      builder.load(begins.id, [place]) .!= builder.constant(0, .i64)
    }
    let number = try lowering.scan(.sum, [extent], axis: 0, exclusive: false, reversed: false) { builder, index in
      builder.load(begins.id, index)
    }
    let first = try lowering.element([result]) { builder, index in
      builder.load(order.id, [builder.load(places.id, index)])
    }
    // The order of results: `rank` says where each of the sorted ones goes, `chosen` which one stands where.
    let chosen =
      isSorted
      ? nil
      : try lowering.sort([result], axis: 0, count: result, descending: false) { builder, index in
        builder.load(first.id, index)
      }
    let rank = try chosen.map { chosen in
      try lowering.scatter(
        TensorType(.i64, [result]), domain: [result], combine: nil, base: { builder, _ in builder.constant(0, .i64) },
        update: { builder, index in ([builder.load(chosen.id, index)], index[0]) })
    }
    func ranked(_ builder: BodyBuilder, _ place: Expr) -> Expr { rank.map { builder.load($0.id, [place]) } ?? place }
    func picked(_ builder: BodyBuilder, _ place: Expr) -> Expr { chosen.map { builder.load($0.id, [place]) } ?? place }

    let firstPlaces = try lowering.element([result]) { builder, index in
      builder.load(first.id, [picked(builder, index[0])])
    }
    let values = try lowering.element(try node.output().shape) { builder, index in
      let slice = builder.load(firstPlaces.id, [index[axis ?? 0]])
      guard let axis else { return builder.load(given.id, Reshaping.delinearize(builder, slice, x.shape)) }
      var own = index
      own[axis] = slice
      return builder.load(given.id, own)
    }
    func which(_ builder: BodyBuilder, _ index: Expr) -> Expr {
      ranked(builder, builder.load(number.id, [index]) - builder.constant(1, .i64))
    }
    let inverse = try lowering.scatter(
      TensorType(.i64, [extent]), domain: [extent], combine: nil, base: { builder, _ in builder.constant(0, .i64) },
      update: { builder, index in ([builder.load(order.id, index)], which(builder, index[0])) })
    let counts = try lowering.scatter(
      TensorType(.i64, [result]), domain: [extent], combine: .sum, base: { builder, _ in builder.constant(0, .i64) },
      update: { builder, index in ([which(builder, index[0])], builder.constant(1, .i64)) })
    return Array([values, firstPlaces, inverse, counts].prefix(node.outputs.count))
  }

  /// The order of slices, compared from their first elements on: sorted by the last ones first, each time keeping the order so far.
  private func sorted(
    _ extent: Dim, _ others: [Dim], _ lowering: inout Lowering, _ element: (BodyBuilder, Expr, [Expr]) -> Expr
  ) throws -> Operand {
    if axis == nil {
      return try lowering.sort([extent], axis: 0, count: extent, descending: false) { element($0, $1[0], []) }
    }
    let keys = others.reduce(Dim(1), *)
    let start = try lowering.element([extent]) { _, index in index[0] }
    let last = try lowering.element([]) { builder, _ in builder.size(keys - 1) }
    let (final, _) = try lowering.repetition(count: keys, carried: [last, start], sliced: []) { lowering, current, _ in
      let (key, order) = (current[0], current[1])
      let next = try lowering.sort([extent], axis: 0, count: extent, descending: false) { builder, index in
        element(
          builder, builder.load(order.id, index), Reshaping.delinearize(builder, builder.load(key.id, []), others))
      }
      let composed = try lowering.element([extent]) { builder, index in
        builder.load(order.id, [builder.load(next.id, index)])
      }
      let before = try lowering.element([]) { builder, _ in builder.load(key.id, []) - builder.constant(1, .i64) }
      return ([before, composed], [])
    }
    return final[1]
  }

  public static var examples: [OperatorExample] {
    var unsorted = Unique()
    unsorted.isSorted = false
    var rows = Unique()
    rows.axis = 0
    var columns = Unique()
    columns.axis = -1
    columns.isSorted = false
    let n = [Symbol("n"): 7]
    let texts = HostTensor(strings: ["b", "é", "", "b", "Z", "bb", "e\u{301}", ""], shape: [4, 2])
    return [
      OperatorExample(Unique(), [.given(texts)], outputs: 4), OperatorExample(unsorted, [.given(texts)], outputs: 4),
      OperatorExample(rows, [.given(texts.reshaped([8, 1]))], outputs: 4),
      OperatorExample(Unique(), [.random(TensorType(.i32, ["n", 2]), 0...4)], outputs: 4, sizes: n),
      OperatorExample(unsorted, [.random(TensorType(.f32, ["n"]), 0...3)], outputs: 4, sizes: n),
      OperatorExample(rows, [.random(TensorType(.i64, ["n", 2]), 0...2)], outputs: 4, sizes: n),
      OperatorExample(columns, [.random(TensorType(.i32, [2, "n"]), 0...2)], outputs: 4, sizes: n),
    ]
  }
}

extension Unique: Differentiable {
  /// Of equal elements, or slices, the first one has the gradient.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    let places = try node.outputs.count > 1 ? node.outputs[1] : node.tape.add(self, [x], outputs: 2)[1]
    guard let axis else {
      return [try g.scattered(to: places, along: 0, size: x.flat().size(0)).reshaped(like: x)]
    }
    let own = try normalizedAxis(axis, rank: try x.rank)
    return [try g.scattered(to: places, along: own, size: x.size(own))]
  }
}
