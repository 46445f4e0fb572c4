internal import CLLVM
import Glibc
import SinterCore
import Synchronization

/// LLVM's linker inside this program, where packaging/static.sh put it there: machines without binutils compile models, too.
enum BundledLinker {
  /// It keeps what it is doing in variables of its own.
  private static let turn = Mutex(())

  static var exists: Bool { sinter_linker_exists() != 0 }

  /// The C library's files as this process loaded them, since the machine may hold nothing to link with but these.
  static var systemLibraries: [String] { ["libm.so.6", "libc.so.6"].map { path(of: $0) ?? $0 } }

  /// Links as `ld` with these arguments.
  static func run(_ arguments: [String]) -> Subprocess.Result {
    let words = arguments.map { strdup($0) }
    defer { words.forEach { free($0) } }
    let line = words.map { UnsafePointer($0) }
    return turn.withLock { _ in
      var output: UnsafeMutablePointer<CChar>?
      let status = sinter_linker_run(line, line.count, &output)
      defer { free(output) }
      return Subprocess.Result(status: status, output: output.map { String(cString: $0) } ?? "")
    }
  }

  private static func path(of library: String) -> String? {
    guard let path = sinter_loaded_path(library) else { return nil }
    defer { free(path) }
    return String(cString: path)
  }
}
