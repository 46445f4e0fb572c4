import Glibc
import Sinter
import SinterCore
import Synchronization

/// Ends the command with a sentence when the process takes more memory than it may.
///
/// Tensors are held to the limit before they are made. What else a model can make grow (nodes, kernels, what LLVM makes of them, the memory of
/// a library that runs in this process) is seen here: a thread looks at what the process holds, fifty times a second.
enum MemoryWatch {
  private static let hasBegun = Atomic<Bool>(false)

  /// Starts watching, once.
  static func begin() {
    guard MemoryLimit.bytes < .max, !hasBegun.exchange(true, ordering: .relaxed) else { return }
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { _ in
        MemoryWatch.watch()
        return nil
      }, nil)
    if status == 0 { pthread_detach(thread) }
  }

  private static func watch() {
    let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    let page = sysconf(Int32(_SC_PAGESIZE))
    while usleep(20_000) == 0 || errno == EINTR {
      guard let pages = privatePages(descriptor) else { return }
      // Read each time, since arguments may be parsed more than once.
      if pages * page > MemoryLimit.bytes { end(holding: pages * page) }
    }
  }

  /// The pages of the process that belong to no file; nil where the system does not say.
  private static func privatePages(_ descriptor: Int32) -> Int? {
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
      let count = pread(descriptor, buffer.baseAddress, buffer.count, 0)
      guard count > 0 else { return nil }
      let text = String(decoding: buffer[..<count], as: UTF8.self)
      let fields = text.split(separator: " ").prefix(3).compactMap { Int($0) }
      return fields.count == 3 ? fields[1] - fields[2] : nil
    }
  }

  private static func end(holding bytes: Int) -> Never {
    ProgressBar.erase()
    Temporaries.removeAll()
    let (taken, limit) = (MemoryLimit.readable(bytes), MemoryLimit.readable(MemoryLimit.bytes))
    let problem = Diagnostic(
      .limit, "memory.limit",
      "the command takes \(taken), more than its memory limit of \(limit)",
      hint: "give a larger --memory-limit, or smaller sizes")
    if Flags.fromEnvironment().jsonErrors {
      Terminal.error(JSONText.of([JSONProblem(problem)]) ?? "[]")
    } else {
      Terminal.error(problem)
    }
    _exit(1)
  }
}
