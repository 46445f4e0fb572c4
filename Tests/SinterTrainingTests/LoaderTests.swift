import Foundation
import Sinter
import Testing

/// Data sets, samplers and loaders.
@Suite struct LoaderTests {
  static func numbers(_ count: Int) throws -> TensorDataset {
    try TensorDataset(.i64([count], Array(0..<count)), .f32([count, 2], (0..<(2 * count)).map { Float($0) }))
  }

  static func order(_ loader: DataLoader, epoch: Int = 0, from first: Int = 0) throws -> [[Int]] {
    let batches = try loader.batches(epoch: epoch, from: first)
    var result: [[Int]] = []
    while let samples = try batches.next() { result.append(try #require(samples[0].integers)) }
    return result
  }

  /// A data set of a user's own: squares, and a number that is drawn.
  struct Squares: Dataset {
    var count: Int
    var delay: Double = 0
    func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor] {
      if delay > 0 { Thread.sleep(forTimeInterval: delay) }
      if index == 13 { throw DiagnosticError(.user, "squares", "13 brings bad luck") }
      return [.i64([], [index * index]), .f32([1], [Float(random.uniform())])]
    }
  }

  @Test func batchesHaveAllSamplesOnce() throws {
    for count in [0, 1, 5, 10, 11] {
      for batch in [1, 3, 5, 20] {
        for dropLast in [false, true] {
          let loader = DataLoader(try Self.numbers(count), batch: batch, order: .shuffled(seed: 3), dropLast: dropLast)
          let order = try Self.order(loader)
          #expect(order.count == loader.count)
          let all = order.flatMap { $0 }
          #expect(Set(all).count == (dropLast ? count / batch * batch : count) && all.count == Set(all).count)
        }
      }
    }
  }

  @Test func orderFollowsFromTheSeedAlone() throws {
    let data = try Self.numbers(50)
    let loader = DataLoader(data, batch: 7, order: .shuffled(seed: 3))
    let first = try Self.order(loader)
    #expect(try Self.order(loader) == first)
    #expect(try Self.order(loader, epoch: 1) != first)
    #expect(try Self.order(DataLoader(data, batch: 7, order: .shuffled(seed: 4))) != first)
    #expect(try Self.order(loader, from: 3) == Array(first[3...]))
    #expect(try Self.order(loader, from: 99) == [])
    // Threads change nothing, neither the order nor what is drawn.
    for workers in [1, 2, 5] {
      let many = DataLoader(data, batch: 7, order: .shuffled(seed: 3), workers: workers)
      #expect(try Self.order(many) == first)
    }
    func drawn(_ workers: Int, epoch: Int, order: Sampler) throws -> [Int: Float] {
      let loader = DataLoader(Squares(count: 12), batch: 5, order: order, seed: 9, workers: workers)
      let batches = try loader.batches(epoch: epoch)
      var result: [Int: Float] = [:]
      while let samples = try batches.next() {
        for (square, number) in zip(try #require(samples[0].integers), samples[1].array(of: Float.self)) {
          result[square] = number
        }
      }
      return result
    }
    let some = try drawn(0, epoch: 0, order: .asGiven)
    #expect(Set(some.values).count == 12)
    #expect(try drawn(3, epoch: 0, order: .shuffled(seed: 1)) == some, "by sample, not by order")
    #expect(try drawn(0, epoch: 1, order: .asGiven) != some)
  }

  @Test func samplersDraw() throws {
    let data = try Self.numbers(4)
    let subset = try Self.order(DataLoader(data, batch: 10, order: .subset([3, 1, 1], seed: 2)))
    #expect(subset.flatMap { $0 }.sorted() == [1, 1, 3])
    // 3 : 0 : 1 : 0, within four deviations of what 4000 draws give.
    let weighted = try Self.order(DataLoader(data, batch: 4000, order: .weighted([3, 0, 1, 0], count: 4000, seed: 2)))[
      0]
    let counts = (0..<4).map { number in weighted.count { $0 == number } }
    #expect(counts[1] == 0 && counts[3] == 0 && abs(counts[0] - 3000) < 4 * 28, "\(counts)")
    for (order, word) in [
      (Sampler.subset([4], seed: 0), "no sample 4 among 4"),
      (.weighted([1], count: 3, seed: 0), "1 weights for 4 samples"),
      (.weighted([0, 0, 0, 0], count: 3, seed: 0), "all weights are zero"),
      (.weighted([1, -1, 0, 0], count: 3, seed: 0), "weight 1 is -1.0"),
      (.weighted([1, .nan, 0, 0], count: 3, seed: 0), "weight 1 is nan"),
    ] { #expect(message { try Self.order(DataLoader(data, batch: 2, order: order)) }.contains(word)) }
  }

  @Test func splitsAreWholeAndSeeded() throws {
    let data = try Self.numbers(10)
    let parts = try data.randomSplit([7, 3], seed: 1)
    #expect(parts.map(\.count) == [7, 3])
    #expect(Set(parts.flatMap(\.indices)).count == 10)
    #expect(try data.randomSplit([7, 3], seed: 1).map(\.indices) == parts.map(\.indices))
    #expect(try data.randomSplit([7, 3], seed: 2).map(\.indices) != parts.map(\.indices))
    #expect(try data.randomSplit(fractions: [0.34, 0.33, 0.33]).map(\.count) == [4, 3, 3])
    #expect(try parts[1].sample(0)[0].integers == [parts[1].indices[0]])
    #expect(message { try data.randomSplit([7, 4]) }.contains("7 + 4 samples do not add up to 10"))
    #expect(message { try data.randomSplit(fractions: [0.5, 0.4]) }.contains("do not add up to 1"))
    #expect(message { try Subset(data, [10]) }.contains("no sample 10 among 10"))
  }

  @Test func whatASampleThrowsIsThrown() throws {
    for workers in [0, 2] {
      let batches = try DataLoader(Squares(count: 20), batch: 4, workers: workers).batches()
      for _ in 0..<3 { #expect(try batches.next() != nil) }
      #expect(message { try batches.next() }.contains("bad luck"))
    }
    // A loop that ends early leaves no thread waiting for it: the next one runs as well.
    for _ in 0..<50 { _ = try DataLoader(Squares(count: 12), batch: 1, workers: 2).batches().next() }
  }

  /// While a step computes, a thread prepares the next batch: both take 4 ms here.
  @Test func preparingOverlapsWithComputing() throws {
    func seconds(_ workers: Int) throws -> Double {
      let batches = try DataLoader(Squares(count: 12, delay: 0.004), batch: 1, workers: workers).batches()
      let begin = ContinuousClock().now
      while try batches.next() != nil { Thread.sleep(forTimeInterval: 0.004) }
      return (ContinuousClock().now - begin) / .seconds(1)
    }
    let best = try (0..<5).map { _ in try seconds(1) / seconds(0) }.min() ?? 1
    #expect(best < 0.75, "with a thread it takes \(best) of the time")
  }

  static func residentBytes() throws -> Int {
    let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    return (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// 600 MB of samples pass through a process that hardly grows: one of its own, since other tests take memory meanwhile.
  @Test func streamsTakeNoMemory() async {
    await #expect(processExitsWith: .success) { try LoaderTests.streamSamples() }
  }

  private static func streamSamples() throws {
    try withScratchFolder { folder in
      let (path, labels) = ("\(folder)/x.npy", "\(folder)/y.npy")
      let count = 6000, width = 25_000
      try NpyFile.write(.f32([1, width], [Float](repeating: 0, count: width)), to: path)
      // The same header with more samples, and a hole in place of them.
      var bytes = try Data(contentsOf: URL(filePath: path)).prefix(128)
      let place = try #require(bytes.range(of: Data("(1, 25000,)".utf8)))
      bytes.replaceSubrange(place, with: Data("(\(count), 25000)".utf8))
      bytes.removeSubrange((bytes.count - 3)..<(bytes.count - 1))
      #expect(bytes.count == 128)
      try bytes.write(to: URL(filePath: path))
      truncate(path, 128 + 4 * count * width)
      try NpyFile.write(.i64([count], Array(0..<count)), to: labels)
      let data = try StreamedDataset(npy: [path, labels])
      let before = try residentBytes()
      let batches = try DataLoader(data, batch: 100, order: .shuffled(seed: 1), workers: 1).batches()
      var (sum, most) = (0, before)
      while let samples = try batches.next() {
        sum += try #require(samples[1].integers).reduce(0, +)
        most = max(most, try residentBytes())
      }
      #expect(sum == count * (count - 1) / 2)
      #expect(most - before < 200 << 20, "\((most - before) >> 20) MB more")
    }
  }

  @Test func streamsHoldFilesToAccount() throws {
    try withScratchFolder { folder in
      let (x, y) = ("\(folder)/x.npy", "\(folder)/y.npy")
      try NpyFile.write(.f32([3, 2], [1, 2, 3, 4, 5, 6]), to: x)
      try NpyFile.write(.i64([2], [1, 2]), to: y)
      #expect(try StreamedDataset(npy: [x]).batch([2, 0], seed: 0, epoch: 0)[0].array(of: Float.self) == [5, 6, 1, 2])
      #expect(try StreamedDataset(npy: [x]).sample(1)[0].shape == [2])
      #expect(message { try StreamedDataset(npy: [x, y]) }.contains("3 in \(x), 2 in \(y)"))
      #expect(message { try StreamedDataset(npy: [fixture("data/fortran.npy")]) }.contains("ascontiguousarray"))
      #expect(message { try StreamedDataset(npy: [x]).sample(3) }.contains("no sample 3 among 3"))
      let data = try StreamedDataset(npy: [x])
      truncate(x, 140)
      #expect(message { try data.sample(2) }.contains("x.npy ends at byte"))
    }
  }

  /// Counts how often samples are made.
  final class Slow: Dataset, @unchecked Sendable {
    private let lock = NSLock()
    private(set) var made = 0
    let count: Int, shape: [Int]
    init(count: Int, shape: [Int] = [2, 3]) { (self.count, self.shape) = (count, shape) }
    func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor] {
      lock.withLock { made += 1 }
      let size = index == 7 ? [1] : shape
      return [.f32(size, [Float](repeating: Float(index), count: size.reduce(1, *))), .i64([], [index])]
    }
  }

  @Test func cachesMakeSamplesOnce() throws {
    try withScratchFolder { folder in
      let path = "\(folder)/cache"
      let base = Slow(count: 6)
      for _ in 0..<2 {
        let cached = try base.cached(in: path)
        for workers in [0, 2] {
          #expect(try Self.order(DataLoader(cached.parts(1), batch: 4, workers: workers)) == [[0, 1, 2, 3], [4, 5]])
        }
        #expect(try cached.sample(5)[0].array(of: Float.self) == [Float](repeating: 5, count: 6))
      }
      // Each of six once, and the first one when a cache is opened.
      #expect(base.made == 8)
      // Others' caches are not taken for one's own, and samples of other sizes are refused.
      #expect(
        message { try Slow(count: 5).cached(in: path) }.contains("must hold 5 of f32[2, 3], i64[], but holds 6 of"))
      #expect(message { try Slow(count: 6, shape: [3]).cached(in: path) }.contains("remove it"))
      #expect(message { try base.cached(in: path, key: "v2") }.contains("(v2)"))
      let odd = try Slow(count: 8).cached(in: "\(folder)/other")
      #expect(message { try odd.sample(7) }.contains("sample 7 is"))
      #expect(try CachedDataset(Slow(count: 0), in: "\(folder)/none").count == 0)
      #expect(message { try base.cached(in: "/nosuch/cache") }.contains("/nosuch/cache cannot be opened"))
    }
  }
}

extension Dataset {
  /// One part of each sample alone.
  func parts(_ part: Int) -> some Dataset { OnePart(base: self, part: part) }
}

private struct OnePart<Base: Dataset>: Dataset {
  let base: Base, part: Int
  var count: Int { base.count }
  func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor] {
    [try base.sample(index, random: &random)[part]]
  }
}
