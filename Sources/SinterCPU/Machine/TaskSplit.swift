import SinterCore
import SinterForms
import SinterKernelIR

/// Where a kernel is cut into tasks, and how many of them a thread should have.
struct TaskSplit {
  /// What one task should at least be worth to another thread: about three microseconds, in vector instructions times
  /// lanes.
  static let worth = 1 << 14
  /// What a size counts for that is known only at run time.
  static let guess = 64
  /// Elements of a long axis that one task takes.
  static let part = 4096

  /// More is not guessed of one size: products of many symbols would not fit into a number.
  private static let most = guess * guess

  static func estimate(_ dim: Dim) -> Int {
    if let value = dim.value { return Swift.max(1, value) }
    return dim.substituting { _ in Dim(guess) }.value.map { Swift.max(1, Swift.min($0, most)) } ?? guess
  }

  static func grain(elementsPerTask: Int, cost: Int) -> Int {
    Swift.max(1, worth / Swift.max(1, elementsPerTask * Swift.max(1, cost)))
  }
}
