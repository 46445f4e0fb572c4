#if ServeHTTP
  import ArgumentParser
  import Logging
  import ServiceLifecycle
  import SinterCore
  import SinterServing

  /// `sinter-serve`: compiled libraries behind HTTP, and behind gRPC where the trait for it is built.
  struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "sinter-serve",
      abstract: "Serve compiled libraries over HTTP, by the Open Inference Protocol.",
      discussion: """
        Example: sinter compile resnet18.onnx -o models/resnet18/1/libresnet18.so
                 sinter serve models --max-batch 16 --max-delay 2
                 curl localhost:8000/v2/models/resnet18
        A model's own serve.json says for it what the options of models say for all.
        """,
      version: SinterVersion.current)

    @Argument(help: "The folder of models: NAME.so, NAME/lib….so or NAME/VERSION/lib….so.")
    var folder: String

    @Option(help: "The address to listen at; 0.0.0.0 for all of this machine's.")
    var host = "127.0.0.1"

    @Option(help: "The port for HTTP; 0 for any that is free.")
    var port = 8000

    @Option(
      parsing: .unconditional,
      help: "The port for gRPC, where this build has it (untested); 0 for any that is free, -1 for no gRPC.")
    var grpcPort = 8001

    @Option(help: "Of each model: requests, or batches of them, that run at once.")
    var instances = 1

    @Option(help: "Of each model: threads of each of these; 0 for all.")
    var threads = 0

    @Option(
      help: "Of each model: rows of requests that may run as one. Only right where rows do not depend on each other.")
    var maxBatch = 1

    @Option(help: "Of each model: milliseconds for which the first request of a batch waits for others.")
    var maxDelay = 0.0

    @Option(help: "Of each model: requests that wait; more are refused with status 503.")
    var queue = 256

    @Option(help: "Of each model: seconds after which a request is given up.")
    var timeout = 30.0

    @Option(help: "MiB that a request may have.")
    var bodyLimit = 256

    @Option(help: "Seconds within which a body has to arrive; for HTTP only.")
    var bodyTimeout = 30.0

    @Option(help: "Seconds after which a connection is closed on which nothing arrives, or no whole header.")
    var idleTimeout = 60.0

    @Option(help: "Seconds that requests get to end after SIGTERM or SIGINT; after them the server ends with status 1.")
    var stopTimeout = 30.0

    @Option(
      help: """
        Write, once requests are taken, a line of JSON on what is served where; - for standard output, in place of the text.
        """)
    var json: String?

    @Flag(name: .shortAndLong, help: "Say nothing but errors.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Say on standard error of each request how it ended, and when.")
    var verbose = false

    func validate() throws {
      if quiet, verbose { throw ValidationError("give either --quiet or --verbose") }
      if let problem = settings.problem(in: .options) { throw ValidationError(problem) }
      for (name, value) in [
        ("--body-timeout", bodyTimeout), ("--idle-timeout", idleTimeout), ("--stop-timeout", stopTimeout),
      ] where !(0.001...86_400).contains(value) {
        throw ValidationError("\(name) is \(value), expected 0.001 to 86400")
      }
      guard (0...65535).contains(port), (-1...65535).contains(grpcPort) else {
        throw ValidationError("ports are 0 to 65535")
      }
      guard (1...4095).contains(bodyLimit) else {
        throw ValidationError("--body-limit is \(bodyLimit), expected 1 to 4095")
      }
    }

    private var settings: ModelSettings {
      var settings = ModelSettings()
      settings.instances = instances
      settings.threads = threads
      settings.maximumBatch = maxBatch
      settings.maximumDelay = maxDelay
      settings.queue = queue
      settings.timeout = timeout * 1000
      return settings
    }

    /// What the process does.
    static func start() async {
      do {
        var command = parseOrExit()
        try await command.run()
      } catch {
        exit(withError: error)
      }
    }

    func run() async throws {
      let talk = Talk(json: json, isQuiet: quiet)
      let table = ModelTable(Repository(folder), defaults: settings)
      do throws(Refusal) {
        try await OwnThread.run { Result { () throws(Refusal) in try table.loadAll() } }.get()
      } catch {
        for line in error.message.split(separator: "\n") { Console.error(String(line)) }
        throw ExitCode(1)
      }
      for version in table.all {
        talk.say("model '\(version.signature.name)', version \(version.version): \(version.ports)")
        if let why = version.whyNoBatches { talk.say("  its requests run one by one: \(why)") }
      }
      let start = ContinuousClock.now
      let tell: @Sendable (String) -> Void = { line in
        Console.note("\(Self.seconds(since: start)) s  \(line)")
      }
      let service = InferenceService(table, listener: verbose ? tell : nil)
      service.watchDeadlines()
      let limits = FrontLimits(
        bytes: bodyLimit << 20, bodyTime: .seconds(bodyTimeout), idleTime: .seconds(idleTimeout))
      let host = try Address.resolve(host)
      var fronts: [any Front] = [HTTPServer(service: service, host: host, port: port, limits: limits)]
      #if Serve
        if grpcPort >= 0 { fronts.append(GRPCServing(service: service, host: host, port: grpcPort, limits: limits)) }
      #endif
      let front = FrontService(service: service, host: host, fronts: fronts, stopTime: .seconds(stopTimeout)) {
        try talk.announce(table.all, at: $0)
      }
      var logger = Logger(label: "sinter-serve")
      logger.logLevel = .error
      let configuration = ServiceGroupConfiguration(
        services: [front], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
      do {
        try await ServiceGroup(configuration: configuration).run()
      } catch {
        Console.error("\(error)")
        throw ExitCode(1)
      }
      talk.say("stopped")
    }

    private static func seconds(since start: ContinuousClock.Instant) -> Double {
      ((ContinuousClock.now - start) / .milliseconds(1)).rounded() / 1e3
    }
  }

  /// What is said on standard output.
  private struct Talk: Sendable {
    let json: String?
    let isQuiet: Bool

    /// Text for people, unless they want none or a report takes its place.
    func say(_ line: String) {
      if !isQuiet, json != "-" { Console.show(line) }
    }

    /// Where the servers listen, for people and for programs.
    func announce(_ versions: [ServedVersion], at addresses: [String]) throws {
      if let json {
        let line = try StartReport.line(versions, addresses: addresses)
        if json == "-" { Console.show(line) } else { try Files.write(line + "\n", to: json) }
      }
      say("listening at \(addresses.joined(separator: " and "))")
    }
  }

  extension ServedVersion {
    fileprivate var ports: String {
      let inputs = signature.inputs.map(\.description).joined(separator: ", ")
      let outputs = signature.outputs.map(\.description).joined(separator: ", ")
      return "\(inputs) -> \(outputs)"
    }
  }
#endif
