import Foundation
import SinterCore
import SinterIR
import SinterOps
import Testing

/// What random numbers are: the generator's published ones, and by their statistics.
@Suite struct RandomOperatorTests {
  /// The results of a node for given inputs.
  static func run(_ op: some Operator, _ inputs: [HostTensor], outputs: Int = 1) throws -> [HostTensor] {
    var builder = GraphBuilder(name: "random")
    let values = inputs.map { builder.constant($0) }
    for (index, result) in try builder.add(op, values, outputs: outputs).enumerated() {
      builder.output(result, named: "y\(index)")
    }
    return try GraphEvaluator.run(builder.graph, [], symbols: [:])
  }

  static func draw(_ count: Int, _ change: (inout RandomDraw) -> Void = { _ in }) throws -> [Double] {
    var op = RandomDraw()
    change(&op)
    return try #require(try run(op, [.i64([1], [count])])[0].doubles)
  }

  /// The first word for the counter and the key 0, as the authors' list of known answers has it: 6627e8d5; the second is e169c58d.
  @Test func firstWordsAreThosePublished() throws {
    #expect(try Self.draw(1) == [Double(0x6627e8) * 0x1p-24])
    let wide = try Self.draw(1) { $0.type = .f64 }
    #expect(wide == [Double((UInt64(0x6627_e8d5) << 20) | UInt64(0xe169_c58d >> 12)) * 0x1p-52])
  }

  /// The greatest distance between the share of numbers below each and what the distribution tells.
  static func distance(_ numbers: [Double], _ share: (Double) -> Double) -> Double {
    let sorted = numbers.sorted()
    return sorted.enumerated().map { index, x in
      let expected = share(x)
      return Swift.max(
        abs(expected - Double(index) / Double(sorted.count)), abs(expected - Double(index + 1) / Double(sorted.count)))
    }.max() ?? 1
  }

  /// Kolmogorov and Smirnov's bound for one in ten thousand samples.
  static func bound(_ count: Int) -> Double { 2.23 / Double(count).squareRoot() }

  @Test(arguments: [ElementType.f32, .f64, .f16], [0.0, 1, 12345])
  func uniformNumbersAreUniform(type: ElementType, seed: Double) throws {
    let count = 20_000
    let numbers = try Self.draw(count) { ($0.type, $0.seed, $0.first, $0.second) = (type, seed, -2, 6) }
    #expect(numbers.allSatisfy { $0 >= -2 && $0 <= 6 })
    // Half precision has steps of 2⁻⁸ here.
    #expect(Self.distance(numbers) { ($0 + 2) / 8 } < Self.bound(count) + (type == .f16 ? 0x1p-10 : 0))
  }

  @Test(arguments: [ElementType.f32, .f64], [0.0, 1, 12345])
  func normalNumbersAreNormal(type: ElementType, seed: Double) throws {
    let count = 20_000
    let numbers = try Self.draw(count) {
      ($0.kind, $0.type, $0.seed, $0.first, $0.second) = (.normal, type, seed, 3, 0.5)
    }
    #expect(Self.distance(numbers) { 0.5 * (1 + erf(($0 - 3) / 0.5 / 2.0.squareRoot())) } < Self.bound(count))
    // Neighbours have nothing to do with one another.
    let products = zip(numbers, numbers.dropFirst()).map { ($0 - 3) * ($1 - 3) / 0.25 }
    #expect(abs(products.reduce(0, +) / Double(count)) < 4 / Double(count).squareRoot())
  }

  @Test func otherSeedsDrawOtherNumbers() throws {
    let (first, again) = (try Self.draw(100), try Self.draw(100))
    #expect(first == again)
    let other = try Self.draw(100) { $0.seed = 1 }
    #expect(zip(first, other).allSatisfy { $0 != $1 })
    // A longer tensor begins with the numbers of a shorter one.
    #expect(Array(try Self.draw(300).prefix(100)) == first)
  }

  @Test func onesAreAsFrequentAsToldForBernoulli() throws {
    let count = 20_000
    for probability in [0, 0.1, 0.5, 0.93, 1] {
      var op = Bernoulli()
      op.seed = 3
      let x = HostTensor.f32([count], [Float](repeating: Float(probability), count: count))
      let ones = try #require(try Self.run(op, [x])[0].doubles).reduce(0, +)
      let deviation = (Double(count) * probability * (1 - probability)).squareRoot()
      #expect(abs(ones - Double(count) * probability) <= 4 * deviation, "\(probability)")
    }
  }

  @Test func classesAreAsFrequentAsTold() throws {
    var op = Multinomial()
    (op.samples, op.seed) = (20_000, 5)
    let weights = [Float](arrayLiteral: 1, 0, 4, 2, 3)
    let x = HostTensor.f32([2, 5], weights.map { log($0) } + weights.reversed().map { log($0) + 7 })
    let drawn = try #require(try Self.run(op, [x])[0].integers)
    for row in 0..<2 {
      let own = drawn[(row * op.samples)..<((row + 1) * op.samples)]
      for (place, weight) in (row == 0 ? weights : weights.reversed()).enumerated() {
        let (share, count) = (Double(weight) / 10, Double(op.samples))
        let found = Double(own.filter { $0 == place }.count)
        #expect(
          abs(found - count * share) <= 4 * (count * share * (1 - share)).squareRoot(), "row \(row), class \(place)")
      }
    }
  }

  @Test(arguments: [0, 0.3, 1])
  func dropoutDropsAndScales(ratio: Double) throws {
    let count = 20_000
    var op = Dropout()
    op.seed = 9
    let x = HostTensor.f32([count], (0..<count).map { Float($0 + 1) })
    let training = HostTensor(.bool, [], values: [true])
    let results = try Self.run(op, [x, .f32([], [Float(ratio)]), training], outputs: 2)
    let (y, mask) = (try #require(results[0].doubles), try #require(results[1].integers))
    for index in 0..<count {
      let expected = mask[index] == 1 ? Double(index + 1) / (1 - Double(Float(ratio))) : 0
      #expect(abs(y[index] - expected) <= 1e-6 * expected)
    }
    let dropped = Double(mask.filter { $0 == 0 }.count)
    let deviation = (Double(count) * ratio * (1 - ratio)).squareRoot()
    #expect(abs(dropped - Double(count) * ratio) <= 4 * deviation)
  }
}
