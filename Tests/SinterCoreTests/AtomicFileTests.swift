import Glibc
import SinterCore
import Testing

/// What becomes of the paths that outputs are written to.
@Suite struct AtomicFileTests {
  private func read(_ path: String) -> String? {
    guard let file = try? MappedFile(path) else { return nil }
    return String(decoding: file.contents, as: UTF8.self)
  }

  private func mode(_ path: String) -> UInt32 {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : 0
  }

  private func names(in folder: String) -> [String] {
    var names: [String] = []
    guard let entries = opendir(folder) else { return [] }
    while let entry = readdir(entries) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    closedir(entries)
    return names.filter { $0 != "." && $0 != ".." }.sorted()
  }

  private func inFolder(_ body: (String) throws -> Void) throws {
    let outcome = try Files.withTemporaryFolder { folder in Result { try body(folder) } }
    try outcome.get()
  }

  @Test func filesAreMadeAndReplaced() throws {
    try inFolder { folder in
      let path = folder + "/y"
      try AtomicFile.write("one", to: path)
      #expect(read(path) == "one")
      let file = try AtomicFile(path)
      try file.append("two")
      #expect(read(path) == "one")
      try file.commit()
      #expect(read(path) == "two")
      #expect(names(in: folder) == ["y"])
    }
  }

  @Test func whatIsNotCommittedLeavesNoTrace() throws {
    try inFolder { folder in
      let path = folder + "/y"
      try AtomicFile.write("one", to: path)
      do {
        let file = try AtomicFile(path)
        try file.append("two")
      }
      #expect(read(path) == "one")
      #expect(names(in: folder) == ["y"])
    }
  }

  @Test(arguments: ["y", "sub/y", "gone"])
  func linksAreFollowed(target: String) throws {
    try inFolder { folder in
      mkdir(folder + "/sub", 0o755)
      if target != "gone" { try AtomicFile.write("one", to: "\(folder)/\(target)") }
      symlink(target, folder + "/first")
      symlink("\(folder)/first", folder + "/sub/second")
      for link in ["first", "sub/second"] {
        try AtomicFile.write(link, to: "\(folder)/\(link)")
        #expect(mode("\(folder)/\(link)") == S_IFLNK)
        #expect(mode("\(folder)/\(target)") == S_IFREG)
        #expect(read("\(folder)/\(target)") == link)
      }
      #expect(names(in: folder).filter { $0.hasPrefix(".") } == [])
    }
  }

  @Test func linksInCirclesAreTold() throws {
    try inFolder { folder in
      symlink("b", folder + "/a")
      symlink("a", folder + "/b")
      let error = #expect(throws: DiagnosticError.self) { try AtomicFile(folder + "/a") }
      #expect(error?.description.contains("\(folder)/a cannot be written: Too many levels of symbolic links") ?? false)
    }
  }

  @Test func foldersAreTold() throws {
    try inFolder { folder in
      let error = #expect(throws: DiagnosticError.self) { try AtomicFile(folder) }
      #expect(
        error?.description
          == "error: \(folder) cannot be written: Is a directory; give the path of a file, not of a folder")
      #expect(throws: DiagnosticError.self) { try AtomicFile(folder + "/gone/y") }
      #expect(throws: DiagnosticError.self) { try AtomicFile("") }
    }
  }

  @Test func pipesAreWrittenThrough() throws {
    try inFolder { folder in
      let path = folder + "/pipe"
      try #require(mkfifo(path, 0o600) == 0)
      // A reader that does not wait, so that neither does the writer; the text fits into the pipe.
      let reader = open(path, O_RDONLY | O_NONBLOCK)
      try #require(reader >= 0)
      defer { close(reader) }
      try AtomicFile.write("bytes", to: path)
      var bytes = [UInt8](repeating: 0, count: 16)
      #expect(Glibc.read(reader, &bytes, bytes.count) == 5)
      #expect(Array(bytes[..<5]) == Array("bytes".utf8))
      #expect(mode(path) == S_IFIFO)

      // A file that was made elsewhere, and a link to the pipe.
      symlink("pipe", folder + "/link")
      try AtomicFile.write("whole", to: folder + "/made")
      let destination = try Destination(folder + "/link")
      #expect(destination.folder == nil)
      try destination.take(folder + "/made")
      #expect(Glibc.read(reader, &bytes, bytes.count) == 5)
      #expect(Array(bytes[..<5]) == Array("whole".utf8))
      #expect(mode(path) == S_IFIFO && mode(folder + "/link") == S_IFLNK)
    }
  }

  private static func makeFullDevice(_ path: String) -> Bool {
    guard mknod(path, S_IFCHR | 0o600, 1 << 8 | 7) == 0 else { return false }
    let probe = open(path, O_WRONLY)
    if probe >= 0 { close(probe) }
    return probe >= 0
  }

  private static var canMakeDevices: Bool {
    (try? Files.withTemporaryFolder { folder in makeFullDevice(folder + "/full") }) ?? false
  }

  /// A device with the numbers of /dev/full in a folder of our own, so that a mistake can replace that one only.
  @Test(.enabled(if: canMakeDevices, "only root may make devices, and not in every folder"))
  func fullDevicesAreToldAndStay() throws {
    try inFolder { folder in
      let path = folder + "/full"
      try #require(Self.makeFullDevice(path))
      let error = #expect(throws: DiagnosticError.self) { try AtomicFile.write("bytes", to: path) }
      #expect(
        error?.description
          == "error: \(path) cannot be written: No space left on device; make room there, or give a path elsewhere")
      try AtomicFile.write("bytes", to: folder + "/made")
      #expect(throws: DiagnosticError.self) { try Destination(path).take(folder + "/made") }
      #expect(mode(path) == S_IFCHR)
      #expect(names(in: folder) == ["full", "made"])
    }
  }

  /// What the process's table of open files names may be appended to by others.
  @Test func openFilesAreWrittenThrough() throws {
    try inFolder { folder in
      let path = folder + "/log"
      try AtomicFile.write("before ", to: path)
      let file = open(path, O_WRONLY | O_APPEND)
      try #require(file >= 0)
      defer { close(file) }
      try AtomicFile.write("after", to: "/proc/self/fd/\(file)")
      #expect(read(path) == "before after")
    }
  }

  @Test(.enabled(if: geteuid() != 0, "root may write anywhere"))
  func placesWithoutRightsAreTold() throws {
    try inFolder { folder in
      mkdir(folder + "/closed", 0o500)
      let error = #expect(throws: DiagnosticError.self) { try AtomicFile(folder + "/closed/y") }
      #expect(error?.description == "error: \(folder)/closed/y cannot be written: Permission denied")
    }
  }
}
