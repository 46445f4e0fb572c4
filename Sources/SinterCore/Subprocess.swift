@preconcurrency import Glibc

/// Another program, run to its end.
package enum Subprocess {
  package struct Result: Sendable {
    /// The exit status; 128 plus the signal's number where a signal ended the program, as shells count.
    package var status: Int32
    /// What it wrote to standard output and standard error, in the order of writing.
    package var output: String

    package var succeeded: Bool { status == 0 }

    package init(status: Int32, output: String) {
      self.status = status
      self.output = output
    }
  }

  /// Runs `executable`, a path or a name that is searched on `PATH`, and waits for its end.
  ///
  /// Throws where the program cannot be started; a failure of the program itself is in the result.
  package static func run(_ executable: String, _ arguments: [String]) throws(DiagnosticError) -> Result {
    var ends: [Int32] = [-1, -1]
    // A socket rather than a pipe, since it is made closed to the children of other threads.
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw failure(executable, errno) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
    var argv: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) }
    argv.append(nil)
    // What the command does with a broken pipe is its own affair.
    var (attributes, signals) = (posix_spawnattr_t(), sigset_t())
    posix_spawnattr_init(&attributes)
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    sigaddset(&signals, SIGXFSZ)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    var child = pid_t()
    let error = posix_spawnp(&child, executable, &actions, &attributes, argv, environ)
    posix_spawnattr_destroy(&attributes)
    for argument in argv { free(argument) }
    posix_spawn_file_actions_destroy(&actions)
    close(ends[1])
    defer { close(ends[0]) }
    guard error == 0 else { throw failure(executable, error) }

    let output = readAll(ends[0])
    var code: Int32 = 0
    while waitpid(child, &code, 0) < 0 && errno == EINTR {}
    let signal = code & 0x7f
    return Result(status: signal == 0 ? code >> 8 & 0xff : 128 + signal, output: output)
  }

  private static func readAll(_ file: Int32) -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16384)
    while true {
      let count = read(file, &chunk, chunk.count)
      if count > 0 {
        bytes += chunk[..<count]
      } else if count == 0 || errno != EINTR {
        return String(decoding: bytes, as: UTF8.self)
      }
    }
  }

  private static func failure(_ executable: String, _ error: Int32) -> DiagnosticError {
    let hint: String? =
      switch error {
      case ENOENT where !executable.contains("/"): "no folder on the PATH has such a program"
      case EACCES where Files.isFolder(executable): "it is a folder: give the path of a program"
      case EACCES where Files.exists(executable), ENOEXEC: "give a program, or make it one (chmod +x)"
      default: nil
      }
    return SystemError.diagnostic(
      "subprocess.start", "\(executable) cannot be started", code: error, path: executable, hint: hint)
  }
}
