import Glibc
import Synchronization

/// Files and folders that exist only while something is being made. A process that a signal ends removes them on its way out.
package enum Temporaries {
  private static let paths = Mutex<Set<String>>([])

  package static func add(_ path: String) { paths.withLock { _ = $0.insert(path) } }

  package static func forget(_ path: String) { paths.withLock { _ = $0.remove(path) } }

  /// Removes all that are there now.
  package static func removeAll() {
    for path in paths.withLock({ $0 }) { Files.remove(path) }
  }
}
