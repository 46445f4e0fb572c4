/// The requests to one model version that wait, and those that run.
package final class RequestQueue: Sendable {
  private struct State {
    var waiting: [PendingRun] = []
    var running: [ObjectIdentifier: PendingRun] = [:]
    var isClosed = false
  }

  package enum Admission { case accepted, full, closed }

  private let state = Monitor(State())
  private let limit: Int
  /// Nanoseconds for which the first of a batch waits for others.
  private let delay: UInt64
  private let rule: BatchRule?

  package init(limit: Int, delay: UInt64, rule: BatchRule?) {
    self.limit = limit
    self.delay = delay
    self.rule = rule
  }

  package var counts: (waiting: Int, running: Int) {
    state.with { state, _ in (state.pointee.waiting.count, state.pointee.running.count) }
  }

  package func add(_ run: PendingRun) -> Admission {
    state.change { state in
      if state.isClosed { return .closed }
      guard state.waiting.count < limit else { return .full }
      state.waiting.append(run)
      return .accepted
    }
  }

  /// Waits for the next requests to run together; nil once the queue is closed and empty. `done` has to follow.
  package func take() -> [PendingRun]? {
    state.with { state, wait in
      while true {
        guard let first = state.pointee.waiting.first else {
          if state.pointee.isClosed { return nil }
          wait(nil)
          continue
        }
        var chosen = [0]
        if let rule, first.batch != nil {
          let (indices, _, isFull) = rule.choose(state.pointee.waiting.lazy.map(\.batch))
          let end = first.arrival + delay
          if !isFull, !state.pointee.isClosed, delay > 0, Clock.now < end {
            wait(end)
            continue
          }
          chosen = indices
        }
        let runs = chosen.map { state.pointee.waiting[$0] }
        for index in chosen.reversed() { state.pointee.waiting.remove(at: index) }
        for run in runs { state.pointee.running[ObjectIdentifier(run)] = run }
        return runs
      }
    }
  }

  package func done(_ runs: [PendingRun]) {
    state.change { state in for run in runs { state.running[ObjectIdentifier(run)] = nil } }
  }

  /// Takes out the requests whose time is over.
  package func expired(_ now: UInt64) -> [PendingRun] {
    // Only where the queue gets shorter are those woken that wait for its end.
    let someWait = state.with { state, _ in state.pointee.waiting.contains { $0.deadline <= now } }
    var expired: [PendingRun] = []
    if someWait {
      expired = state.change { state in
        defer { state.waiting.removeAll { $0.deadline <= now } }
        return state.waiting.filter { $0.deadline <= now }
      }
    }
    // What runs goes on, but nobody waits for it.
    return expired + state.with { state, _ in state.pointee.running.values.filter { $0.deadline <= now } }
  }

  /// Takes no more; what waits still runs.
  package func close() { state.change { $0.isClosed = true } }

  /// Waits until the queue is closed, empty, and nothing runs.
  package func drain() {
    state.with { state, wait in
      while !(state.pointee.isClosed && state.pointee.waiting.isEmpty && state.pointee.running.isEmpty) { wait(nil) }
    }
  }
}
