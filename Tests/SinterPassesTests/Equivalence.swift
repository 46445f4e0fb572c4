import SinterCore
import SinterIR
import SinterPasses
import Testing

/// A generator that gives the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &+ 0x9e37_79b9_7f4a_7c15 }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

extension HostTensor {
  /// Floats in -1 ..< 1, integers in 0 ..< 4.
  static func random(_ element: ElementType, _ shape: [Int], _ generator: inout SeededGenerator) -> HostTensor {
    let count = shape.reduce(1, *)
    func integers<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) -> HostTensor {
      HostTensor(element, shape, values: (0..<count).map { _ in T.random(in: 0..<4, using: &generator) })
    }
    switch element {
    case .f64: return HostTensor(element, shape, values: (0..<count).map { _ in Double.random(in: -1..<1, using: &generator) })
    case .i64: return integers(Int64.self)
    case .i32: return integers(Int32.self)
    case .bool: return HostTensor(element, shape, values: (0..<count).map { _ in UInt8.random(in: 0..<2, using: &generator) })
    default: return .f32(shape, (0..<count).map { _ in Float.random(in: -1..<1, using: &generator) })
    }
  }

  static func random(_ shape: [Int], seed: UInt64) -> HostTensor {
    var generator = SeededGenerator(seed: seed)
    return random(.f32, shape, &generator)
  }

  /// The largest difference to another tensor, relative to its largest magnitude (at least 1).
  func distance(to other: HostTensor) -> Double {
    guard element == other.element, shape == other.shape else { return .infinity }
    switch element {
    case .f32:
      let (a, b) = (array(of: Float.self), other.array(of: Float.self))
      let scale = b.reduce(1) { Swift.max($0, $1.isFinite ? abs($1) : 0) }
      return zip(a, b).reduce(0) { worst, pair in
        let (x, y) = pair
        if x == y || (x.isNaN && y.isNaN) { return worst }
        let error = Double(abs(x - y) / scale)
        return error.isNaN ? .infinity : Swift.max(worst, error)
      }
    default: return hasSameContents(as: other) ? 0 : .infinity
    }
  }
}

/// Runs passes with verification and expects that the graph still computes what it did, for random inputs; gives the new graph.
@discardableResult
func expectSameMeaning(
  _ graph: Graph, after passes: [Pass], sizes: [Symbol: Int] = [:], seed: UInt64 = 1, tolerance: Double = 1e-5,
  sourceLocation: SourceLocation = #_sourceLocation
) throws -> Graph {
  var flags = Flags()
  flags.verify = true
  var manager = PassManager(flags: flags)
  var optimized = graph
  try manager.run(passes, on: &optimized)
  #expect(GraphVerifier.problems(of: optimized) == [], sourceLocation: sourceLocation)

  var generator = SeededGenerator(seed: seed)
  let inputs = try graph.inputs.map { port in
    let type = try #require(graph.type(of: port.value).tensor)
    let shape = try type.shape.map { dim in try #require(dim.evaluated { sizes[$0] }, "size \(dim)") }
    return HostTensor.random(type.element, shape, &generator)
  }
  let expected = try GraphEvaluator.run(graph, inputs, symbols: sizes)
  let given = try GraphEvaluator.run(optimized, inputs, symbols: sizes)
  for (index, (a, b)) in zip(given, expected).enumerated() {
    let distance = a.distance(to: b)
    #expect(
      distance <= tolerance, "output \(graph.outputs[index].name) differs by \(distance):\n\(graph)\n\(optimized)",
      sourceLocation: sourceLocation)
  }
  return optimized
}

extension Graph {
  /// The names of its operators in order.
  var operatorNames: [String] { order.map { Swift.type(of: nodes[$0].op).name } }
}
