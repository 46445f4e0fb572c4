import Glibc
import Synchronization

/// Says what a thread was doing when the process crashes: compiled code that is wrong may take the whole test run with it.
package enum CrashNote {
  private static let isReady = Mutex(false)
  nonisolated(unsafe) private static var key = pthread_key_t()
  /// Who handled each signal before.
  nonisolated(unsafe) private static let handlers = UnsafeMutablePointer<sigaction>.allocate(capacity: 64)

  /// Runs `body`, of which the text tells.
  package static func during<R>(_ text: String, _ body: () throws -> R) rethrows -> R {
    prepare()
    let outer = pthread_getspecific(key)
    let note = strdup("crashed: " + text + "\n")
    pthread_setspecific(key, note)
    defer {
      pthread_setspecific(key, outer)
      free(note)
    }
    return try body()
  }

  private static func prepare() {
    isReady.withLock { isReady in
      if isReady { return }
      isReady = true
      pthread_key_create(&key, nil)
      for signal in [SIGILL, SIGFPE, SIGBUS, SIGSEGV] {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { CrashNote.tell($0) }
        action.sa_flags = SA_ONSTACK
        sigaction(signal, &action, handlers + Int(signal))
      }
    }
  }

  /// Runs in a signal handler. What failed is tried again, under whoever handled it before.
  private static func tell(_ signal: Int32) {
    if let note = pthread_getspecific(key) { _ = write(2, note, strlen(note.assumingMemoryBound(to: CChar.self))) }
    sigaction(signal, handlers + Int(signal), nil)
  }
}
