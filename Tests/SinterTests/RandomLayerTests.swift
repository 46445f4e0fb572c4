import Foundation
import Sinter
import Testing

/// Random numbers in models: what they are spread like, that equal keys give equal ones, and that models in use have none.
@Suite struct RandomLayerTests {
  /// The results of a function of ones while training, for keys of a seed and a step.
  static func run(
    _ shape: [Int], keys: [[Int]] = [[1, 0]], threads: Int = 0, _ body: @escaping (Tensor) -> Tensor
  ) throws -> [[Double]] {
    var spec = InputSpec.f32()
    spec.type = TensorType(.f32, shape.map { Dim($0) })
    let model = try trace((), [spec], mode: .train) { body($0[0]) }.initialized()
    let ones = HostTensor(.f32, shape, doubles: [Double](repeating: 1, count: shape.reduce(1, *)))
    return try withScratchFolder { folder in
      try model.compile(to: "\(folder)/librandom.so")
      let library = try LoadedModel("\(folder)/librandom.so", threads: threads)
      return try keys.map { try library.run(ones, .i64([2], $0))[0].doubles ?? [] }
    }
  }

  @Test func channelsAreDroppedTogether() throws {
    let drop = Dropout2d(0.4)
    let values = try Self.run([20, 50, 3, 3]) { drop($0) }[0]
    var kept = 0
    for channel in 0..<1000 {
      let part = Set(values[(channel * 9)..<(channel * 9 + 9)])
      #expect(part.count == 1 && (part.first == 0 || abs((part.first ?? 0) - 1 / 0.6) < 1e-6))
      if part.first != 0 { kept += 1 }
    }
    // Three standard deviations.
    #expect(abs(Double(kept) - 600) < 3 * (1000 * 0.4 * 0.6).squareRoot())
  }

  @Test func alphaDropoutKeepsMeanAndVariance() throws {
    let drop = AlphaDropout(0.3)
    let values = try Self.run([100_000]) { x in drop(x.randnLike()) }[0]
    let mean = values.reduce(0, +) / 1e5
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 1e5
    #expect(abs(mean) < 0.02 && abs(variance - 1) < 0.03)
  }

  @Test func numbersAreSpreadAsTheyShould() throws {
    let normal = try Self.run([100_000]) { $0.randnLike() }[0]
    let isFinite = normal.allSatisfy { $0.isFinite }
    #expect(isFinite)
    let (mean, square) = (normal.reduce(0, +) / 1e5, normal.reduce(0) { $0 + $1 * $1 } / 1e5)
    #expect(abs(mean) < 0.01 && abs(square - 1) < 0.02)
    let whole = try Self.run([30_000]) { $0.randintLike(-1..<2) }[0]
    for value in [-1.0, 0, 1] { #expect(abs(Double(whole.count { $0 == value }) - 10_000) < 300) }
    let hits = try Self.run([30_000]) { ($0 * 0.25).bernoulli() }[0]
    #expect(abs(hits.reduce(0, +) - 7500) < 250 && Set(hits) == [0, 1])
    let drawn = try Self.run([2, 3]) { ($0 * tensor([[1.0, 0.0, 3.0], [0.0, 2.0, 2.0]])).multinomial(20_000) }[0]
    #expect(drawn.count == 40_000)
    let (first, second) = (drawn[..<20_000], drawn[20_000...])
    #expect(abs(Double(first.count { $0 == 0 }) - 5000) < 200 && !first.contains(1))
    #expect(abs(Double(second.count { $0 == 1 }) - 10_000) < 220 && !second.contains(0))
  }

  @Test func keysDecide() throws {
    let keys = [[1, 0], [1, 0], [1, 1], [2, 0]]
    let one = try Self.run([5000], keys: keys, threads: 1) { $0.randnLike() + $0.randLike() }
    let two = try Self.run([5000], keys: keys, threads: 2) { $0.randnLike() + $0.randLike() }
    #expect(one == two)
    #expect(one[0] == one[1] && one[0] != one[2] && one[0] != one[3] && one[2] != one[3])
  }

  @Test func modelsInUseDrawNothing() throws {
    let net = Sequential(Dropout(0.3), Dropout1d(0.4), AlphaDropout(0.2))
    let traced = try trace(net, .f32("n", 4, 5))
    #expect(traced.graph.order.isEmpty && traced.graph.inputs.count == 1)
  }

  @Test func elementsAreReadAsWhatTheyAre() throws {
    let tensor = HostTensor.i64([2], [1, 2])
    let numbers = try tensor.values(as: Int.self)
    #expect(numbers == [1, 2])
    #expect(Self.message { _ = try tensor.values(as: Float.self) }.contains("i64[2] is read as Float"))
    let short = HostTensor.f32([3], [1])
    #expect(Self.message { _ = try short.values(as: Float.self) }.contains("3 elements of type f32, but there are 1"))
    #expect("\(tensor)" == "tensor([1, 2])")
    try withScratchFolder { folder in
      let library = try trace(Identity(), .f32("n")).initialized().compile(to: "\(folder)/libid.so")
      let text = Self.message { _ = try library.run(short) }
      #expect(text.contains("3 elements of type f32, but there are 1"))
    }
  }

  /// What an action fails with; "" where it does not.
  static func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return ""
    } catch { return "\(error)" }
  }
}
