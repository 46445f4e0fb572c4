import SinterCore
import SinterForms
import SinterIR

/// The gradient of a pool in its input: for each element of the input, the sum of what the windows hand to it that cover it.
///
/// Inputs: the gradient of the pool's result; a value of the shape of the pool's input; for the maximum, the positions that `MaxPool` gives.
public struct PoolGradient: Primitive {
  public static let name = "PoolGradient"
  public static let summary = "The gradient of MaxPool or AveragePool in its input."

  public enum Kind: String, CaseIterable, Sendable { case maximum, average }

  public var kind = Kind.maximum
  public var window = Window()
  public var ceilMode = false
  /// Of a mean: whether padding counts as elements.
  public var countIncludePad = false

  public init() {}
  public init(_ kind: Kind, _ window: Window, ceilMode: Bool, countIncludePad: Bool = false) {
    self.kind = kind
    self.window = window
    self.ceilMode = ceilMode
    self.countIncludePad = countIncludePad
  }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("kind", &kind, default: .maximum)
    window.attributes(&list)
    list.bool("ceil_mode", &ceilMode, default: false)
    list.bool("count_include_pad", &countIncludePad, default: false)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (g, x) = (try inputs.tensor(0), try inputs.tensor(1))
    try requireElement(g) { $0.isFloat }
    let pool = try PoolGeometry(x, window, ceil: ceilMode, channelsLast: false, &obligations)
    let subject = "sizes of the gradient \(g) and of the pool's result"
    guard g.rank == x.rank else {
      throw DiagnosticError(.user, "operator.rank", "the gradient must have \(x.rank) axes, but is \(g)")
    }
    try obligations.equal(g.shape, pool.result, subject)
    if kind == .maximum {
      let positions = try inputs.indices(2)
      guard positions.rank == g.rank else {
        throw DiagnosticError(.user, "operator.rank", "the positions must be as many as \(g), but are \(positions)")
      }
      try obligations.equal(positions.shape, g.shape, "sizes of the positions and of the gradient")
    }
    return [Fact(g.element, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (g, x) = (try node.input(0), try node.input(1))
    let positions = kind == .maximum ? try node.input(2) : nil
    let pool = try PoolGeometry(x.type, window, ceil: ceilMode, channelsLast: false, result: g.type)
    let (window, spatial) = (pool.window, pool.spatial)
    let compute = g.element.computeType
    // Windows that may cover an element, along each axis.
    let reaches = spatial.indices.map { window.dilations[$0] * (window.kernel[$0] - 1) + 1 }
    let counts = spatial.indices.map { (reaches[$0] + window.strides[$0] - 1) / window.strides[$0] }
    let (kind, countIncludePad) = (kind, countIncludePad)
    let sum = try lowering.reduce(.sum, x.shape, over: counts.map { Dim($0) }) { builder, index, inner in
      func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
      let (batch, channel, place) = pool.layout.parts(index)
      var covers = builder.bool(true)
      let at = spatial.indices.map { axis in
        let stride = number(window.strides[axis])
        let padded = place[axis] + builder.size(window.padsBegin[axis])
        let at = padded.floorDivided(by: stride) - inner[axis]
        covers = covers && (at >= number(0)) && (at < builder.size(window.output[axis]))
        if kind == .average {
          let tap = padded - at * stride
          covers = covers && (tap < number(reaches[axis]))
          if window.dilations[axis] > 1 { covers = covers && (tap.modulo(number(window.dilations[axis])) .== number(0)) }
        }
        return at
      }
      let from = pool.layout.index(batch, channel, at)
      if let positions {
        // Where an element lies in the whole input, row by row.
        let own = zip(index, x.shape).reduce(number(0)) { $0 * builder.size($1.1) + $1.0 }
        covers = covers && (builder.load(positions.id, from, where: covers).cast(to: .i64) .== own)
      }
      let value = builder.load(g.id, from, where: covers).cast(to: compute)
      if kind == .maximum { return value }
      return value / pool.elementCount(builder, from, includingPadding: countIncludePad).cast(to: compute)
    }
    return [try lowering.cast(sum, to: g.element)]
  }

  public static var examples: [OperatorExample] {
    var window = Window()
    (window.kernel, window.strides, window.pads) = ([3, 2], [2, 1], [1, 0, 1, 1])
    var wide = Window()
    (wide.kernel, wide.strides, wide.dilations) = ([2, 3], [2, 2], [1, 2])
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    var closed = Window()
    (closed.kernel, closed.strides) = ([2], [2])
    return [
      OperatorExample(PoolGradient(.average, window, ceilMode: false), [random([2, 3, 3, 5]), random([2, 3, 6, 5])]),
      OperatorExample(
        PoolGradient(.average, wide, ceilMode: false), [random(["n", 3, 3, 3]), random(["n", 3, 6, 9])],
        sizes: [Symbol("n"): 2]),
      OperatorExample(
        PoolGradient(.maximum, closed, ceilMode: false),
        [random([1, 2, 3]), random([1, 2, 6]), .given(.i64([1, 2, 3], [0, 3, 5, 7, 9, 10]))]),
    ]
  }
}

extension PoolGradient: Differentiable {
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let cotangent = try node.gradient()
    switch kind {
    case .average:
      var pool = AveragePool()
      (pool.window, pool.ceilMode, pool.countIncludePad) = (window, ceilMode, countIncludePad)
      return [try cotangent.applying(pool), nil]
    case .maximum:
      let positions = try node.input(2)
      let picked = try cotangent.flat().applying(Gather(axis: 0), positions.flat())
      return [try picked.reshaped(like: positions), nil, nil]
    }
  }
}
