import Foundation
import SinterCore
import Synchronization

/// How far long work is: `compile kernels  ███████░░░░░░░  12/27  0:04 left`, in one line that is written over. With --verbose in a pipe, a line
/// for each tenth of the work.
enum ProgressBar {
  private static let shown = Mutex(false)

  /// Takes the bar's line away, so that another text can stand there.
  static func erase() {
    shown.withLock { isShown in
      if isShown { Terminal.write("\r\u{1b}[K") }
      isShown = false
    }
  }

  /// What shows the progress of one piece of work, from now on.
  static func listener(_ name: String) -> ProgressListener? {
    guard Terminal.detail == .verbose || Terminal.detail == .normal && Terminal.isInteractive else { return nil }
    let state = Mutex(State(begin: ContinuousClock.now))
    let box = Box(state)
    return { done, total in
      let text = box.state.withLock { $0.text(name, done, total, isBar: Terminal.isInteractive) }
      guard let text else { return }
      guard Terminal.isInteractive else { return Terminal.error(text) }
      shown.withLock { isShown in
        Terminal.write("\r\(text)\u{1b}[K")
        isShown = true
      }
      if done == total { erase() }
    }
  }

  private final class Box: Sendable {
    let state: Mutex<State>
    init(_ state: consuming Mutex<State>) { self.state = state }
  }

  private struct State {
    let begin: ContinuousClock.Instant
    private var last: ContinuousClock.Instant?
    private var tenth = 0

    init(begin: ContinuousClock.Instant) { self.begin = begin }

    /// What to show now, if anything: a bar at most ten times a second and only where the work takes longer than a moment.
    mutating func text(_ name: String, _ done: Int, _ total: Int, isBar: Bool) -> String? {
      guard total > 0 else { return nil }
      let now = ContinuousClock.now
      let seconds = (now - begin) / .seconds(1)
      let left = "\(Self.time(seconds / Double(max(done, 1)) * Double(total - done))) left"
      if !isBar {
        guard done * 10 / total > tenth else { return nil }
        tenth = done * 10 / total
        return "\(name): \(done) of \(total), \(left)"
      }
      guard seconds > 0.5 else { return nil }
      if let last, now - last < .milliseconds(100), done < total { return nil }
      last = now
      let width = 24
      let full = done * width / total
      let bar = String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
      return "\(name)  \(bar)  \(done)/\(total)  \(left)"
    }

    private static func time(_ seconds: Double) -> String {
      let whole = Int(min(max(seconds, 0), 1e6).rounded(.up))
      return "\(whole / 60):" + String(format: "%02d", whole % 60)
    }
  }
}
