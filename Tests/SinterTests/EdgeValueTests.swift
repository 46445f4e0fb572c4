import Foundation
import Sinter
import Testing

/// Values at the borders of what functions take: zeros, infinities, sizes of one. The numbers are PyTorch 2.13's.
@Suite struct EdgeValueTests {
  static func values(_ tensor: Tensor) throws -> [Double] { try tensor.numbers().doubles ?? [] }

  /// The gradient in `x` of the sum of what a function gives.
  static func gradient(_ x: [Double], _ function: (Tensor) -> Tensor) throws -> [Double] {
    let x = tensor(x, requiresGradient: true)
    try function(x).sum().backward()
    return try values(try #require(x.grad))
  }

  static func expectNear(
    _ given: [Double], _ expected: [Double], within tolerance: Double = 1e-6,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let isNear =
      given.count == expected.count
      && zip(given, expected).allSatisfy { $0 == $1 || abs($0 - $1) <= tolerance * Swift.max(abs($0), abs($1)) }
    #expect(isNear, "\(given) instead of \(expected)", sourceLocation: sourceLocation)
  }

  // MARK: Losses

  @Test func binaryCrossEntropyHasGradientsAtZeroAndOne() throws {
    let p = tensor([0.0, 0.0, 1.0, 1.0, 0.5, 1e-13], requiresGradient: true)
    let t = tensor([0.0, 1.0, 0.0, 1.0, 0.25, 1.0], requiresGradient: true)
    let losses = binaryCrossEntropy(p, t, reduction: .none)
    Self.expectNear(try Self.values(losses), [0, 100, 100, 0, 0.6931472, 29.93361])
    try losses.sum().backward()
    Self.expectNear(try Self.values(try #require(p.grad)), [0, -1e12, 1e12, 0, 1, -1e12])
    let targets = try Self.values(try #require(t.grad))
    #expect(targets[4] == 0 && abs(targets[5] - 29.93361) < 1e-4 && targets.allSatisfy { !$0.isNaN }, "\(targets)")
  }

  @Test func binaryCrossEntropyOfNarrowNumbersStaysFinite() throws {
    let losses = binaryCrossEntropy(tensor([0.0, 1.0, 0.5], .f16), tensor([1.0, 1.0, 0.0], .f16), reduction: .none)
    #expect(losses.element == .f16)
    Self.expectNear(try Self.values(losses), [100, 0, 0.6931], within: 1e-3)
  }

  @Test func varianceBelowItsBoundHasAGradient() throws {
    let grown = try Self.gradient([0, 1e-6, 2]) {
      gaussianNLLLoss(tensor([1.0, 0.0, 1.0]), tensor([0.0, 0.0, 0.0]), variance: $0, reduction: .sum)
    }
    Self.expectNear(grown, [-5e11, 5e5, 0.125], within: 1e-4)
    let loss = gaussianNLLLoss(tensor([1.0]), tensor([0.0]), variance: tensor([Double.infinity]))
    #expect(try loss.item() == .infinity)
  }

  @Test func targetsOfMinusHundredDoNotCount() throws {
    let scores = tensor([[1.0, 2.0], [0.5, 0.25]])
    let whole = try crossEntropy(scores[0..<1], tensor([0])).item()
    #expect(abs(try crossEntropy(scores, tensor([0, -100])).item() - whole) < 1e-6)
    #expect(abs(try nllLoss(scores.logSoftmax(1), tensor([0, -100])).item() - whole) < 1e-6)
  }

  @Test func marginsHavePowersOneAndTwo() throws {
    let error = #expect(throws: DiagnosticError.self) {
      try multiMarginLoss(tensor([[1.0, 2.0]]), tensor([0]), p: 3).item()
    }
    #expect(error?.diagnostics.first?.message.contains("1 or 2, but is 3") == true)
  }

  // MARK: Norms

  static let norms: [@Sendable (Tensor) -> Tensor] = [
    { $0.norm() }, { $0.norm(1) }, { $0.norm(3) }, { $0.norm(1.5) }, { $0.norm(0.5) }, { $0.norm(-1) },
    { $0.norm(.infinity) }, { $0.std() }, { $0.variance() },
  ]

  @Test(arguments: norms.indices) func normsOfZerosHaveNoGradient(_ index: Int) throws {
    let gradient = try Self.gradient([0, 0, 0], Self.norms[index])
    #expect(gradient == [0, 0, 0], "\(gradient)")
  }

  @Test func normsBesideZerosHaveTheirs() throws {
    Self.expectNear(try Self.gradient([0, 3, -4]) { $0.norm() }, [0, 0.6, -0.8])
    Self.expectNear(try Self.gradient([0, 1, -1]) { $0.norm(1.5) }, [0, 0.7937005, -0.7937005])
    Self.expectNear(try Self.gradient([0, 0]) { $0.normalized(0) }, [1e12, 1e12])
    #expect(try Self.values(tensor([0.0, 2.0]).norm(-1)) == [0])
    #expect(try tensor([0.0, Double.nan]).norm().item().isNaN)
  }

  // MARK: Types and small numbers

  @Test func numbersWithFractionsMakeFloats() throws {
    let whole = tensor([0, 1, 2]), isLow = whole < 1
    #expect(try Self.values(whole.clamp(min: 0.5)) == [0.5, 1, 2])
    #expect(whole.clamp(min: 1).element == .i64)
    #expect(try Self.values(`where`(isLow, whole, 0.5)) == [0, 0.5, 0.5])
    #expect(try Self.values(`where`(isLow, 0.5, whole)) == [0.5, 1, 2])
    #expect(try Self.values(whole.maskedFill(isLow, 7)) == [7, 1, 2])
    #expect(throws: DiagnosticError.self) { try whole.maskedFill(isLow, -.infinity).numbers() }
    #expect(throws: DiagnosticError.self) { try whole.mean().item() }
    #expect(throws: DiagnosticError.self) { try whole.std().item() }
    #expect(try tensor([1 << 53 + 1, Int.max]).numbers().int64s == [1 << 53 + 1, Int64.max])
  }

  @Test func smallNumbersAreKept() throws {
    let small = [0, 1e-20, 1e-7, -1e-7, 1e-3, 0.3, -0.5, 3]
    Self.expectNear(try Self.values(tensor(small).expm1()), small.map { expm1($0) }, within: 5e-7)
    Self.expectNear(try Self.values(tensor(small).log1p()), small.map { log1p($0) }, within: 5e-7)
    Self.expectNear(try Self.gradient(small) { $0.expm1() }, small.map { exp($0) }, within: 1e-6)
    Self.expectNear(try Self.gradient(small) { $0.log1p() }, small.map { 1 / (1 + $0) }, within: 1e-6)
    let ends = tensor([-Double.infinity, Double.infinity])
    #expect(try Self.values(ends.expm1()) == [-1, .infinity])
    #expect(try Self.values(tensor([-1.0, Double.infinity, 1e30]).log1p())[..<2] == [-.infinity, .infinity])
  }

  @Test func remaindersOfInfinitiesAreWhole() throws {
    let x = tensor([5.0, -5.0, 0.0, 7.5]), endless = Double.infinity
    #expect(try Self.values(x % endless) == [5, endless, 0, 7.5])
    #expect(try Self.values(x % -endless) == [-endless, -5, 0, -endless])
    #expect(try Self.values(x % tensor([3.0, 3.0, 3.0, endless])) == [2, 1, 0, 7.5])
    #expect(try Self.values(tensor([endless]) % 2)[0].isNaN)
  }

  // MARK: Sizes

  @Test func imagesShrinkToOnePixel() throws {
    let image = arange(16).float().reshape(1, 1, 4, 4)
    #expect(try Self.values(image.interpolate(size: [1, 1], mode: .linear)) == [7.5])
    Self.expectNear(try Self.values(image.interpolate(size: [1, 3], mode: .linear)), [6.1666667, 7.5, 8.8333333])
  }

  @Test func rangesHaveSizes() throws {
    #expect(throws: DiagnosticError.self) { try arange(0, -1e300, step: 1).numbers() }
    #expect(throws: DiagnosticError.self) { try eye(1 << 40, 1 << 40).numbers() }
    #expect(try Self.values(eye(2, 3)) == [1, 0, 0, 0, 1, 0])
  }

  @Test func rollsOfSizesThatAreSymbols() throws {
    let model = try trace((), [.f32("n", "m")]) { [$0[0].roll(3, axis: 0), $0[0].roll(-5, axis: -1)] }
    try withScratchFolder { folder in
      let library = try model.initialized().compile(to: "\(folder)/libroll.so")
      for (rows, columns) in [(1, 1), (2, 3), (7, 6), (0, 2), (3, 0)] {
        let results = try library.run(
          .f32([rows, columns], (0..<(rows * columns)).map { Float($0) })
        )
        let down = (0..<(rows * columns)).map {
          Double(((($0 / columns) + 3 * rows - 3) % rows) * columns + $0 % columns)
        }
        let left = (0..<(rows * columns)).map { Double(($0 / columns) * columns + ($0 % columns + 5) % columns) }
        #expect(results[0].doubles == down && results[1].doubles == left, "\(rows) × \(columns)")
      }
    }
  }
}
