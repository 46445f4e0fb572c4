#if ServeHTTP
  import HTTPTypes
  import HummingbirdCore
  import NIOCore
  import SinterCore
  import SinterServing

  /// Reads requests of HTTP to their ends, within limits, and writes replies.
  struct HTTPFront: Sendable {
    private let http: HTTPService
    private let service: InferenceService
    private let limits: FrontLimits

    init(_ http: HTTPService, _ service: InferenceService, _ limits: FrontLimits) {
      self.http = http
      self.service = service
      self.limits = limits
    }

    func respond(_ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
      let arrival = Clock.now
      let body: TensorBytes
      // A body that stalls is looked at by nobody. One that trickles gets its reply in the second before.
      let timer = channel.eventLoop.scheduleTask(in: TimeAmount(limits.bodyTime + .seconds(1))) {
        channel.close(promise: nil)
      }
      defer { timer.cancel() }
      do throws(BodyProblem) {
        body = try await self.body(of: request, arrival)
      } catch {
        guard case .refused(let refusal) = error else { throw ConnectionLost() }
        service.countStray(refusal)
        var reply = HTTPReply(refusal)
        reply.headers.append(("connection", "close"))
        // The rest of the body is not waited for; a moment is for the reply to be read in.
        channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
        return try await write(reply, writer, channel)
      }
      let fields = request.headers
      let ask = HTTPAsk(
        method: request.method.rawValue, path: request.head.path ?? "",
        header: { name in HTTPField.Name(name).flatMap { fields[$0] } }, body: body, arrival: arrival)
      timer.cancel()
      var reply = await http.reply(to: ask)
      if service.isStopping { reply.headers.append(("connection", "close")) }
      // HEAD has the header of what GET would get, and nothing behind it.
      try await write(reply, writer, channel, withoutBody: request.method == .head)
    }

    private enum BodyProblem: Error { case refused(Refusal), lost }
    private struct ConnectionLost: Error {}

    private func body(of request: Request, _ arrival: UInt64) async throws(BodyProblem) -> TensorBytes {
      func tooLarge(_ bytes: Int) -> BodyProblem {
        .refused(Refusal(.tooLarge, "a body of \(bytes) bytes, at most \(limits.bytes) are taken"))
      }
      if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limits.bytes {
        throw tooLarge(length)
      }
      let allowed = UInt64(limits.bodyTime / .nanoseconds(1))
      var (parts, count) = ([ByteBuffer](), 0)
      do {
        for try await part in request.body {
          count += part.readableBytes
          if count > limits.bytes { throw tooLarge(count) }
          if Clock.now - arrival > allowed {
            throw BodyProblem.refused(Refusal(.slowClient, "the body did not arrive within \(limits.bodyTime)"))
          }
          parts.append(part)
        }
      } catch let problem as BodyProblem {
        throw problem
      } catch {
        throw .lost
      }
      return TensorBytes(count: count) { memory in
        var at = 0
        for part in parts {
          part.withUnsafeReadableBytes { bytes in
            UnsafeMutableRawBufferPointer(rebasing: memory[at..<at + bytes.count]).copyMemory(from: bytes)
          }
          at += part.readableBytes
        }
      }
    }

    private func write(
      _ reply: HTTPReply, _ writer: consuming ResponseWriter, _ channel: any Channel, withoutBody: Bool = false
    ) async throws {
      var fields = HTTPFields()
      for (name, value) in reply.headers {
        if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
      }
      fields[.contentLength] = "\(reply.body.count)"
      let head = HTTPResponse(status: HTTPResponse.Status(code: reply.status), headerFields: fields)
      // A client that does not read what it asked for does not keep the connection.
      let bytes = withoutBody ? [] : reply.body
      let isLarge = bytes.count > 65536
      let timer =
        isLarge
        ? channel.eventLoop.scheduleTask(in: TimeAmount(limits.bodyTime)) { channel.close(promise: nil) } : nil
      defer { timer?.cancel() }
      try await writer.write(response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
  }
#endif
