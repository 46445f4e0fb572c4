internal import SinterCore
internal import SinterModel
internal import Synchronization

/// Answers requests by the models of a table, for whatever protocol they come.
package final class InferenceService: Sendable {
  package let table: ModelTable
  private let stopping = Atomic(false)
  /// Requests that no model can be held to account for, by status.
  private let strays = Mutex<[Int: Int]>([:])
  /// Hears of each request how it ended, in a line of text.
  private let listener: (@Sendable (String) -> Void)?

  package init(_ table: ModelTable, listener: (@Sendable (String) -> Void)? = nil) {
    self.table = table
    self.listener = listener
  }

  /// Whether the server is about to end: new requests are refused, and it is not ready.
  package var isStopping: Bool { stopping.load(ordering: .acquiring) }
  package func stop() { stopping.store(true, ordering: .releasing) }

  /// Whether it takes requests: all models are loaded before it listens, and only its end changes that.
  package var isReady: Bool { !isStopping }

  package var strayCounts: [Int: Int] { strays.withLock { $0 } }
  package func countStray(_ refusal: Refusal) {
    strays.withLock { $0[refusal.status, default: 0] += 1 }
    listener?("refused with status \(refusal.status): \(refusal.message)")
  }

  /// Runs a model for a request.
  ///
  /// - Parameter read: makes the request, of what the client sent, for the ports of the model that answers it.
  package func answer(
    _ model: String, _ version: String?, arrival: UInt64 = Clock.now,
    _ read: (ModelSignature) throws(Refusal) -> InferenceRequest
  ) async throws(Refusal) -> InferenceAnswer {
    try await answer(model, version, arrival: arrival, read) { answer throws(Refusal) in answer }
  }

  /// Runs a model for a request, and makes of the answer what the client gets. Only what could be written counts as answered.
  ///
  /// - Parameter write: makes the reply; refuses where the answer cannot be represented in it.
  package func answer<Reply>(
    _ model: String, _ version: String?, arrival: UInt64 = Clock.now,
    _ read: (ModelSignature) throws(Refusal) -> InferenceRequest,
    write: (InferenceAnswer) throws(Refusal) -> Reply
  ) async throws(Refusal) -> Reply {
    // A version that goes while the request is on its way to it says so; the one in its place is asked then.
    while true {
      if isStopping {
        let refusal = Refusal(.stopping, "the server is about to end and takes no more requests")
        countStray(refusal)
        throw refusal
      }
      let served: ServedVersion
      do throws(Refusal) {
        served = try table.version(model, version)
      } catch {
        countStray(error)
        throw error
      }
      do throws(Refusal) {
        let request = try read(served.signature)
        let values = try served.signature.values(request)
        let requested = try served.signature.requested(request)
        guard let result = await served.run(values, timeout: request.timeout, arrival: arrival) else { continue }
        let outputs = try result.get()
        let reply = try write(InferenceAnswer(served, request.id, outputs, requested))
        let seconds = Self.seconds(since: arrival)
        served.counters.finished(.answered, seconds: seconds)
        listener?("\(Self.name(served)): answered in \(Self.milliseconds(seconds))")
        return reply
      } catch {
        let seconds = Self.seconds(since: arrival)
        served.counters.finished(Counters.Outcome(error), seconds: seconds)
        listener?(
          "\(Self.name(served)): refused with status \(error.status) after \(Self.milliseconds(seconds)): \(error.message)"
        )
        throw error
      }
    }
  }

  private static func name(_ served: ServedVersion) -> String {
    "model '\(served.signature.name)', version \(served.version)"
  }

  private static func milliseconds(_ seconds: Double) -> String { "\((seconds * 1e5).rounded() / 100) ms" }

  private static func seconds(since arrival: UInt64) -> Double { Double(max(Clock.now, arrival) - arrival) * 1e-9 }

  /// Gives up on requests whose time is over, until the server ends. Holds a thread of its own.
  package func watchDeadlines() {
    OwnThread.start { [self] in
      while !isStopping || table.alive.contains(where: { $0.queueCounts != (0, 0) }) {
        let now = Clock.now
        for version in table.alive { version.expire(now) }
        Clock.sleep(milliseconds: 5)
      }
    }
  }
}

extension InferenceAnswer {
  fileprivate init(
    _ served: ServedVersion, _ id: String?, _ outputs: [HostValue], _ requested: [(index: Int, isBinary: Bool)]
  ) {
    model = served.signature.name
    version = served.version
    self.id = id
    self.outputs = requested.compactMap { index, isBinary in
      outputs[index].tensor.map {
        Output(name: served.signature.outputs[index].name, tensor: $0, isBinary: isBinary)
      }
    }
  }
}
