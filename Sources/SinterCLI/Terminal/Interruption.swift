import Glibc
import SinterCore

/// What signals do to the command: one that ends it takes the temporary files and folders away first.
enum Interruption {
  private static let signals = [SIGINT, SIGTERM, SIGHUP]
  nonisolated(unsafe) private static var pipe: (read: Int32, write: Int32) = (-1, -1)
  /// Whether whoever started the command left broken pipes to end it.
  nonisolated(unsafe) private static var endsByBrokenPipe = false

  static func prepare() {
    // A reader that has gone, and a file that may grow no further, are errors of the write that meets them.
    var old = sigaction()
    endsByBrokenPipe = sigaction(SIGPIPE, nil, &old) == 0 && !isIgnored(old)
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    var ends: [Int32] = [-1, -1]
    guard Glibc.pipe(&ends) == 0 else { return }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    pipe = (ends[0], ends[1])
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { _ in
        Interruption.wait()
        return nil
      }, nil)
    guard status == 0 else { return }
    // Whoever started the command may have held signals back, as threads of a pool do.
    var blocked = sigset_t()
    sigemptyset(&blocked)
    for number in signals { sigaddset(&blocked, number) }
    pthread_sigmask(SIG_UNBLOCK, &blocked, nil)
    // What was ignored when the command began, as nohup has it, stays so. Handlers do not reach the programs that are started.
    for number in signals {
      var old = sigaction()
      guard sigaction(number, nil, &old) == 0, !isIgnored(old) else { continue }
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { number in
        var byte = UInt8(truncatingIfNeeded: number)
        _ = write(Interruption.pipe.write, &byte, 1)
      }
      action.sa_flags = SA_RESTART
      sigaction(number, &action, nil)
    }
  }

  /// Cleans up and ends the process by the signal that a broken pipe raises, unless that was ignored when the command began.
  static func endByBrokenPipe() {
    guard endsByBrokenPipe else { return }
    ProgressBar.erase()
    Temporaries.removeAll()
    signal(SIGPIPE, SIG_DFL)
    kill(getpid(), SIGPIPE)
  }

  private static func isIgnored(_ action: sigaction) -> Bool {
    unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// Waits for a signal, cleans up, and ends the process by that signal, so that shells see what happened.
  private static func wait() {
    var number = UInt8(0)
    while read(pipe.read, &number, 1) != 1 { if errno != EINTR { return } }
    ProgressBar.erase()
    Temporaries.removeAll()
    signal(Int32(number), SIG_DFL)
    kill(getpid(), Int32(number))
  }
}
