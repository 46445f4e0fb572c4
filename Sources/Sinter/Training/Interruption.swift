import Foundation
import Synchronization

/// How often Ctrl-C was pressed since somebody listens. A signal's handler can reach nothing but what is global.
private let presses = Atomic<Int>(0)
/// How many listen, and the handler that was there before the first of them.
private let listeners = Mutex<(count: Int, previous: sighandler_t?)>((0, nil))

/// Listens to Ctrl-C while it lives, from several threads at once if need be. The first press is noted, the second one ends the process as it would
/// have without.
final class Interruption {
  init() {
    listeners.withLock { listeners in
      listeners.count += 1
      guard listeners.count == 1 else { return }
      presses.store(0, ordering: .relaxed)
      listeners.previous = signal(SIGINT) { number in
        if presses.add(1, ordering: .relaxed).oldValue > 0 {
          signal(number, SIG_DFL)
          raise(number)
        }
      }
    }
  }

  deinit {
    listeners.withLock { listeners in
      listeners.count -= 1
      if listeners.count == 0 { signal(SIGINT, listeners.previous) }
    }
  }

  var wasAskedFor: Bool { presses.load(ordering: .relaxed) > 0 }
}
