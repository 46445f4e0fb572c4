import SinterCore

/// What a task may keep to itself, and what is worth a task, as they follow from the numbers of the table.
///
/// The most of each is what the known processors were measured with: greater caches have not been found to gain by more, but for transforms,
/// whose blocks read all weights once more.
extension Machine {
  // MARK: Bytes

  /// The scratch of a task of transforms, which stays in the second-level cache while weights pass.
  var transformBytes: Int { level2 / 8 * 5 }
  /// The keys that a task of attention packs at a time.
  var keyBytes: Int { Swift.min(level2 / 32 * 3, 96 << 10) }
  /// The scores that it holds at a time, in the first-level cache.
  var scoreBytes: Int { Swift.min(level1 / 4 * 3, 24 << 10) }
  /// Its sums, where keys come block by block.
  var weightedSumBytes: Int { Swift.min(level2 / 64 * 3, 48 << 10) }
  /// The sums of a product's task that wait while its reduced axis is done in steps.
  var waitingSumBytes: Int { Swift.min(level2 / 16, 64 << 10) }

  // MARK: Weights

  /// Whether so many bytes of weights are more than the second-level cache keeps beside all else: they come from further away each time.
  func streams(bytes: Int) -> Bool { bytes > level2 / 2 }

  /// Cycles of arithmetic while its operands come from memory, which takes others: the longer hides most of the shorter.
  func overlapped(arithmetic: Double, transfer: Double) -> Double {
    Swift.max(arithmetic, transfer) + Swift.min(arithmetic, transfer) / 4
  }

  // MARK: Work

  /// Floating-point operations of f32 in a number of cycles.
  private func operations(cycles: Int) -> Int { cycles * 2 * lanes(.f32) * multiplyAddsPerCycle }

  /// Floating-point operations of f32 that another thread must have to be worth waking.
  var threadWork: Int { operations(cycles: threadCycles) }
  /// Those in the time that a task takes to begin.
  var taskWork: Int { operations(cycles: taskCycles) }
  /// Bytes that it reads from caches meanwhile.
  var threadBytes: Int { threadCycles * vectorBits / 16 }

  // MARK: Ratios

  /// Multiply-adds by a vector of weights that take as long as this vector takes to come from the second-level cache.
  var multiplyAddsPerVector: Double {
    Double(multiplyAddsPerCycle) * Double(vectorBits / 8) / level2BytesPerCycle
  }
}
