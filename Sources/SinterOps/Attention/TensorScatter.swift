import SinterCore
import SinterForms
import SinterIR

/// A cache with an update written along its sequence axis, for each sample of the batch from a place of its own. Inputs: the cache, the
/// update, the places (0).
public struct TensorScatter: Primitive {
  public static let name = "TensorScatter"
  public static let summary = "A cache with an update written along its sequence axis."

  /// What happens behind the end: nothing may be written there, or writing goes on at the start.
  public enum Mode: String, CaseIterable, Sendable { case linear, circular }

  /// The sequence axis, from the end where negative. Not the first one, which is the batch.
  public var axis = -2
  public var mode = Mode.linear

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("axis", &axis, default: -2)
    list.choice("mode", &mode, default: .linear)
  }

  public static var onnx: [OnnxRule] { [.direct(TensorScatter.self, since: 24)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 24) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (cache, update) = (try inputs.tensor(0), try inputs.tensor(1))
    let axis = try normalizedAxis(axis, rank: cache.rank)
    guard axis > 0, update.rank == cache.rank, update.element == cache.element else {
      throw DiagnosticError(
        .user, "tensorscatter.shape",
        "the update must be like the cache but along axis \(axis), but they are \(cache) and \(update)")
    }
    for place in 0..<cache.rank where place != axis {
      try obligations.equal(
        cache.shape[place], update.shape[place], "sizes of cache \(cache) and update \(update) along axis \(place)")
    }
    try obligations.atLeast(cache.shape[axis], update.shape[axis], "size of the cache \(cache) along axis \(axis)")
    if inputs.has(2) {
      _ = try inputs.indices(2)
      try obligations.matchChannels(inputs, 2, cache.shape[0], "examples")
      if cache.isNeverEmpty {
        try inputs.requireKnown(2, "place", below: limit(cache, update, axis))
      }
    }
    return [Fact(.tensor(cache))]
  }

  /// The first place at which an update may not begin.
  private func limit(_ cache: TensorType, _ update: TensorType, _ axis: Int) -> Dim {
    mode == .circular ? Dim(Self.greatestPlace) : cache.shape[axis] - update.shape[axis] + 1
  }

  /// Places of a cache without end, less an index, are counted in 64 bits.
  private static let greatestPlace = 1 << 62

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (cache, update) = (try node.input(0), try node.input(1))
    let places = node.has(2) ? try node.input(2) : nil
    let axis = try normalizedAxis(axis, rank: cache.rank)
    let outside = lowering.error("TensorScatter: place %0 leaves no room for the update: it must be less than %1")
    let limit = limit(cache.type, update.type, axis)
    return [
      try lowering.element(cache.shape) { builder, index in
        let start =
          places.map {
            builder.load($0.id, [index[0]]).cast(to: .i64).checked(below: builder.size(limit), error: outside)
          } ?? builder.constant(0, .i64)
        var place = index[axis] - start
        if mode == .circular { place = place.modulo(builder.size(cache.shape[axis])) }
        let isNew = place >= builder.constant(0, .i64) && place < builder.size(update.shape[axis])
        var own = index
        own[axis] = place
        return builder.select(isNew, builder.load(update.id, own, where: isNew), builder.load(cache.id, index))
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let symbolic = OperatorExample(
      TensorScatter(),
      [
        .random(TensorType(.f32, ["n", "h", "s", "d"]), -1...1),
        .random(TensorType(.f32, ["m", "g", "t", "e"]), -1...1),
        .random(TensorType(.i64, ["p"]), 0...2),
      ],
      sizes: [
        Symbol("n"): 2, Symbol("h"): 2, Symbol("s"): 4, Symbol("d"): 3, Symbol("m"): 2, Symbol("g"): 2, Symbol("t"): 2,
        Symbol("e"): 3, Symbol("p"): 2,
      ])
    return [symbolic]
      + Mode.allCases.map { mode in
        var op = TensorScatter()
        op.mode = mode
        return OperatorExample(
          op,
          [
            .random(TensorType(.f32, ["n", 2, 5, 3]), -1...1), .random(TensorType(.f32, ["n", 2, 2, 3]), -1...1),
            .given(.i64([2], [mode == .linear ? 3 : 4, 1])),
          ], sizes: [Symbol("n"): 2])
      }
  }
}

extension TensorScatter: Differentiable {
  /// What was overwritten has none; the update has that of where it was written.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (cache, update, g) = (try node.input(0), try node.input(1), try node.gradient())
    let start = node.has(2) ? try node.input(2) : nil
    let rank = try cache.rank
    let axis = try normalizedAxis(axis, rank: rank)
    // The places that are written, as [n, 1, …, length, …, 1].
    var places = try update.positions(along: axis).unsqueezed((0..<rank).filter { $0 != axis })
    if let start {
      places = try places + start.cast(to: .i64).unsqueezed(Array(1..<rank))
      if mode == .circular { places = try places.applying(Binary(.modulo), cache.size(axis)) }
    }
    var gather = GatherElements()
    gather.axis = axis
    return [
      try g.applying(self, update.zeros(), start),
      try g.applying(gather, places.applying(Expand(), update.shapeValue())), nil,
    ]
  }
}
