import SinterCore
import SinterForms
import SinterIR

/// Pairs of elements of each head turned by angles that depend on the position. Inputs: x as [batch, heads, sequence, size] or [batch,
/// sequence, heads · size], cosines and sines [positions, half] for given position ids [batch, sequence], or [batch, sequence, half].
public struct RotaryEmbedding: Primitive {
  public static let name = "RotaryEmbedding"
  public static let summary = "Pairs of elements of each head turned by angles that depend on the position."

  /// Whether a pair is two neighbours, not an element of either half.
  public var isInterleaved = false
  /// How many heads lie in the last axis of an input of three axes.
  public var headCount = 0
  /// How many elements of each head are turned; 0 for all.
  public var rotated = 0

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("interleaved", &isInterleaved, default: false)
    list.int("num_heads", &headCount, default: 0)
    list.int("rotary_embedding_dim", &rotated, default: 0)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(RotaryEmbedding.self, since: 23),
      OnnxRule(name, domain: .microsoft) { node, builder in
        var op = RotaryEmbedding()
        var reader = OnnxAttributeReader(node)
        op.attributes(&reader)
        try reader.finish()
        return try op.ofMicrosoft(node, &builder)
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 23) }

  /// The size of a head, and how much of it half of what is turned is.
  private func headSize(_ x: TensorType, _ obligations: inout Obligations) throws -> (whole: Dim, half: Dim) {
    guard x.rank == 3 || x.rank == 4 else {
      throw DiagnosticError(.user, "rotary.shape", "the input must have 3 or 4 axes, but is \(x)")
    }
    var size = x.shape[x.rank - 1]
    if x.rank == 3 {
      guard headCount > 0 else {
        throw DiagnosticError(
          .user, "rotary.heads", "num_heads must be given for an input of 3 axes such as \(x), but is \(headCount)")
      }
      try obligations.divisible(size, by: Dim(headCount), "size of the last axis of \(x), of \(headCount) heads,")
      size = size / Dim(headCount)
    }
    guard rotated >= 0, rotated % 2 == 0 else {
      throw DiagnosticError(.user, "rotary.size", "rotary_embedding_dim must be even, but is \(rotated)")
    }
    if rotated > 0 {
      try obligations.atLeast(size, Dim(rotated), "size of a head of \(x), of which \(rotated) elements are turned,")
      return (size, Dim(rotated / 2))
    }
    try obligations.divisible(size, by: 2, "size of a head of \(x)")
    return (size, size / 2)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try requireElement(x) { $0.isFloat }
    let half = try headSize(x, &obligations).half
    let places = [x.shape[0], x.shape[x.rank - 2]]
    let (cosines, sines) = (try inputs.tensor(1), try inputs.tensor(2))
    let expected = inputs.has(3) ? 2 : 3
    for (index, table) in [(1, cosines), (2, sines)] where table.rank != expected {
      throw DiagnosticError(.user, "rotary.table", "input \(index) must have \(expected) axes, but is \(table)")
    }
    var shape = try obligations.equal(cosines.shape, sines.shape, "sizes of cosines \(cosines) and sines \(sines)")
    try obligations.equal(
      shape.removeLast(), half, "sizes of a row of cosines \(cosines) and of half of what is turned of a head")
    if inputs.has(3) {
      let positions = try inputs.indices(3)
      guard positions.rank == 2 else {
        throw DiagnosticError(.user, "rotary.positions", "positions must be [batch, sequence], but are \(positions)")
      }
      _ = try obligations.equal(
        positions.shape, places, "sizes of positions \(positions) and of batch and sequence of \(x)")
      if x.isNeverEmpty { try inputs.requireKnown(3, "position", below: shape[0]) }
    } else {
      _ = try obligations.equal(shape, places, "sizes of cosines \(cosines) and of batch and sequence of \(x)")
    }
    return [Fact(.tensor(x))]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, cosines, sines) = (try node.input(0), try node.input(1), try node.input(2))
    let positions = node.has(3) ? try node.input(3) : nil
    var settled = Obligations()
    let (size, half) = try headSize(x.type, &settled)
    let compute = x.element.computeType
    let table = lowering.error("RotaryEmbedding: position %0 lies outside of a table of %1")
    return [
      try lowering.element(x.shape) { builder, index in
        func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
        let last = index[x.rank - 1]
        let place = x.rank == 4 ? last : last.modulo(builder.size(size))
        let sequence = x.rank == 4 ? index[2] : index[1]
        let isRotated = rotated == 0 || size == Dim(rotated) ? builder.bool(true) : place < number(rotated)
        let isFirst = isInterleaved ? place.modulo(number(2)) .== number(0) : place < builder.size(half)
        let pair =
          isInterleaved ? place.floorDivided(by: number(2)) : builder.select(isFirst, place, place - builder.size(half))
        let distance = isInterleaved ? number(1) : builder.size(half)
        let partner = builder.select(isFirst, last + distance, last - distance)
        func load(_ at: Expr, where condition: Expr) -> Expr {
          builder.load(x.id, index.dropLast() + [at], where: condition).cast(to: compute)
        }
        func angle(_ values: Operand) -> Expr {
          guard let positions else {
            return builder.load(values.id, [index[0], sequence, pair], where: isRotated).cast(to: compute)
          }
          let row = builder.load(positions.id, [index[0], sequence]).cast(to: .i64)
            .checked(below: builder.size(values.shape[0]), error: table)
          return builder.load(values.id, [row, pair], where: isRotated).cast(to: compute)
        }
        let own = builder.load(x.id, index).cast(to: compute)
        let other = load(partner, where: isRotated) * angle(sines)
        let rotatedValue = own * angle(cosines) + builder.select(isFirst, -other, other)
        return builder.select(isRotated, rotatedValue, own).cast(to: x.element)
      }
    ]
  }

  /// onnxruntime's form: the positions come second, as [batch, sequence] or as the one that each sample begins at, and the table tells the size of
  /// a head that is turned whole. Its `scale` has no effect there, nor here.
  private func ofMicrosoft(_ node: OnnxNode, _ builder: inout GraphBuilder) throws -> [ValueID] {
    let inputs = builder.inputs(node.inputs, outputs: 1)
    let (x, positions, table) = (try inputs.tensor(0), try inputs.tensor(1), try inputs.tensor(2))
    guard x.rank == 3 || x.rank == 4, table.rank == 2, positions.rank == 1 || positions.rank == 2 else {
      throw DiagnosticError(
        .user, "rotary.shape",
        "expected an input of 3 or 4 axes, one or two of positions and two of cosines, but they are \(x), \(positions), \(table)"
      )
    }
    let length = x.shape[x.rank - 2]
    let isWhole = x.rank == 3 && rotated == 0
    if isWhole {
      try builder.require(by: Self.name) {
        try $0.atLeast(table.shape[1], 1, "size of a row of cosines \(table)")
        try $0.divisible(
          x.shape[2], by: table.shape[1] * 2, "size of \(x), whose heads are twice as large as a row of cosines,")
      }
    }
    if node.int("is_packed_batching") ?? 0 == 0 {
      try builder.require(by: Self.name) {
        try $0.atLeast(table.shape[0], length, "number of positions of cosines \(table), of which \(x) has")
      }
    }
    var places = try inputs.value(1)
    if positions.rank == 1 {
      try builder.require(by: Self.name) {
        try $0.equal(positions.shape[0], 1, "number of positions \(positions) and 1")
      }
      let count = try builder.size(of: try inputs.value(0), along: x.rank - 2)
      let each = try builder.add1(Binary(.add), [places, try builder.places(below: count)])
      let shape = try builder.add1(Concat(axis: 0), [try builder.size(of: try inputs.value(0), along: 0), count])
      places = try builder.add1(Expand(), [each, shape])
    }
    let tables = [inputs.id(2), inputs.id(3), places]
    if !isWhole { return try builder.add(self, [inputs.id(0)] + tables) }
    if let half = table.shape[1].value, let size = x.shape[2].value {
      var op = self
      op.headCount = size / (2 * half)
      return try builder.add(op, [inputs.id(0)] + tables)
    }
    let half = try builder.size(of: try inputs.value(2), along: 1)
    let size = try builder.add1(Binary(.multiply), [half, builder.integers([2])])
    let heads = try builder.splitHeads(try inputs.value(0), ofSize: size)
    return [try builder.joinHeads(try builder.add1(self, [heads] + tables))]
  }

  public static var examples: [OperatorExample] {
    var packed = RotaryEmbedding()
    packed.headCount = 2
    packed.isInterleaved = true
    packed.rotated = 4
    let sizes = [Symbol("n"): 2]
    return [
      OperatorExample(
        RotaryEmbedding(),
        [
          .random(TensorType(.f32, ["n", 2, 3, 4]), -1...1), .random(TensorType(.f32, [8, 2]), -1...1),
          .random(TensorType(.f32, [8, 2]), -1...1), .random(TensorType(.i64, ["n", 3]), 0...7),
        ], sizes: sizes),
      OperatorExample(
        packed,
        [
          .random(TensorType(.f32, ["n", 3, 12]), -1...1), .random(TensorType(.f32, ["n", 3, 2]), -1...1),
          .random(TensorType(.f32, ["n", 3, 2]), -1...1),
        ], sizes: sizes),
      OperatorExample(
        RotaryEmbedding(),
        [
          .random(TensorType(.f32, ["n", "h", "s", "d"]), -1...1), .random(TensorType(.f32, ["p", "c"]), -1...1),
          .random(TensorType(.f32, ["q", "e"]), -1...1), .random(TensorType(.i64, ["m", "t"]), 0...7),
        ],
        sizes: [
          Symbol("n"): 2, Symbol("h"): 2, Symbol("s"): 3, Symbol("d"): 4, Symbol("p"): 8, Symbol("c"): 2,
          Symbol("q"): 8,
          Symbol("e"): 2, Symbol("m"): 2, Symbol("t"): 3,
        ]),
    ]
  }
}

extension RotaryEmbedding: Composite {
  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    try builder.require(by: Self.name) { _ = try infer(inputs, requiring: &$0) }
    let tape = GradientTape(builder)
    defer { builder = tape.builder }
    func input(_ index: Int) throws -> GradientTensor { GradientTensor(try inputs.value(index), tape) }
    let given = try input(0)
    // [n, sequence, heads, size], or heads before the sequence.
    let isFlat = try given.rank == 3
    let x =
      try !isFlat
      ? given
      : given.reshaped(to: [
        given.size(0), given.size(1), given.integers([headCount]),
        given.size(2).applying(Binary(.divide), given.integers([headCount])),
      ])
    func angles(_ index: Int) throws -> GradientTensor {
      let table = try input(index)
      let own = try inputs.has(3) ? table.applying(Gather(axis: 0), input(3)) : table
      return try own.unsqueezed([isFlat ? 2 : 1])
    }
    let (cosines, sines) = (try angles(1), try angles(2))
    var (turned, rest): (GradientTensor, GradientTensor?) = (x, nil)
    if rotated > 0, try x.shape[3] != Dim(rotated) {
      let sizes = try tape.add(Concat(axis: 0), [x.integers([rotated]), x.size(3) - x.integers([rotated])])[0]
      let parts = try tape.add(Split(axis: 3), [x, sizes], outputs: 2)
      (turned, rest) = (parts[0], parts[1])
    }
    let half = try turned.size(3).applying(Binary(.divide), x.integers([2]))
    var pair: [GradientTensor]
    if isInterleaved {
      let pairs = try turned.reshaped(to: (0..<3).map { try turned.size($0) } + [half, x.integers([2])])
      pair = try pairs.split(into: 2, along: 4)
    } else {
      pair = try turned.split(into: 2, along: 3).map { try $0.unsqueezed([4]) }
    }
    let (c, s) = (try cosines.unsqueezed([4]), try sines.unsqueezed([4]))
    let both = [try pair[0] * c - pair[1] * s, try pair[0] * s + pair[1] * c]
    let joined =
      isInterleaved
      ? try tape.add(Concat(axis: 4), both)[0].reshaped(like: turned)
      : try tape.add(Concat(axis: 3), both.map { try $0.squeezed([4]) })[0]
    let whole = try rest.map { try tape.add(Concat(axis: 3), [joined, $0])[0] } ?? joined
    return [try whole.reshaped(like: given).id]
  }
}
