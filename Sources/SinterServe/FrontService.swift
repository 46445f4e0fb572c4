#if ServeHTTP
  import ArgumentParser
  import Glibc
  import HummingbirdCore
  import Logging
  import NIOCore
  import NIOPosix
  import ServiceLifecycle
  import SinterServing

  /// What clients may ask for at most.
  struct FrontLimits: Sendable {
    /// Of a request.
    var bytes: Int
    /// From the header of a request to the end of its body.
    var bodyTime: Duration
    /// Without anything arriving, or from the beginning of a header to its end.
    var idleTime: Duration
  }

  /// A server that runs until it is told to end, and then answers what it has.
  protocol Front: Sendable {
    /// Runs the server; calls `listening` with the port once clients may connect.
    func run(listening: @escaping @Sendable (Int) -> Void) async throws
    /// Has it take no more.
    func stop()
    /// `http` or `grpc`.
    var scheme: String { get }
  }

  /// A server whose port cannot be had.
  struct CannotListen: Error, CustomStringConvertible {
    let description: String

    init(_ scheme: String, _ host: String, _ port: Int, option: String, _ error: any Error) {
      let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
      description =
        "\(scheme) cannot listen at \(Address.text(host, port)): \(reason); choose another \(option) or --host"
    }
  }

  enum Address {
    /// `127.0.0.1:8000`, `[::1]:8000`.
    static func text(_ host: String, _ port: Int) -> String {
      host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// The address of a name such as `localhost`, the same for all servers; waits for the system's answer.
    static func resolve(_ host: String) throws -> String {
      do {
        return try SocketAddress.makeAddressResolvingHost(host, port: 0).ipAddress ?? host
      } catch {
        throw ValidationError("--host is \(host), which is neither an address nor a name that this machine knows")
      }
    }
  }

  /// All servers, which begin and end together.
  struct FrontService: Service {
    let service: InferenceService
    let host: String
    let fronts: [any Front]
    /// For what is under way when the end is asked for.
    let stopTime: Duration
    /// Hears the addresses, HTTP's first, once all servers listen.
    let listening: @Sendable ([String]) throws -> Void

    func run() async throws {
      let (addresses, told) = AsyncStream.makeStream(of: String.self)
      try await withGracefulShutdownHandler {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for front in fronts {
            group.addTask { try await front.run { told.yield("\(front.scheme)://\(Address.text(host, $0))") } }
          }
          group.addTask {
            let parts = try await cancelWhenGracefulShutdown {
              var parts: [String] = []
              for await address in addresses {
                parts.append(address)
                if parts.count == fronts.count { break }
              }
              return parts
            }
            if parts.count == fronts.count { try listening(parts.sorted(by: >)) }
          }
          // Where one cannot begin, the others end too.
          for try await _ in group {}
        }
      } onGracefulShutdown: {
        service.stop()
        endProcessWhenTimeIsOver()
        for front in fronts { front.stop() }
      }
      service.stop()
      await OwnThread.run { service.table.closeAndDrain() }
    }

    /// Nothing that computes can be interrupted, so that only the end of the process ends what takes longer.
    private func endProcessWhenTimeIsOver() {
      OwnThread.start { [stopTime] in
        Clock.sleep(milliseconds: Int(stopTime / .milliseconds(1)))
        Console.error("requests were not answered within \(stopTime) of the signal to end (--stop-timeout)")
        _exit(1)
      }
    }
  }

  /// The server for HTTP.
  struct HTTPServer: Front {
    let service: InferenceService
    let host: String
    let port: Int
    let limits: FrontLimits
    let scheme = "http"

    func run(listening: @escaping @Sendable (Int) -> Void) async throws {
      var logger = Logger(label: "sinter-serve.http")
      logger.logLevel = .error
      let front = HTTPFront(HTTPService(service), service, limits)
      let builder = HTTPServerBuilder.http1(
        configuration: HTTP1Channel.Configuration(idleTimeout: TimeAmount(limits.idleTime)))
      let server = try builder.buildServer(
        configuration: ServerConfiguration(address: .hostname(host, port: port), backlog: 1024),
        eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger
      ) { request, writer, channel in
        try await front.respond(request, writer, channel)
      } onServerRunning: { channel in
        listening(channel.localAddress?.port ?? 0)
      }
      do {
        try await server.run()
      } catch let error as IOError {
        throw CannotListen("http", host, port, option: "--port", error)
      }
    }

    /// It hears of the end itself, from what runs it.
    func stop() {}
  }
#endif
