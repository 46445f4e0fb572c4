import Foundation
import Sinter
import Testing

/// The loss of sequences whose steps are not told apart, beside what all ways add up to, one by one in f64.
@Suite struct CTCLossTests {
  /// Minus the logarithm of the probability that a sequence spells labels: every way, kept where dropping repeats and blanks leaves the labels.
  static func expected(_ probabilities: [[Double]], _ labels: [Int], blank: Int) -> Double {
    let classes = probabilities.first?.count ?? 1
    var total = 0.0
    var way = [Int](repeating: 0, count: probabilities.count)
    for number in 0..<Int(pow(Double(classes), Double(probabilities.count))) {
      var rest = number
      for step in way.indices {
        way[step] = rest % classes
        rest /= classes
      }
      let spelled = way.indices.filter { ($0 == 0 || way[$0] != way[$0 - 1]) && way[$0] != blank }.map { way[$0] }
      if spelled == labels { total += exp(way.enumerated().reduce(0) { $0 + probabilities[$1.0][$1.1] }) }
    }
    return -log(total)
  }

  struct Case {
    var steps: [Int], labels: [[Int]]
    var blank = 0
  }

  static let cases = [
    Case(steps: [5, 4, 3], labels: [[1, 2], [1, 1], [2]]),
    Case(steps: [5, 5], labels: [[], [2, 1, 2]]),
    Case(steps: [4, 1], labels: [[0, 1], [1]], blank: 2),
    Case(steps: [1], labels: [[1]]),
    // Too short: a blank is needed between equal labels.
    Case(steps: [2, 3], labels: [[1, 1], [1, 1]]),
  ]

  @Test(arguments: CTCLossTests.cases.indices)
  func losses(_ index: Int) throws {
    let item = Self.cases[index], (classes, time, most) = (3, 5, 3), n = item.steps.count
    var random = SampleRandom(seed: UInt64(index))
    let scores = (0..<(time * n * classes)).map { _ in Float(random.uniform(-2, 2)) }
    let logarithms = try Tensor(.f32([time, n, classes], scores)).double().logSoftmax(2).numbers()
    let numbers = try #require(logarithms.doubles)
    let wanted = (0..<n).map { sequence in
      Self.expected(
        (0..<item.steps[sequence]).map { step in
          (0..<classes).map { numbers[(step * n + sequence) * classes + $0] }
        }, item.labels[sequence], blank: item.blank)
    }
    // Labels behind their number are none of the classes.
    let targets = Tensor(.i64([n, most], item.labels.flatMap { $0 + [Int](repeating: 99, count: most - $0.count) }))
    let steps = Tensor(.i64([n], item.steps)), counts = Tensor(.i64([n], item.labels.map(\.count)))
    let x = Tensor(logarithms)
    let found =
      try ctcLoss(
        x, targets, inputLengths: steps, targetLengths: counts, blank: item.blank, reduction: .none
      ).numbers().doubles ?? []
    for (a, b) in zip(found, wanted) { #expect(a == b || abs(a - b) < 1e-9 * max(1, abs(b)), "\(found) \(wanted)") }
    let held = wanted.map { $0.isInfinite ? 0 : $0 }
    let mean = try ctcLoss(
      x, targets, inputLengths: steps, targetLengths: counts, blank: item.blank, zeroInfinity: true
    ).item()
    let expected = zip(held, item.labels).reduce(0) { $0 + $1.0 / Double(max(1, $1.1.count)) } / Double(n)
    #expect(abs(mean - expected) < 1e-9)
  }

  @Test("the gradient in each score is that of differences")
  func gradient() throws {
    let (time, classes) = (4, 3)
    func loss(_ scores: Tensor) -> Tensor {
      ctcLoss(
        scores.logSoftmax(2), Tensor(.i64([2, 2], [1, 2, 2, 7])), inputLengths: Tensor(.i64([2], [4, 3])),
        targetLengths: Tensor(.i64([2], [2, 1])), reduction: .sum)
    }
    var random = SampleRandom(seed: 3)
    let start = (0..<(time * 2 * classes)).map { _ in random.uniform(-1, 1) }
    func tensor(_ values: [Double], _ asks: Bool = false) -> Tensor {
      Tensor(HostTensor(.f64, [time, 2, classes], doubles: values), requiresGradient: asks)
    }
    let x = tensor(start, true)
    try loss(x).backward()
    let found = try #require(x.grad?.numbers().doubles)
    for place in start.indices {
      var (up, down) = (start, start)
      up[place] += 1e-5
      down[place] -= 1e-5
      let slope = try (loss(tensor(up)).item() - loss(tensor(down)).item()) / 2e-5
      #expect(abs(found[place] - slope) < 1e-8, "at \(place)")
    }
  }

  @Test("a network learns to spell what no step is told")
  func learning() throws {
    let net = Linear(3, 3)
    let step = try trainingStep(
      net, [.f32(6, 1, 3), .i64(1, 2)], optimizer: Adam(learningRate: 0.1)
    ) { inputs in
      let lengths = inputs[0].trace.constant(.i64([1], [6])), counts = inputs[0].trace.constant(.i64([1], [2]))
      return (ctcLoss(net(inputs[0]).logSoftmax(2), inputs[1], inputLengths: lengths, targetLengths: counts), [])
    }.compile()
    var state = step.initialState(seed: 1)
    let rows: [Float] = [1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1]
    let x = HostTensor.f32([6, 1, 3], rows), labels = HostTensor.i64([1, 2], [1, 2])
    var losses: [Double] = []
    for _ in 0..<100 { losses.append(try step(&state, x, labels)["loss"] ?? .nan) }
    #expect(losses[99] < losses[0] / 20 && losses[99] > 0)
  }

  @Test func mistakesAreTold() {
    let x = Tensor(.f32([4, 2, 3], [Float](repeating: -1, count: 24)))
    let two = Tensor(.i64([2], [1, 1])), targets = Tensor(.i64([2, 1], [1, 1]))
    func message(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return ""
    }
    let blank = message { _ = try ctcLoss(x, targets, inputLengths: two, targetLengths: two, blank: 3).item() }
    #expect(blank.contains("the blank 3 lies outside of 3 classes"))
    let three = Tensor(.i64([3], [1, 1, 1]))
    let count = message { _ = try ctcLoss(x, targets, inputLengths: three, targetLengths: two).item() }
    #expect(count.contains("numbers of sequences of probabilities and of lengths"))
  }
}
