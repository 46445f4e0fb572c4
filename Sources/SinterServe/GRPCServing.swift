#if Serve
  import GRPCCore
  import GRPCNIOTransportHTTP2
  import SinterServing

  /// The server for gRPC.
  struct GRPCServing: Front {
    let scheme = "grpc"
    private let server: GRPCServer<HTTP2ServerTransport.Posix>

    init(service: InferenceService, host: String, port: Int, limits: FrontLimits) {
      let transport = HTTP2ServerTransport.Posix(
        address: host.contains(":") ? .ipv6(host: host, port: port) : .ipv4(host: host, port: port),
        transportSecurity: .plaintext,
        config: .defaults { config in
          config.rpc.maxRequestPayloadSize = limits.bytes
          // A client that is gone is noticed.
          config.connection.keepalive.time = .seconds(60)
        })
      server = GRPCServer(transport: transport, services: [GRPCFront(service)])
    }

    func run(listening: @escaping @Sendable (Int) -> Void) async throws {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.serve() }
        group.addTask {
          let address = try await server.transport.listeningAddress
          listening(address.ipv4?.port ?? address.ipv6?.port ?? 0)
        }
        for try await _ in group {}
      }
    }

    func stop() { server.beginGracefulShutdown() }
  }
#endif
