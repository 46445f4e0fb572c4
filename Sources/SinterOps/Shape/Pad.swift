import SinterCore
import SinterIR
import SinterKernel

/// Elements added before and after each axis, or removed where `pads` is negative. Inputs: data, pads (all begins, then all ends), the
/// constant (0), axes (all).
public struct Pad: Primitive {
  public static let name = "Pad"
  public static let summary = "Borders added: constant, the edge, mirrored, or wrapped around."

  public enum Mode: String, CaseIterable, Sendable { case constant, reflect, edge, wrap }

  public var mode = Mode.constant

  public init() {}
  public init(_ mode: Mode) { self.mode = mode }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("mode", &mode, default: .constant)
  }

  public static var onnx: [OnnxRule] {
    [
      .direct(Pad.self, since: 11),
      OnnxRule("Pad", since: 1) { node, builder in
        var op = Pad()
        var reader = OnnxAttributeReader(node)
        op.attributes(&reader)
        try reader.finish()
        let pads = builder.integers(node.ints("pads") ?? node.ints("paddings") ?? [])
        var inputs = [node.input(0), pads]
        if let x = node.input(0), let value = node.float("value"), value != 0 {
          inputs.append(try builder.scalar(value, try builder.type(x).element))
        }
        return try builder.add(op, inputs)
      },
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> OnnxForm? {
    OnnxForm(of: self, since: mode == .wrap ? 19 : inputs.has(3) ? 18 : 11)
  }

  /// Begin and end of each axis; nil where they are known only at run time.
  private func pads(_ inputs: NodeInputs) throws -> [(begin: Dim, end: Dim)]? {
    let x = try inputs.tensor(0)
    guard let pads = inputs.contents(1), !inputs.has(3) || inputs.integers(3) != nil else { return nil }
    let axes = try (inputs.optionalIntegers(3, "axes") ?? Array(0..<x.rank)).map {
      try normalizedAxis($0, rank: x.rank, name: "axes")
    }
    guard pads.count == 2 * axes.count else {
      throw DiagnosticError(.user, "pad.count", "pads must have \(2 * axes.count) entries for \(x), but is \(pads)")
    }
    var result = x.shape.map { _ in (begin: Dim(0), end: Dim(0)) }
    for (k, axis) in axes.enumerated() { result[axis] = (pads[k], pads[k + axes.count]) }
    return result
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    if let pads = try pads(inputs) {
      let shape = zip(x.shape, pads).map { $0 + $1.begin + $1.end }
      if let short = shape.first(where: { ($0.value ?? 0) < 0 }) {
        throw DiagnosticError(.user, "pad.size", "negative pads leave \(short) elements of \(x)")
      }
      return [Fact(x.element, shape)]
    }
    if let declared = inputs.declaredShape(), declared.count == x.rank { return [Fact(x.element, declared)] }
    _ = try inputs.optionalIntegers(3, "axes")
    _ = try inputs.knownSizes(1, "pads")
    return []
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let shape = try node.output().shape
    let pads = try pads(node.facts)
    let known = node.has(2) ? node.facts.constant(2)?.uniformNumber : 0
    return [
      try lowering.element(shape) { builder, index in
        let begins = try pads.map { $0.map { builder.size($0.begin) } } ?? begins(node, builder, rank: x.rank)
        let places = zip(index, begins).map { $0 - $1 }
        if mode != .constant {
          return builder.load(x.id, zip(places, x.shape).map { source(builder, $0, $1) })
        }
        var inside = builder.bool(true)
        for axis in places.indices where pads.map({ $0[axis].begin != 0 || $0[axis].end != 0 }) ?? true {
          let isBehindBegin = places[axis] >= builder.constant(0, .i64)
          inside = inside && (isBehindBegin && (places[axis] < builder.size(x.shape[axis])))
        }
        if let known {
          return builder.load(
            x.id, places, where: inside, otherwise: x.element.isFloat ? .float(known) : .int(Int64(known)))
        }
        let value = try node.input(2)
        let outside = builder.load(value.id, value.shape.map { _ in builder.constant(0, .i64) })
        return builder.select(inside, builder.load(x.id, places, where: inside), outside)
      }
    ]
  }

  /// The element that stands at a place outside.
  private func source(_ builder: BodyBuilder, _ place: Expr, _ size: Dim) -> Expr {
    let zero = builder.constant(0, .i64)
    let extent = builder.size(size)
    switch mode {
    case .constant: return place
    case .edge: return place.clamped(zero, extent - builder.constant(1, .i64))
    case .wrap: return place.modulo(extent)
    case .reflect:
      let period = (extent * 2 - 2).maximum(builder.constant(1, .i64))
      let phase = place.modulo(period)
      return builder.select(phase < extent, phase, period - phase)
    }
  }

  /// The begin of each axis, read at run time.
  private func begins(_ node: LoweringNode, _ builder: BodyBuilder, rank: Int) throws -> [Expr] {
    func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
    let pads = try node.input(1)
    guard node.has(3) else { return (0..<rank).map { builder.load(pads.id, [number($0)]).cast(to: .i64) } }
    let axes = try node.input(3)
    var begins = (0..<rank).map { _ in number(0) }
    for axis in 0..<rank {
      for k in 0..<(axes.shape.first?.value ?? 0) {
        let named = builder.load(axes.id, [number(k)]).cast(to: .i64)
        let isHere = (named .== number(axis)) || (named .== number(axis - rank))
        begins[axis] = builder.select(isHere, builder.load(pads.id, [number(k)]).cast(to: .i64), begins[axis])
      }
    }
    return begins
  }

  public static var examples: [OperatorExample] {
    let x = OperatorExample.Input.random(TensorType(.f32, ["n", 4]), -1...1)
    let sizes = [Symbol("n"): 3]
    return Mode.allCases.map {
      OperatorExample(Pad($0), [x, .constant(.i64([4], [1, 2, 0, 1]))], sizes: sizes)
    } + [
      OperatorExample(Pad(), [x, .constant(.i64([2], [1, -1])), .given(.f32([], [3])), .constant(.i64([1], [-1]))], sizes: sizes),
      OperatorExample(Pad(), [x, .constant(.i64([4], [0, -1, 2, -1])), .constant(.f32([], [7]))], sizes: sizes),
    ]
  }
}
