import Glibc
import SinterCore
import Synchronization

/// `transform` of each element, on up to `threads` threads; results in order. Where several fail, the first element's
/// error is thrown.
func concurrentMap<T: Sendable, R: Sendable>(
  _ elements: [T], threads: Int, progress: ProgressListener? = nil, _ transform: @Sendable @escaping (T) throws -> R
) throws -> [R] {
  let work = ConcurrentWork(elements: elements, progress: progress, transform: transform)
  var handles: [pthread_t] = []
  for _ in 1..<max(1, min(threads, elements.count)) {
    var handle = pthread_t()
    let argument = Unmanaged.passRetained(Runner { work.run() })
    let status = pthread_create(
      &handle, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Runner>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, argument.toOpaque())
    if status == 0 { handles.append(handle) } else { argument.release() }
  }
  work.run()
  for handle in handles { pthread_join(handle, nil) }
  return try work.results()
}

private final class Runner: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @Sendable @escaping () -> Void) { self.body = body }
}

private final class ConcurrentWork<T: Sendable, R: Sendable>: Sendable {
  private let elements: [T]
  private let progress: ProgressListener?
  private let transform: @Sendable (T) throws -> R
  private let next = Atomic<Int>(0)
  private let done: Mutex<[Int: Result<R, any Error>]> = Mutex([:])

  init(elements: [T], progress: ProgressListener?, transform: @Sendable @escaping (T) throws -> R) {
    self.elements = elements
    self.progress = progress
    self.transform = transform
  }

  func run() {
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      guard index < elements.count else { return }
      let result = Result { try transform(elements[index]) }
      done.withLock {
        $0[index] = result
        progress?($0.count, elements.count)
      }
    }
  }

  func results() throws -> [R] {
    let all = done.withLock { $0 }
    return try elements.indices.compactMap { try all[$0]?.get() }
  }
}
