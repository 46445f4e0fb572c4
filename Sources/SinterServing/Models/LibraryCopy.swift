internal import Glibc
internal import SinterCore
internal import SinterModel

/// A library loaded from a copy of its file, which has a name for this once and is gone when it is loaded.
///
/// The loader takes a library that has the path of a loaded one for the same, and code that is in use must not be written over. So a new build of a
/// model can be put in the place of one that still answers.
enum LibraryCopy {
  static func load(_ path: String) throws(Refusal) -> CompiledLibrary {
    let source = open(path, O_RDONLY | O_CLOEXEC)
    guard source >= 0 else { throw Refusal(.failed, "\(path) cannot be opened: \(String(cString: strerror(errno)))") }
    defer { close(source) }
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var name = Array((folder + "/sinter-serve-XXXXXX").utf8CString)
    let target = mkstemp(&name)
    let copy = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard target >= 0 else {
      throw Refusal(.failed, "a copy of \(path) in \(folder) cannot be made: \(String(cString: strerror(errno)))")
    }
    defer { unlink(copy) }
    let problem = Self.copy(source, target)
    close(target)
    if let problem { throw Refusal(.failed, "\(path) cannot be copied to \(copy): \(problem)") }
    do throws(DiagnosticError) {
      return try CompiledLibrary(copy)
    } catch {
      let message = error.diagnostics.map(\.message).joined(separator: "; ")
      throw Refusal(.failed, message.replacing(copy, with: path))
    }
  }

  private static func copy(_ source: Int32, _ target: Int32) -> String? {
    while true {
      let count = sendfile(target, source, nil, 1 << 30)
      if count == 0 { return nil }
      if count < 0, errno != EINTR { return String(cString: strerror(errno)) }
    }
  }
}
