import Glibc

/// Files and folders, for the few places that write them.
package enum Files {
  /// Writes a new file, or over an old one.
  package static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws(DiagnosticError) {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw failure("write", path) }
    var written = 0
    while written < bytes.count {
      let count = Glibc.write(file, bytes.baseAddress! + written, bytes.count - written)
      if count > 0 {
        written += count
      } else if errno != EINTR {
        let error = failure("write", path)
        close(file)
        throw error
      }
    }
    guard close(file) == 0 else { throw failure("write", path) }
  }

  package static func write(_ text: String, to path: String) throws(DiagnosticError) {
    let bytes = Array(text.utf8)
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(DiagnosticError) in try write(buffer, to: path) }
    }
    try result.get()
  }

  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  package static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// All bytes of a file, or of a pipe until it ends.
  package static func contents(of path: String) throws(DiagnosticError) -> [UInt8] {
    func failure() -> DiagnosticError {
      SystemError.diagnostic("file.read", "\(path) cannot be read", code: errno, path: path)
    }
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw failure() }
    defer { close(file) }
    var (bytes, chunk) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
    while true {
      let count = read(file, &chunk, chunk.count)
      if count == 0 { return bytes }
      if count > 0 { bytes += chunk[..<count] } else if errno != EINTR { throw failure() }
    }
  }

  /// Makes a folder, and those that it lies in.
  ///
  /// - Parameter name: What an error calls it, where it stands for another one.
  package static func createFolder(_ path: String, as name: String? = nil) throws(DiagnosticError) {
    if mkdir(path, 0o777) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
      throw failure("create", name ?? path)
    }
    try createFolder(String(path[..<slash]), as: name)
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw failure("create", name ?? path) }
  }

  /// The names of what lies in a folder, in no order.
  package static func names(in path: String) throws(DiagnosticError) -> [String] {
    guard let folder = opendir(path) else {
      throw SystemError.diagnostic("file.read", "the folder \(path) cannot be read", code: errno, path: path)
    }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// Whether files can be made in a folder, which is made where it is not there yet.
  package static func isWritableFolder(_ path: String) -> Bool {
    do {
      try createFolder(path)
    } catch {
      return false
    }
    return access(path, W_OK | X_OK) == 0
  }

  /// Gives a file another name, over one that has it; readers see the old file or the new one, never a part.
  package static func rename(_ path: String, to target: String) throws(DiagnosticError) {
    guard Glibc.rename(path, target) == 0 else { throw failure("create", target) }
  }

  /// The folder that a path's last part lies in.
  package static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Removes a file, or a folder and all in it. What is not there is no error.
  package static func remove(_ path: String) {
    if unlink(path) == 0 || errno == ENOENT { return }
    for name in (try? names(in: path)) ?? [] { remove(path + "/" + name) }
    rmdir(path)
  }

  /// Calls `body` with a new folder in `parent` (else under `TMPDIR`), and removes it afterwards.
  package static func withTemporaryFolder<T>(
    in parent: String? = nil, _ body: (_ path: String) throws(DiagnosticError) -> T
  ) throws(DiagnosticError) -> T {
    let isTemporary = parent == nil
    let parent = parent ?? Environment.value("TMPDIR") ?? "/tmp"
    var template = Array((parent + "/sinter-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else {
      throw failure(
        "create a folder in", parent,
        hint: isTemporary ? "temporary files are kept there; set TMPDIR to a folder that can be written" : nil)
    }
    let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    Temporaries.add(path)
    defer {
      remove(path)
      Temporaries.forget(path)
    }
    return try body(path)
  }

  private static func failure(_ action: String, _ path: String, hint: String? = nil) -> DiagnosticError {
    SystemError.diagnostic(
      "file.\(action.prefix { $0 != " " })", "cannot \(action) \(path)", code: errno, path: path, makes: true,
      hint: hint)
  }
}
