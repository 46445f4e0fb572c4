package import SinterCore
internal import SinterModel
internal import Synchronization

/// One version of a model, loaded and answering.
package final class ServedVersion: Sendable {
  package let version: String
  package let signature: ModelSignature
  package let settings: ModelSettings
  /// Kept from one build of a version to the next.
  package let counters: Counters
  /// Why requests do not run together although the settings allow it, in words.
  package let whyNoBatches: String?

  private let rule: BatchRule?
  private let queue: RequestQueue
  /// The library's and its weights' files, as they were when it was loaded.
  let identity: [FileIdentity?]

  /// Loads a library and starts the threads that run it. Takes as long as that takes.
  ///
  /// - Throws: where the library cannot be loaded, or has ports that cannot be represented in the protocol.
  package init(
    model: String, version: String, library path: String, settings: ModelSettings, counters: Counters = Counters()
  ) throws(Refusal) {
    let identity = Self.identity(path)
    let library = try LibraryCopy.load(path)
    let signature = ModelSignature(name: model, inputs: library.inputs, outputs: library.outputs)
    func refusal(_ problem: String) -> Refusal { Refusal(.failed, "model '\(model)', version \(version): \(problem)") }
    if let problem = signature.problem { throw refusal(problem) }
    if !library.states.isEmpty {
      throw refusal("it keeps state from run to run, so that answers would depend on who asked before")
    }
    var sessions: [Session] = []
    do throws(DiagnosticError) {
      for _ in 0..<settings.instances {
        sessions.append(
          try library.session(threads: settings.threads, weights: Self.folder(path) + "/\(library.name).weights"))
      }
    } catch {
      throw refusal(error.diagnostics.map(\.message).joined(separator: "; "))
    }
    let rule = BatchRule(signature, maximumRows: settings.maximumBatch)
    self.identity = identity
    self.counters = counters
    self.version = version
    self.signature = signature
    self.settings = settings
    self.rule = rule
    whyNoBatches = settings.maximumBatch > 1 ? BatchRule.problem(signature) : nil
    queue = RequestQueue(limit: settings.queue, delay: UInt64(settings.maximumDelay * 1e6), rule: rule)
    for session in sessions {
      // Each ends when the queue is closed and empty, and with the last of them the library.
      guard OwnThread.start({ [queue, counters] in Self.work(session, queue, counters) }) else {
        queue.close()
        throw refusal("the system gives no thread for it")
      }
    }
  }

  static func folder(_ path: String) -> String {
    path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
  }

  /// What a library's files are now. Its weights may be any file beside it that ends with `.weights`: only the loaded library knows the name.
  static func identity(_ path: String) -> [FileIdentity?] {
    let folder = folder(path)
    let weights = (Repository.entries(folder) ?? []).filter { $0.hasSuffix(".weights") }
    return [FileIdentity(path)] + weights.map { FileIdentity(folder + "/" + $0) }
  }

  package var queueCounts: (waiting: Int, running: Int) { queue.counts }

  /// Runs the model once on a value a port.
  ///
  /// - Returns: nil where the version is about to go and another one has to be asked.
  package func run(
    _ values: [HostValue], timeout: Int?, arrival: UInt64
  ) async -> Result<[HostValue], Refusal>? {
    let limit = timeout.map { Double($0) * 1e3 } ?? settings.timeout * 1e6
    let deadline = arrival + UInt64(min(limit, 86_400e9))
    return await withUnsafeContinuation { continuation in
      let run = PendingRun(values, batch: rule?.admit(values), arrival: arrival, deadline: deadline) { result in
        continuation.resume(returning: result)
      }
      switch queue.add(run) {
      case .accepted: break
      case .closed: continuation.resume(returning: nil)
      case .full:
        run.finish(
          .failure(
            Refusal(
              .overloaded,
              "model '\(signature.name)': \(settings.queue) requests wait already, and more are not taken")))
      }
    }
  }

  /// Gives up on requests whose time is over.
  package func expire(_ now: UInt64) {
    for run in queue.expired(now) {
      let time = Double(run.deadline - run.arrival) * 1e-6
      run.finish(
        .failure(Refusal(.expired, "model '\(signature.name)' did not answer within \(Self.milliseconds(time)) ms")))
    }
  }

  private static func milliseconds(_ time: Double) -> String {
    time == time.rounded() && time < 1e15 ? "\(Int(time))" : "\(time)"
  }

  /// Takes no more requests; those that wait still run.
  package func close() { queue.close() }

  /// Waits until all have been answered, after `close`.
  package func drain() { queue.drain() }

  private static func work(_ session: Session, _ queue: RequestQueue, _ counters: Counters) {
    while let runs = queue.take() {
      let start = Clock.now
      let live = runs.filter { $0.deadline > start }
      for run in runs where run.deadline <= start {
        run.finish(.failure(Refusal(.expired, "the time for this request was over before it could run")))
      }
      if !live.isEmpty {
        answer(live, session)
        counters.ran(
          waits: live.map { Double(start - min($0.arrival, start)) * 1e-9 }, compute: Double(Clock.now - start) * 1e-9)
      }
      queue.done(runs)
    }
  }

  private static func answer(_ runs: [PendingRun], _ session: Session) {
    if runs.count > 1, case .success(let outputs) = run(session, BatchRule.join(runs.map(\.values))),
      let parts = BatchRule.part(outputs, rows: runs.map { $0.batch?.rows ?? 1 })
    {
      for (run, outputs) in zip(runs, parts) { run.finish(.success(outputs)) }
      return
    }
    // Where one of a batch is wrong, the others still get their answers.
    for pending in runs { pending.finish(run(session, pending.values)) }
  }

  private static func run(_ session: Session, _ values: [HostValue]) -> Result<[HostValue], Refusal> {
    do throws(DiagnosticError) {
      return .success(try session.run(values: values))
    } catch {
      return .failure(Refusal(error))
    }
  }
}

extension Refusal {
  /// What a library says of inputs that it does not take, or of its own failure.
  package init(_ error: DiagnosticError) {
    let message = error.diagnostics.map(\.message).joined(separator: "; ")
    switch error.diagnostics.first?.id {
    case "run.argument", "run.shape", "run.data", "run.contents", "run.count": self.init(.badRequest, message)
    default: self.init(.failed, message)
    }
  }
}
