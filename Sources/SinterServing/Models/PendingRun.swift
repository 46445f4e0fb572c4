package import SinterCore
internal import Synchronization

/// A request that waits for its turn or runs. It is answered once, by whoever is first: the thread that ran it, or the clock.
package final class PendingRun: Sendable {
  package let values: [HostValue]
  /// Rows and key where it may run together with others.
  package let batch: (rows: Int, key: BatchRule.Key)?
  package let arrival: UInt64
  /// The time of `Clock` at which nobody waits for it any longer.
  package let deadline: UInt64
  private let answer: Mutex<(@Sendable (Result<[HostValue], Refusal>) -> Void)?>

  package init(
    _ values: [HostValue], batch: (rows: Int, key: BatchRule.Key)?, arrival: UInt64 = Clock.now,
    deadline: UInt64 = .max, answer: @escaping @Sendable (Result<[HostValue], Refusal>) -> Void
  ) {
    self.values = values
    self.batch = batch
    self.arrival = arrival
    self.deadline = deadline
    self.answer = Mutex(answer)
  }

  /// Whether this call was the first.
  @discardableResult
  package func finish(_ result: Result<[HostValue], Refusal>) -> Bool {
    let answer = answer.withLock { stored in
      defer { stored = nil }
      return stored
    }
    answer?(result)
    return answer != nil
  }
}
