import Glibc

/// What the system refused, as a sentence: what was tried, why not, and what to do about it.
package enum SystemError {
  /// The name of the error that the reader of what is written has gone.
  package static let brokenPipe = "file.pipe"

  /// - Parameters:
  ///   - attempt: What was tried and on what, as in `model.onnx cannot be opened`.
  ///   - path: The file or folder that was to be used; nil where there is none.
  ///   - makes: Whether it was to be written or made, so that its folder counts.
  ///   - hint: What to do, in place of what is known of the error.
  package static func diagnostic(
    _ id: String, _ attempt: String, code: Int32, path: String? = nil, makes: Bool = false, hint: String? = nil
  ) -> DiagnosticError {
    DiagnosticError(
      .user, code == EPIPE ? brokenPipe : id, "\(attempt): \(String(cString: strerror(code)))",
      hint: hint ?? advice(code, path, makes: makes))
  }

  /// What to do about an error of the system.
  private static func advice(_ code: Int32, _ path: String?, makes: Bool) -> String {
    let folder = path.map(Files.folder) ?? "."
    switch code {
    case ENOENT where makes && !Files.exists(folder): return "there is no folder \(folder): make it, or check the path"
    case EACCES where makes, EPERM where makes, EROFS:
      return "check who may write to the folder \(folder), or give a path elsewhere"
    case EACCES, EPERM: return "check who may use it and the folders that it lies in"
    case EISDIR: return "give the path of a file, not of a folder"
    case ENOTDIR: return "a part of the path names a file where a folder is needed: check the path"
    case ENOSPC, EDQUOT: return "make room there, or give a path elsewhere"
    case EFBIG: return "raise the limit of the size of files (ulimit -f), or give a path elsewhere"
    case EMFILE, ENFILE: return "raise the limit of open files (ulimit -n)"
    case ENAMETOOLONG: return "give a shorter path"
    case ELOOP: return "its links lead in a circle: give a path without them"
    case EPIPE: return "what was to read it has ended"
    case EBADF: return "it is closed: send it to a file or a pipe, or name a file"
    case ENOMEM, EAGAIN: return "free memory, or end other programs"
    default: return makes ? "check the path and the room on the disk" : "check the path"
    }
  }
}
