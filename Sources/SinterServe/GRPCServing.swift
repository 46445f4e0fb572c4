#if Serve
  import GRPCCore
  import GRPCNIOTransportHTTP2
  import SinterServing
  import Synchronization

  /// The server for gRPC.
  struct GRPCServing: Front {
    let scheme = "grpc"
    private let host: String
    private let port: Int
    private let server: GRPCServer<HTTP2ServerTransport.Posix>

    /// - Parameter host: an address, no name.
    init(service: InferenceService, host: String, port: Int, limits: FrontLimits) {
      self.host = host
      self.port = port
      let transport = HTTP2ServerTransport.Posix(
        address: host.contains(":") ? .ipv6(host: host, port: port) : .ipv4(host: host, port: port),
        transportSecurity: .plaintext,
        config: .defaults { config in
          config.rpc.maxRequestPayloadSize = limits.bytes
          // A client that is gone is noticed.
          config.connection.keepalive.time = .seconds(60)
          config.connection.maxIdleTime = limits.idleTime
        })
      server = GRPCServer(transport: transport, services: [GRPCFront(service)])
    }

    func run(listening: @escaping @Sendable (Int) -> Void) async throws {
      let state = ListeningState()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.serve() }
        group.addTask {
          // Where there is none, the other task ends with the reason.
          guard let address = try? await server.transport.listeningAddress else { return }
          listening(address.ipv4?.port ?? address.ipv6?.port ?? 0)
          state.isListening.store(true, ordering: .releasing)
        }
        do {
          for try await _ in group {}
        } catch  where !state.isListening.load(ordering: .acquiring) {
          throw CannotListen("grpc", host, port, option: "--grpc-port", Self.cause(error))
        }
      }
    }

    /// Whether the server has its port, as tasks share it.
    private final class ListeningState: Sendable {
      let isListening = Atomic(false)
    }

    /// What the system said, where the transport wraps it.
    private static func cause(_ error: any Error) -> any Error { (error as? RuntimeError)?.cause ?? error }

    func stop() { server.beginGracefulShutdown() }
  }
#endif
