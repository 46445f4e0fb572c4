import SinterCore
import SinterIR
import SinterOps
import TestSupport
import Testing

/// Packed inputs of attention mean what the same numbers mean apart, which no kernel of onnxruntime's processor tells.
@Suite struct PackedAttentionInputTests {
  static let (batch, length, heads, size) = (2, 3, 2, 4)

  static func random(_ shape: [Int], _ generator: inout SeededGenerator) -> HostTensor {
    .f32(shape, (0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &generator) })
  }

  static func run(_ inputs: [HostTensor?]) throws -> HostTensor {
    var op = MultiHeadAttention()
    op.heads = heads
    var builder = GraphBuilder(name: "attention")
    let values = inputs.map { tensor in tensor.map { builder.constant($0) } }
    builder.output(try builder.add1(op, values), named: "y")
    return try GraphEvaluator.run(builder.graph, [], symbols: [:])[0]
  }

  /// [batch, length, heads · size] of each as [batch, length, heads, count, size].
  static func packed(_ parts: [HostTensor]) -> HostTensor {
    let values = parts.map { $0.array(of: Float.self) }
    var result: [Float] = []
    for row in 0..<(batch * length * heads) {
      for value in values { result += value[(row * size)..<((row + 1) * size)] }
    }
    return .f32([batch, length, heads, parts.count, size], result)
  }

  @Test(arguments: [false, true])
  func packedMeansApart(hasBias: Bool) throws {
    var generator = SeededGenerator(seed: 5)
    let width = Self.heads * Self.size
    let parts = (0..<3).map { _ in Self.random([Self.batch, Self.length, width], &generator) }
    let bias = hasBias ? Self.random([3 * width], &generator) : nil
    let expected = try Self.run([parts[0], parts[1], parts[2], bias])
    let pair = try Self.run([parts[0], Self.packed([parts[1], parts[2]]), nil, bias])
    #expect(pair.distance(to: expected) <= 1e-6)
    let all = try Self.run([Self.packed(parts), nil, nil, bias])
    #expect(all.distance(to: expected) <= 1e-6)
  }
}
