import SinterCore
import SinterModel
import Synchronization
import Testing

@testable import SinterServing

@Suite("Batches and the queue")
struct BatchTests {
  private func signature(_ inputs: [[Port.Dimension]?], _ outputs: [[Port.Dimension]?]) -> ModelSignature {
    func ports(_ shapes: [[Port.Dimension]?], _ name: String) -> [Port] {
      shapes.enumerated().map { Port(name: "\(name)\($0.offset)", element: .f32, shape: $0.element) }
    }
    return ModelSignature(name: "m", inputs: ports(inputs, "x"), outputs: ports(outputs, "y"))
  }

  @Test func takesOnlyModelsWhoseRowsPortsTellApart() {
    let n = Port.Dimension.symbol("n")
    let good: [([[Port.Dimension]?], [[Port.Dimension]?])] = [
      ([[n, .fixed(3)]], [[n]]), ([[n], [n, .symbol("words")]], [[n, .symbol("words")]]),
      ([[n, .symbol("n_words")]], [[n, .symbol("2*n_words + 1")]]),
    ]
    for (inputs, outputs) in good { #expect(BatchRule.problem(signature(inputs, outputs)) == nil) }
    let bad: [([[Port.Dimension]?], [[Port.Dimension]?])] = [
      ([], [[n]]), ([[.fixed(3)]], [[n]]), ([[n]], [[.fixed(3)]]), ([[n], [.symbol("k")]], [[n]]), ([[n]], [[]]),
      ([[n, n]], [[n]]), ([[n]], [[n, .symbol("2*n")]]), ([[n]], [[n, .unknown]]), ([[n], nil], [[n]]),
      ([[.symbol("2*n")]], [[.symbol("2*n")]]), ([[.unknown]], [[.unknown]]),
    ]
    for (inputs, outputs) in bad {
      #expect(BatchRule.problem(signature(inputs, outputs)) != nil, "\(inputs) \(outputs)")
    }
    #expect(BatchRule(signature([[n]], [[n]]), maximumRows: 1) == nil)
  }

  private var rule: BatchRule {
    get throws { try #require(BatchRule(signature([[.symbol("n"), .symbol("k")]], [[.symbol("n")]]), maximumRows: 8)) }
  }

  @Test func choosesInOrderAndNeverAcrossSizes() throws {
    let rule = try rule
    func choose(_ rows: [(Int, Int)?]) -> [Int] {
      rule.choose(rows.map { $0.map { (rows: $0.0, key: [[$0.1]]) } }).indices
    }
    #expect(choose([(1, 3), (2, 3), (1, 4), (5, 3), (1, 3)]) == [0, 1, 3])
    #expect(choose([(1, 3), (8, 3), (1, 3)]) == [0])
    #expect(choose([(3, 3), nil, (5, 3)]) == [0, 2])
    #expect(choose([nil, (1, 3)]) == [0])
  }

  @Test func aBatchIsFullWhereNoneCanJoinIt() throws {
    let rule = try rule
    func isFull(_ rows: [(Int, Int)?]) -> Bool {
      rule.choose(rows.map { $0.map { (rows: $0.0, key: [[$0.1]]) } }).isFull
    }
    #expect(!isFull([(1, 3), (2, 3)]) && !isFull([(1, 3), (8, 4)]))
    #expect(isFull([(8, 3)]) && isFull([(5, 3), (3, 3)]) && isFull([nil, (1, 3)]))
    // Eight rows do not fit, and nothing behind them goes before them.
    #expect(isFull([(1, 3), (8, 3)]))
  }

  @Test func doesNotWaitForWhatCannotJoin() throws {
    let queue = RequestQueue(limit: 8, delay: 3_600_000_000_000, rule: try rule)
    for rows in [5, 6] {
      #expect(queue.add(PendingRun([], batch: (rows, [[3]])) { _ in }) == .accepted)
    }
    #expect(queue.take()?.count == 1)
  }

  private final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
  }

  @Test func drainingEndsWhereTheLastRequestExpires() {
    let queue = RequestQueue(limit: 8, delay: 0, rule: nil)
    #expect(queue.add(PendingRun([], batch: nil, arrival: 0, deadline: 1) { _ in }) == .accepted)
    queue.close()
    let drained = Flag()
    OwnThread.start {
      queue.drain()
      drained.set()
    }
    Clock.sleep(milliseconds: 100)
    #expect(!drained.isSet)
    #expect(queue.expired(Clock.now).count == 1)
    let end = Clock.now + 10_000_000_000
    while !drained.isSet, Clock.now < end { Clock.sleep(milliseconds: 5) }
    #expect(drained.isSet)
  }

  @Test func admitsWhatHasRowsThatAgree() throws {
    let rule = try rule
    func admit(_ shapes: [[Int]]) -> Int? {
      rule.admit(shapes.map { .tensor(.f32($0, [Float](repeating: 0, count: $0.reduce(1, *)))) })?.rows
    }
    #expect(admit([[3, 2], [3]]) == 3)
    for shapes in [[[3, 2], [2]], [[0, 2]], [[9, 2]], [[]]] { #expect(admit(shapes) == nil, "\(shapes)") }
    #expect(rule.admit([.none]) == nil)
  }

  @Test func partsAreWhatWasJoined() throws {
    let tensors: [[HostValue]] = (1...3).map { rows in
      [
        .tensor(.f32([rows, 2], (0..<rows * 2).map { Float($0 + rows * 10) })),
        .tensor(HostTensor(strings: (0..<rows).map { "\(rows).\($0)" }, shape: [rows])),
        .tensor(HostTensor(.u8, [rows, 0], values: [UInt8]())),
      ]
    }
    let joined = BatchRule.join(tensors)
    #expect(joined.map { $0.tensor?.shape } == [[6, 2], [6], [6, 0]])
    let parts = try #require(BatchRule.part(joined, rows: [1, 2, 3]))
    for (part, whole) in zip(parts, tensors) {
      for (left, right) in zip(part, whole) {
        #expect(left.tensor?.shape == right.tensor?.shape)
        #expect(left.tensor?.array(of: UInt8.self) == right.tensor?.array(of: UInt8.self))
        #expect(left.tensor?.strings == right.tensor?.strings)
      }
    }
    #expect(BatchRule.part(joined, rows: [1, 2]) == nil)
  }

  private func run(rows: Int = 1, key: Int = 3, deadline: UInt64 = .max) -> PendingRun {
    PendingRun([], batch: (rows, [[key]]), deadline: deadline) { _ in }
  }

  @Test func queueKeepsOrderLimitAndEnd() throws {
    let queue = RequestQueue(limit: 4, delay: 0, rule: try rule)
    let runs = [run(), run(key: 4), run(), run(key: 4)]
    for run in runs { #expect(queue.add(run) == .accepted) }
    #expect(queue.add(run()) == .full)
    let first = try #require(queue.take())
    #expect(first.map { ObjectIdentifier($0) } == [runs[0], runs[2]].map { ObjectIdentifier($0) })
    #expect(queue.counts == (2, 2))
    queue.close()
    #expect(queue.add(run()) == .closed)
    // What waits still runs.
    let second = try #require(queue.take())
    #expect(second.count == 2)
    #expect(queue.take() == nil)
    queue.done(first)
    queue.done(second)
    queue.drain()
  }

  @Test func firstOfABatchWaitsForOthersButNotForLong() throws {
    let queue = RequestQueue(limit: 100, delay: 300_000_000, rule: try rule)
    #expect(queue.add(run()) == .accepted)
    OwnThread.start {
      Clock.sleep(milliseconds: 20)
      _ = queue.add(self.run(rows: 3))
    }
    let start = Clock.now
    #expect(try #require(queue.take()).count == 2)
    #expect((250...5000).contains((Clock.now - start) / 1_000_000))
    // A full batch does not wait.
    for _ in 0..<8 { _ = queue.add(run()) }
    let next = Clock.now
    #expect(try #require(queue.take()).count == 8)
    #expect(Clock.now - next < 250_000_000)
  }

  @Test func timeEndsForWhatWaitsAndForWhatRuns() throws {
    let queue = RequestQueue(limit: 9, delay: 0, rule: nil)
    for deadline in [10, 30, 20, 40] as [UInt64] { _ = queue.add(run(deadline: deadline)) }
    let running = try #require(queue.take())
    #expect(queue.expired(5).isEmpty)
    #expect(Set(queue.expired(20).map(\.deadline)) == [10, 20])
    #expect(queue.counts == (2, 1))
    queue.done(running)
    #expect(queue.expired(30).map(\.deadline) == [30])
  }

  @Test func requestsAreAnsweredOnce() {
    let answers = Mutex(0)
    let run = PendingRun([], batch: nil) { _ in answers.withLock { $0 += 1 } }
    #expect(run.finish(.success([])))
    #expect(!run.finish(.failure(Refusal(.expired, ""))))
    #expect(answers.withLock { $0 } == 1)
  }

  @Test(arguments: [["1": 9, "2": 1], ["a": 1, "b": 1, "c": 2], ["1": 0, "2": 5], ["x": 7, "y": 3]])
  func splitsExactlyAndEvenly(weights: [String: Int]) {
    var split = TrafficSplit(weights)
    let total = weights.values.reduce(0, +)
    for _ in 0..<20 {
      var counts: [String: Int] = [:]
      for _ in 0..<total { counts[split.next() ?? "", default: 0] += 1 }
      #expect(counts == weights.filter { $0.value > 0 })
    }
    var empty = TrafficSplit([:])
    #expect(empty.next() == nil)
  }
}
