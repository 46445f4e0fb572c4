import Glibc
import Synchronization

/// How many bytes tensors may hold together in this process, and how many they do.
///
/// Memory belongs to a process, not to a graph or a pass, so this is counted for all of them. Nobody is limited before `set` is called; the
/// command line does so, and programs that link Sinter decide for themselves.
package enum MemoryLimit {
  private static let most = Atomic<Int>(.max)
  private static let holding = Atomic<Int>(0)

  /// The limit in bytes; `Int.max` where there is none.
  package static var bytes: Int { most.load(ordering: .relaxed) }

  /// The bytes that tensors hold now. Those of mapped files are not counted: the system takes them back when it needs the room.
  package static var held: Int { holding.load(ordering: .relaxed) }

  /// Sets the limit in bytes.
  package static func set(_ bytes: Int) { most.store(bytes, ordering: .relaxed) }

  package static func take(_ bytes: Int) { holding.wrappingAdd(bytes, ordering: .relaxed) }
  package static func giveBack(_ bytes: Int) { holding.wrappingSubtract(bytes, ordering: .relaxed) }

  /// Whether a tensor of so many bytes fits, and leaves free this share of the limit: a half, a quarter.
  package static func hasRoom(for bytes: Int, leaving share: Double = 0) -> Bool {
    let limit = self.bytes
    guard limit < .max else { return true }
    return Double(held) + Double(bytes) <= Double(limit) * (1 - share)
  }

  /// Throws where a tensor of so many bytes does not fit.
  package static func require(_ bytes: Int) throws(DiagnosticError) {
    if hasRoom(for: bytes) { return }
    throw DiagnosticError(
      .limit, "memory.limit", "a tensor of \(readable(bytes)) does not fit: \(state)",
      hint: "give a larger --memory-limit")
  }

  /// What is held and what may be, for messages.
  package static var state: String { "tensors hold \(readable(held)), of \(readable(bytes)) that they may" }

  /// A number of bytes for people: `12 bytes`, `1.5 MB`, `96 GB`, in powers of 1024.
  package static func readable(_ bytes: Int) -> String {
    var (value, unit) = (Double(bytes), 0)
    let units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"]
    while value >= 1024, unit + 1 < units.count { (value, unit) = (value / 1024, unit + 1) }
    let tenths = (value * 10).rounded()
    let isWhole = tenths.truncatingRemainder(dividingBy: 10) == 0 || tenths >= 1000
    return (isWhole ? "\(Int(value.rounded()))" : "\(tenths / 10)") + " " + units[unit]
  }

  /// The memory in bytes that this process can have: the machine's, or less where a control group limits it.
  package static var available: Int {
    let physical = sysconf(Int32(_SC_PHYS_PAGES)).multipliedReportingOverflow(by: sysconf(Int32(_SC_PAGESIZE)))
    var least = physical.overflow || physical.partialValue <= 0 ? Int.max : physical.partialValue
    for path in controlGroupFiles() {
      if let limit = number(in: path), limit > 0 { least = Swift.min(least, limit) }
    }
    return least
  }

  /// The files that may limit this process's memory: of its control group and of all above, in the form of version 2 and of version 1.
  private static func controlGroupFiles() -> [String] {
    var files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
    for line in (text(of: "/proc/self/cgroup") ?? "").split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, parts[1].isEmpty || parts[1].split(separator: ",").contains("memory") else { continue }
      let (root, name) =
        parts[1].isEmpty ? ("/sys/fs/cgroup", "memory.max") : ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
      var folder = parts[2]
      while folder.count > 1, let slash = folder.lastIndex(of: "/") {
        files.append("\(root)\(folder)/\(name)")
        folder = folder[..<slash]
      }
    }
    return files
  }

  private static func number(in path: String) -> Int? {
    guard let text = text(of: path) else { return nil }
    return Int(text.prefix { $0 != "\n" })  // "max" is no number
  }

  /// The first bytes of a file of the system; nil where it cannot be read.
  private static func text(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }
  }
}
