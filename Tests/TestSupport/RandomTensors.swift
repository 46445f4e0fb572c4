import SinterCore
import SinterIR

/// A generator that gives the same numbers on every machine.
package struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  package init(seed: UInt64) { state = seed &+ 0x9e37_79b9_7f4a_7c15 }
  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

extension HostTensor {
  /// Floats in -1 ..< 1, integers in 0 ..< 4.
  package static func random(_ element: ElementType, _ shape: [Int], _ generator: inout SeededGenerator) -> HostTensor {
    let count = shape.reduce(1, *)
    func integers<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> HostTensor {
      HostTensor(element, shape, values: (0..<count).map { _ in T.random(in: 0..<4, using: &generator) })
    }
    switch element {
    case .f64:
      return HostTensor(element, shape, values: (0..<count).map { _ in Double.random(in: -1..<1, using: &generator) })
    case .i64: return integers(Int64.self)
    case .i32: return integers(Int32.self)
    case .bool:
      return HostTensor(element, shape, values: (0..<count).map { _ in UInt8.random(in: 0..<2, using: &generator) })
    default: return .f32(shape, (0..<count).map { _ in Float.random(in: -1..<1, using: &generator) })
    }
  }

  package static func random(_ shape: [Int], seed: UInt64) -> HostTensor {
    var generator = SeededGenerator(seed: seed)
    return random(.f32, shape, &generator)
  }

  /// The largest difference to another tensor, relative to its largest magnitude (at least 1); infinite where types or shapes differ, or
  /// elements that are no floats.
  package func distance(to other: HostTensor) -> Double {
    guard element == other.element, shape == other.shape else { return .infinity }
    guard element.isFloat, let a = doubles, let b = other.doubles else {
      return hasSameContents(as: other) ? 0 : .infinity
    }
    let scale = b.reduce(1) { Swift.max($0, $1.isFinite ? abs($1) : 0) }
    return zip(a, b).reduce(0) { worst, pair in
      if pair.0 == pair.1 || (pair.0.isNaN && pair.1.isNaN) { return worst }
      let error = abs(pair.0 - pair.1) / scale
      return error.isNaN ? .infinity : Swift.max(worst, error)
    }
  }
}

extension Graph {
  /// Random tensors for its inputs, its open sizes being the given ones.
  package func randomInputs(sizes: [Symbol: Int], seed: UInt64) throws -> [HostTensor] {
    var generator = SeededGenerator(seed: seed)
    return try inputs.map { port in
      guard let type = type(of: port.value).tensor else {
        throw DiagnosticError(.bug, "test.input", "input \(port.name) is no tensor")
      }
      let shape = try type.shape.map { dim in
        guard let size = dim.evaluated({ sizes[$0] }) else {
          throw DiagnosticError(.bug, "test.size", "size \(dim) is not given")
        }
        return size
      }
      return HostTensor.random(type.element, shape, &generator)
    }
  }

  /// The names of its operators in order.
  package var operatorNames: [String] { order.map { Swift.type(of: nodes[$0].op).name } }
}

/// How many cases random tests try: few, unless `SINTER_FUZZ` asks for more.
package func randomCases(_ usual: Int) -> Range<Int> { 0..<(Flags.fromEnvironment().fuzz ?? usual) }
