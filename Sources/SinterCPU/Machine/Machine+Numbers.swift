/// One number of a processor, as `sinter inspect --machine` prints it and a file of `--machine` holds it.
package struct MachineNumber: Sendable {
  /// The key in a file.
  package let key: String
  package let meaning: String
  package let value: @Sendable (Machine) -> Double
  package let set: @Sendable (inout Machine, Double) -> Void
  /// The smallest and the greatest value that makes sense.
  package let range: ClosedRange<Double>
  package let isWhole: Bool

  fileprivate init(
    _ key: String, _ meaning: String, _ path: WritableKeyPath<Machine, Int> & Sendable, _ range: ClosedRange<Double>
  ) {
    (self.key, self.meaning, self.range, isWhole) = (key, meaning, range, true)
    value = { Double($0[keyPath: path]) }
    set = { $0[keyPath: path] = Int($1) }
  }

  fileprivate init(
    _ key: String, _ meaning: String, _ path: WritableKeyPath<Machine, Double> & Sendable, _ range: ClosedRange<Double>
  ) {
    (self.key, self.meaning, self.range, isWhole) = (key, meaning, range, false)
    value = { $0[keyPath: path] }
    set = { $0[keyPath: path] = $1 }
  }
}

extension Machine {
  /// All numbers that may be given: how wide vectors are and how many registers there are follows from the instruction set.
  package static let numbers: [MachineNumber] = [
    .init("multiplyAddsPerCycle", "vector multiply-adds that begin in a cycle", \.multiplyAddsPerCycle, 1...8),
    .init(
      "multiplyAddsPerPairDot", "vector multiply-adds of f32 in the time of a vector of sums of pairs of bf16",
      \.multiplyAddsPerPairDot, 0.25...16),
    .init(
      "cyclesPerTileDot", "cycles from one sum of products of tiles to the next", \.cyclesPerTileDot, 1...1_000_000),
    .init("multiplyAddLatency", "cycles until a sum can be added to again", \.multiplyAddLatency, 1...16),
    .init("loadsPerCycle", "vector loads that begin in a cycle", \.loadsPerCycle, 1...8),
    .init("level1", "bytes of the first-level data cache", \.level1, 4096...16_777_216),
    .init("level1Ways", "lines in one of its sets", \.level1Ways, 1...64),
    .init("level2", "bytes of the second-level cache", \.level2, 16384...268_435_456),
    .init("level3", "bytes of the last-level cache, one core's share", \.level3, 16384...4_294_967_296),
    .init(
      "weightBytesPerCycle", "bytes of weights that cost a cycle beside arithmetic", \.weightBytesPerCycle, 0.1...1024),
    .init("level2BytesPerCycle", "bytes a cycle from the second-level cache", \.level2BytesPerCycle, 0.1...1024),
    .init("level3BytesPerCycle", "bytes a cycle from the last-level cache", \.level3BytesPerCycle, 0.1...1024),
    .init("memoryBytesPerCycle", "bytes a cycle from memory", \.memoryBytesPerCycle, 0.1...1024),
    .init("threadCycles", "cycles of work for which a thread is woken", \.threadCycles, 1...1_000_000_000),
    .init("taskCycles", "cycles that a task takes to begin", \.taskCycles, 0...1_000_000_000),
    .init("packedReuse", "uses of an element from which on packing it pays", \.packedReuse, 1...65536),
    .init("streamAhead", "bytes that a stream of packed integers asks ahead", \.streamAhead, 64...1_048_576),
    .init("halfStreamAhead", "bytes that a stream of weights of 16 bits asks ahead", \.halfStreamAhead, 0...1_048_576),
  ]
}
