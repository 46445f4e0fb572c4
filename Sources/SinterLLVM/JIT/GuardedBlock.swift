internal import CLLVM
import Glibc
import Synchronization

/// The end of each buffer at which the first byte beyond it is watched from the first access on. At the other end, changes are found
/// afterwards.
package enum MemoryGuard: Sendable, CaseIterable { case start, end }

/// Memory for tests: a page that nothing may touch lies right behind it, or right before it, and what it holds at first is no number.
///
/// What touches such a page goes on, so that one run can tell of all faults: the first touch of each page is noted, and the page then holds
/// zeros.
final class GuardedBlock {
  let base: UnsafeMutableRawPointer
  let byteCount: Int
  private let pages: Range<Int>
  /// Whether it ends where a page ends.
  private let isAtEnd: Bool

  /// Each byte of a new block: floats of all widths are NaN, integers -1.
  private static let unwritten: UInt8 = 0xff
  private static let filling: UInt8 = 0xa7
  /// Pages on either side.
  private static let guardPages = 16

  init(byteCount: Int, at side: MemoryGuard) {
    self.byteCount = byteCount
    isAtEnd = side == .end
    let count = max(1, (byteCount + GuardedSpace.page - 1) / GuardedSpace.page)
    let first = GuardedSpace.take(count + 2 * Self.guardPages) + Self.guardPages
    pages = first..<(first + count)
    let start = GuardedSpace.open(pages)
    memset(start, Int32(Self.filling), count * GuardedSpace.page)
    base = isAtEnd ? start + (count * GuardedSpace.page - byteCount) : start
    memset(base, Int32(Self.unwritten), byteCount)
  }

  deinit { GuardedSpace.giveBack(watched) }

  private var watched: Range<Int> { (pages.lowerBound - Self.guardPages)..<(pages.upperBound + Self.guardPages) }

  /// What was touched beside it, in words.
  var violation: String? {
    for page in watched where !pages.contains(page) {
      guard let address = GuardedSpace.touched(page) else { continue }
      let distance = address - Int(bitPattern: base)
      return distance < 0 ? "\(-distance) bytes before its start" : "\(distance - byteCount) bytes behind its end"
    }
    let whole = UnsafeRawBufferPointer(
      start: GuardedSpace.address(of: pages.lowerBound), count: pages.count * GuardedSpace.page)
    let slack = isAtEnd ? whole.dropLast(byteCount) : whole.dropFirst(byteCount)
    guard let change = slack.firstIndex(where: { $0 != Self.filling }) else { return nil }
    let offset = change - (whole.count - byteCount)
    return isAtEnd
      ? "a write \(-offset) bytes or less before its start" : "a write \(change - byteCount) bytes behind its end"
  }
}

/// The addresses that guarded blocks lie in, one range for the process.
enum GuardedSpace {
  static let page = 4096
  private static let pageCount = 1 << 24

  /// What the signal handler reads, set before any block is there. The first address that was touched of each page that nothing may touch.
  nonisolated(unsafe) private static var start: UnsafeMutableRawPointer?
  nonisolated(unsafe) private static var touches: UnsafeMutablePointer<Int>?
  /// Who handled each signal before.
  nonisolated(unsafe) private static let handlers = UnsafeMutablePointer<sigaction>.allocate(capacity: 64)
  private static let touchCount = Atomic<Int>(0)

  private struct Places {
    var next = 0
    var free: [Int: [Int]] = [:]
  }
  private static let places = Mutex<Places>(Places())

  /// How often something was touched so far, by any thread.
  static var faults: Int { touchCount.load(ordering: .relaxed) }

  static func address(of place: Int) -> UnsafeMutableRawPointer { start! + place * page }

  static func touched(_ place: Int) -> Int? {
    guard let address = touches?[place], address != 0 else { return nil }
    return address
  }

  /// Closed pages in a row.
  static func take(_ count: Int) -> Int {
    places.withLock { places in
      if start == nil { prepare() }
      if let place = places.free[count]?.popLast() { return place }
      precondition(places.next + count <= pageCount, "no guarded memory is left")
      defer { places.next += count }
      return places.next
    }
  }

  static func open(_ pages: Range<Int>) -> UnsafeMutableRawPointer {
    let base = address(of: pages.lowerBound)
    precondition(mprotect(base, pages.count * page, PROT_READ | PROT_WRITE) == 0, "no memory")
    return base
  }

  /// Closes pages and forgets what they hold.
  static func giveBack(_ pages: Range<Int>) {
    map(address(of: pages.lowerBound), pages.count * page, PROT_NONE, MAP_FIXED)
    for place in pages where touches![place] != 0 { touches![place] = 0 }
    places.withLock { $0.free[pages.count, default: []].append(pages.lowerBound) }
  }

  @discardableResult
  private static func map(
    _ address: UnsafeMutableRawPointer?, _ bytes: Int, _ protection: Int32, _ flags: Int32
  ) -> UnsafeMutableRawPointer {
    let result = mmap(address, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0)
    precondition(result != MAP_FAILED, "no addresses for guarded memory")
    return result!
  }

  private static func prepare() {
    touches = map(nil, pageCount * MemoryLayout<Int>.size, PROT_READ | PROT_WRITE, 0).assumingMemoryBound(to: Int.self)
    start = map(nil, pageCount * page, PROT_NONE, 0)
    for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL] {
      var action = sigaction()
      action.__sigaction_handler.sa_sigaction = { signal, info, _ in
        let address = info?.pointee._sifields._sigfault.si_addr
        if signal == SIGSEGV, let address, GuardedSpace.note(address) { return }
        sinter_guard_leave(signal)
        // What failed is tried again, under whoever handled it before.
        sigaction(signal, GuardedSpace.handlers + Int(signal), nil)
      }
      action.sa_flags = SA_SIGINFO | SA_ONSTACK
      sigaction(signal, &action, handlers + Int(signal))
    }
  }

  /// Runs in a signal handler. Opens a page that was touched; false where it is none of these.
  private static func note(_ address: UnsafeMutableRawPointer) -> Bool {
    guard let start, let touches, address >= start, address < start + pageCount * page else { return false }
    let place = (address - start) / page
    if touches[place] == 0 { touches[place] = Int(bitPattern: address) }
    touchCount.add(1, ordering: .relaxed)
    return mprotect(start + place * page, page, PROT_READ | PROT_WRITE) == 0
  }
}
