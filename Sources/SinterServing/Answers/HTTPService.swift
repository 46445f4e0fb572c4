package import SinterCore

/// A request of HTTP, read to its end.
package struct HTTPAsk: Sendable {
  package var method: String
  package var path: String
  /// The value of a header, by its name in lower case.
  package var header: @Sendable (String) -> String?
  package var body: TensorBytes
  package var arrival: UInt64

  package init(
    method: String, path: String, header: @escaping @Sendable (String) -> String?, body: TensorBytes,
    arrival: UInt64 = Clock.now
  ) {
    self.method = method
    self.path = path
    self.header = header
    self.body = body
    self.arrival = arrival
  }
}

package struct HTTPReply: Sendable {
  package var status: Int
  package var headers: [(name: String, value: String)]
  package var body: [UInt8]

  package init(_ status: Int, _ type: String, _ body: [UInt8], _ more: [(name: String, value: String)] = []) {
    self.status = status
    headers = [("content-type", type)] + more
    self.body = body
  }

  static func json(_ write: (inout JSONWriter) throws(Refusal) -> Void) throws(Refusal) -> HTTPReply {
    var writer = JSONWriter()
    try write(&writer)
    return HTTPReply(200, "application/json", writer.bytes)
  }

  package init(_ refusal: Refusal) {
    var writer = JSONWriter()
    try? writer.object { writer throws(Refusal) in writer.field("error", refusal.message) }
    var more = refusal.retryAfter.map { [(name: "retry-after", value: "\($0)")] } ?? []
    if !refusal.allowed.isEmpty { more.append(("allow", refusal.allowed.joined(separator: ", "))) }
    self.init(refusal.status, "application/json", writer.bytes, more)
  }
}

/// Answers requests of HTTP: the Open Inference Protocol with its extensions for binary tensors and repositories, TorchServe's predictions, and
/// what Prometheus reads.
package struct HTTPService: Sendable {
  private let service: InferenceService

  package init(_ service: InferenceService) { self.service = service }

  package func reply(to ask: HTTPAsk) async -> HTTPReply {
    do throws(Refusal) {
      let route: Route
      do throws(Refusal) {
        if let encoding = ask.header("content-encoding"), encoding.lowercased() != "identity" {
          throw Refusal(.unsupportedMedia, "bodies with the encoding \(encoding) are not read")
        }
        route = try Route(ask.method, ask.path)
      } catch {
        service.countStray(error)
        throw error
      }
      return try await reply(to: ask, route)
    } catch {
      return HTTPReply(error)
    }
  }

  private func reply(to ask: HTTPAsk, _ route: Route) async throws(Refusal) -> HTTPReply {
    switch route {
    case .server:
      return try .json { writer throws(Refusal) in
        try writer.object { writer throws(Refusal) in
          writer.field("name", ServerFacts.name)
          writer.field("version", ServerFacts.version)
          try writer.field("extensions", ServerFacts.extensions)
        }
      }
    case .live: return HTTPReply(200, "application/json", [])
    case .ready: return health(service.isReady)
    case .ping:
      return try .json { writer throws(Refusal) in
        try writer.object { writer throws(Refusal) in
          writer.field("status", service.isReady ? "Healthy" : "Unhealthy")
        }
      }
    case .metrics:
      return HTTPReply(200, "text/plain; version=0.0.4", Array(MetricsText.of(service).utf8))
    case .model(let model, let version): return try metadata(model, version)
    case .modelReady(let model, let version):
      return health(service.isReady && service.table.isReady(model, version))
    case .infer(let model, let version): return try await infer(ask, model, version)
    case .predict(let model, let version): return try await predict(ask, model, version)
    case .index: return try await index(ask)
    case .load(let model):
      try await change { table throws(Refusal) in try table.load(model) }
      return HTTPReply(200, "application/json", [])
    case .unload(let model):
      try await change { table throws(Refusal) in try table.unload(model) }
      return HTTPReply(200, "application/json", [])
    }
  }

  private func health(_ isReady: Bool) -> HTTPReply {
    HTTPReply(isReady ? 200 : 503, "application/json", [], isReady ? [] : [("retry-after", "1")])
  }

  private func change(_ body: @escaping @Sendable (ModelTable) throws(Refusal) -> Void) async throws(Refusal) {
    try await OwnThread.run { [service] in Result { () throws(Refusal) in try body(service.table) } }.get()
  }

  private func metadata(_ model: String, _ version: String?) throws(Refusal) -> HTTPReply {
    let facts = try service.table.facts(model, version)
    return try .json { writer throws(Refusal) in
      try writer.object { writer throws(Refusal) in
        writer.field("name", model)
        try writer.field("versions", service.table.versions(model))
        writer.field("platform", ServerFacts.platform)
        try writer.ports(of: facts)
      }
    }
  }

  private func infer(_ ask: HTTPAsk, _ model: String, _ version: String?) async throws(Refusal) -> HTTPReply {
    var jsonLength: Int?
    if let text = ask.header("inference-header-content-length") {
      guard let length = Int(text) else {
        throw .badRequest("the header Inference-Header-Content-Length is '\(text)', expected a number of bytes")
      }
      jsonLength = length
    }
    let (bytes, length) = try await service.answer(model, version, arrival: ask.arrival) {
      signature throws(Refusal) in
      try InferenceRequest(body: ask.body, jsonLength: jsonLength, for: signature)
    } write: { answer throws(Refusal) in
      try answer.body()
    }
    guard let length else { return HTTPReply(200, "application/json", bytes) }
    return HTTPReply(
      200, "application/octet-stream", bytes, [("inference-header-content-length", "\(length)")])
  }

  private func predict(_ ask: HTTPAsk, _ model: String, _ version: String?) async throws(Refusal) -> HTTPReply {
    let isBinary = ask.header("content-type").map { $0.hasPrefix("application/octet-stream") } ?? false
    let bytes = try await service.answer(model, version, arrival: ask.arrival) { signature throws(Refusal) in
      try Prediction.inputs(ask.body, isBinary: isBinary, for: signature)
    } write: { answer throws(Refusal) in
      try Prediction.body(answer)
    }
    return HTTPReply(200, "application/json", bytes)
  }

  /// The body may say `{"ready": true}`, for what is ready only.
  private func index(_ ask: HTTPAsk) async throws(Refusal) -> HTTPReply {
    var onlyReady = false
    if ask.body.count > 0 {
      var problem: Refusal?
      ask.body.withBytes { bytes in
        do throws(Refusal) {
          var cursor = JSONCursor(bytes)
          try cursor.object { name, cursor throws(Refusal) in
            if name == "ready" { onlyReady = try cursor.bool() } else { try cursor.skipValue() }
          }
          try cursor.expectEnd()
        } catch {
          problem = error
        }
      }
      if let problem { throw problem }
    }
    let entries = try await OwnThread.run { [service] in
      Result { () throws(Refusal) in try service.table.index() }
    }.get()
    return try .json { writer throws(Refusal) in
      try writer.array { writer throws(Refusal) in
        for entry in entries where entry.isReady || !onlyReady {
          try writer.object { writer throws(Refusal) in
            writer.field("name", entry.name)
            writer.field("version", entry.version)
            writer.field("state", entry.state)
            writer.field("reason", entry.reason)
          }
        }
      }
    }
  }
}

/// What the server says of itself.
package enum ServerFacts {
  package static let name = "sinter"
  package static let version = SinterVersion.current
  package static let extensions = ["binary_tensor_data", "model_repository"]
  package static let platform = "sinter"
}

extension ModelTable.Entry {
  package var state: String { isReady ? "READY" : "UNAVAILABLE" }
}
