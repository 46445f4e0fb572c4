#if ServeHTTP
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

  /// All servers, which begin and end together.
  struct FrontService: Service {
    let service: InferenceService
    let host: String
    let fronts: [any Front]

    func run() async throws {
      let (addresses, told) = AsyncStream.makeStream(of: String.self)
      try await withGracefulShutdownHandler {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for front in fronts {
            group.addTask { try await front.run { told.yield("\(front.scheme)://\(host):\($0)") } }
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
            if parts.count == fronts.count {
              Console.show("listening at \(parts.sorted(by: >).joined(separator: " and "))")
            }
          }
          // Where one cannot begin, the others end too.
          for try await _ in group {}
        }
      } onGracefulShutdown: {
        service.stop()
        for front in fronts { front.stop() }
      }
      service.stop()
      await OwnThread.run { service.table.closeAndDrain() }
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
      try await server.run()
    }

    /// It hears of the end itself, from what runs it.
    func stop() {}
  }
#endif
