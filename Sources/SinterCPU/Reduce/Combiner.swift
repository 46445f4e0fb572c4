import SinterCore
import SinterForms
import SinterKernelIR

/// The running state of a reduction: how it starts, takes an element in, and joins with another.
///
/// A state is one register, or two for positions: the best value and where it stands.
struct Combiner {
  let combine: Combine
  /// The type of the elements, in which they are combined.
  let element: ElementType
  let builder: KernelBuilder

  /// Arithmetic on truth values is done on bytes where order matters.
  init(_ combine: Combine, element: ElementType, builder: KernelBuilder) {
    self.combine = combine
    let needsOrder = combine != .and && combine != .or
    self.element = element == .bool && needsOrder ? .u8 : element.computeType
    self.builder = builder
  }

  /// The type of the combined value.
  var result: ElementType { combine.isIndex ? .i64 : element }

  /// What changes nothing.
  private var start: Scalar {
    switch combine {
    case .sum, .product, .minimum, .maximum, .and, .or: combine.identity(of: element) ?? .int(0)
    case .firstMinimumIndex, .lastMinimumIndex: Combine.minimum.identity(of: element) ?? .int(0)
    case .firstMaximumIndex, .lastMaximumIndex: Combine.maximum.identity(of: element) ?? .int(0)
    }
  }

  func initial(lanes: Int) -> [Register] {
    let value = builder.constant(start, element, lanes: lanes)
    return combine.isIndex ? [value, builder.constant(.int(0), .i64, lanes: lanes)] : [value]
  }

  /// The state after one more element. Lanes that `mask` leaves out stay as they are.
  ///
  /// - Parameter position: where the element stands among those reduced; needed for positions only.
  func take(_ state: [Register], _ raw: Register, position: () -> Register, mask: Register?) -> [Register] {
    let value = builder.cast(raw, to: element)
    guard combine.isIndex else {
      guard let function = combine.function else { return state }
      let counted =
        mask.map { builder.select($0, value, builder.constant(start, element, lanes: builder.type(value).lanes)) }
        ?? value
      // Whether the first operand is NaN is what costs extra: better looked at in the element, on which nothing else waits.
      return [builder.binary(function, counted, state[0])]
    }
    return better(state, [value, position()], mask: mask, ties: false)
  }

  /// Two states as one. Of equal elements the position decides.
  func join(_ a: [Register], _ b: [Register]) -> [Register] {
    guard combine.isIndex else {
      guard let function = combine.function else { return a }
      return [builder.binary(function, a[0], b[0])]
    }
    return better(a, b, mask: nil, ties: true)
  }

  private var wantsMaximum: Bool { combine == .firstMaximumIndex || combine == .lastMaximumIndex }
  private var wantsLast: Bool { combine == .lastMinimumIndex || combine == .lastMaximumIndex }

  /// The better of two states. Without `ties`, `b` comes after `a`.
  private func better(_ a: [Register], _ b: [Register], mask: Register?, ties: Bool) -> [Register] {
    func beats(_ x: Register, _ y: Register) -> Register {
      let ordered = builder.compare(wantsMaximum ? .greater : .less, x, y)
      guard element.isFloat else { return ordered }
      let isFirst = builder.binary(.and, builder.unary(.isNaN, x), builder.unary(.not, builder.unary(.isNaN, y)))
      return builder.binary(.or, ordered, isFirst)
    }
    let wins = beats(b[0], a[0])
    let loses = ties || wantsLast ? beats(a[0], b[0]) : wins
    var takes: Register
    if ties {
      let isNearer = builder.compare(wantsLast ? .greater : .less, b[1], a[1])
      takes = builder.binary(.or, wins, builder.binary(.and, builder.unary(.not, loses), isNearer))
    } else {
      takes = wantsLast ? builder.unary(.not, loses) : wins
    }
    if let mask { takes = builder.binary(.and, takes, mask) }
    return [builder.select(takes, b[0], a[0]), builder.select(takes, b[1], a[1])]
  }

  /// A vector state as a scalar one.
  func acrossLanes(_ state: [Register]) -> [Register] {
    let lanes = builder.type(state[0]).lanes
    if lanes == 1 { return state }
    guard combine.isIndex else { return [builder.combineLanes(combine, state[0])] }
    // Halves are joined until one lane is left.
    var state = state
    var width = lanes
    while width > 1 {
      let half = width / 2
      let low = state.map { builder.shuffle($0, $0, Array(0..<half)) }
      let high = state.map { builder.shuffle($0, $0, Array(half..<width)) }
      state = join(low, high)
      width = half
    }
    return state
  }

  /// The combined value.
  func final(_ state: [Register]) -> Register { combine.isIndex ? state[1] : state[0] }
}
