internal import CLLVM
import Glibc

/// What LLVM does where it cannot go on and cannot give back an error either, as where it finds no instruction for an operation.
public enum FatalErrors {
  /// Such an error ends the process with status 1 and one line on standard error, instead of a signal and a core file. For command lines,
  /// whose process this is. Outputs stay as they were, since all code is generated before any of them is begun.
  public static func endProcessWithMessage() {
    LLVMInstallFatalErrorHandler { reason in
      // The thread may hold any lock of LLVM's: nothing is cleaned up, and nothing called but what writes and ends.
      let parts = ["sinter: internal error: LLVM cannot go on: ", reason.map { String(cString: $0) } ?? "", "\n"]
      let line = Array(parts.joined().utf8)
      _ = write(STDERR_FILENO, line, line.count)
      _exit(1)
    }
  }
}
