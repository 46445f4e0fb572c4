import Glibc

/// Standard input, output and errors.
enum StandardStreams {
  /// Takes the numbers of streams that are closed, which the next files to be opened would get otherwise: what is read or written there
  /// would then be something else.
  static func occupy() {
    for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(stream, F_GETFD) == -1 {
      if stream == STDOUT_FILENO { StandardOutput.noteClosed() }
      // For the other direction, so that using it fails as it does with a closed one.
      _ = open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }
}
