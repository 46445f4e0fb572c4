import SinterCore
import SinterKernelIR
import Testing

@testable import SinterCPU
@testable import SinterLLVM

/// Names of targets, what is refused by name, and what objects for other architectures say of themselves.
@Suite struct TargetTests {
  private func refusal(_ name: String? = nil, _ triple: String? = nil) throws -> Diagnostic {
    let error = #expect(throws: DiagnosticError.self) { try Target.list(name, for: triple) }
    return try #require(error?.diagnostics.first)
  }

  @Test(arguments: [
    ("aarch64-linux-gnu", Architecture.aarch64), ("arm64-linux-gnu", .aarch64), ("aarch64-unknown-linux-gnu", .aarch64),
    ("riscv64-linux-gnu", .riscv64), ("riscv64-unknown-linux-gnu", .riscv64), ("x86_64-linux-gnu", .x86_64),
    ("x86_64-pc-linux-gnu", .x86_64), ("amd64-linux-gnu", .x86_64),
  ])
  func triples(triple: String, architecture: Architecture) throws {
    #expect(try Architecture.named(triple) == architecture)
    let target = try Target.named(for: triple)
    #expect(target.architecture == architecture)
    #expect(target.name == (architecture == .host ? "host" : "generic"))
    #expect(target.triple == "\(architecture.rawValue)-unknown-linux-gnu")
  }

  @Test(arguments: [
    ("s390x-linux-gnu", "target.endian"), ("aarch64_be-linux-gnu", "target.endian"),
    ("arm-linux-gnueabihf", "target.bits"),
    ("i686-linux-gnu", "target.bits"), ("riscv32-unknown-linux-gnu", "target.bits"),
    ("aarch64-apple-darwin", "target.system"),
    ("x86_64-w64-mingw32", "target.system"), ("aarch64-linux-musl", "target.system"), ("aarch64", "target.system"),
    ("loongarch64-linux-gnu", "target.unknown"), ("", "target.unknown"), ("-", "target.unknown"),
  ])
  func refusedTriples(triple: String, id: String) throws {
    let told = try refusal(nil, triple)
    #expect(told.id == id)
    #expect(told.message.contains(triple))
    #expect(told.hint?.contains("aarch64-linux-gnu, riscv64-linux-gnu") ?? false)
    // However many processors are named, it is told once.
    #expect(try refusal("generic,neoverse-n1", triple).id == id)
  }

  @Test func refusedProcessors() throws {
    let host = try refusal("host", "aarch64-linux-gnu")
    #expect(host.id == "target.host" && host.hint?.contains("neoverse-n1") ?? false)
    let foreign = try refusal("neoverse-n1")
    #expect(foreign.id == "target.processor" && foreign.hint?.contains("--target aarch64-linux-gnu") ?? false)
    let other = try refusal("znver4", "aarch64-linux-gnu")
    #expect(other.id == "target.processor" && other.hint?.contains("generic, neoverse-n1") ?? false)
    #expect(try refusal("pentium").id == "target.unknown")
    #expect(try refusal("cray-1", "riscv64-linux-gnu").message.contains("riscv64-linux-gnu"))
  }

  /// Tiles are no part of a level: processors that are named have them, and libraries for these ask for them.
  @Test(arguments: [
    ("sapphirerapids", true), ("emeraldrapids", true), ("graniterapids", true), ("x86-64-v4", false),
    ("icelake-server", false), ("znver5", false),
  ])
  func tiles(processor: String, hasTiles: Bool) throws {
    let target = try Target.named(processor)
    #expect(target.requiredFeatures.contains("amx_tile") == hasTiles)
    #expect(target.requiredFeatures.contains("amx_int8") == hasTiles)
    for operation in [TileOperation.byteTileDot, .pairTileDot] {
      #expect(target.machine.tileOperations.contains(operation) == hasTiles)
    }
  }

  @Test func theMostDemandingComesFirst() throws {
    let targets = try Target.list("generic,neoverse-v1,neoverse-n1", for: "aarch64-linux-gnu")
    #expect(targets.map(\.name) == ["neoverse-v1", "neoverse-n1", "generic"])
    #expect(targets.map(\.requiredFeatures) == [["asimddp", "i8mm"], ["asimddp"], []])
  }

  @Test func eachProcessorHasARow() throws {
    for architecture in Architecture.allCases where architecture != .host {
      for name in Target.names(of: architecture) {
        let target = try Target.named(name, for: architecture.name)
        #expect(target.machine.name == (name == "generic" ? architecture.rawValue : name))
      }
    }
  }

  private func adding() -> KernelProgram {
    let x = HostTensor(.f32, [4], doubles: [1, 2, 3, 4])
    return program(inputs: [x], output: .f32, count: 4) { builder, x, y in
      let value = builder.load(x[0], at: builder.index(0), lanes: 4)
      builder.store(builder.multiplyAdd(value, value, value), y, at: builder.index(0))
    }
  }

  @Test(arguments: Architecture.allCases) func objectsSayWhatTheyAreFor(architecture: Architecture) throws {
    let target = try Target.named(for: architecture.name)
    for object in try KernelCompiler(target: target, threads: 1).objects(adding()) {
      #expect(UInt16(object[18]) | UInt16(object[19]) << 8 == architecture.elfMachine)
      #expect(UInt32(object[48]) == architecture.elfFlags)
    }
  }

  @Test func foreignKernelsDoNotRunHere() throws {
    let target = try Target.named(for: "aarch64-linux-gnu")
    let error = #expect(throws: DiagnosticError.self) { try KernelRunner(adding(), target: target) }
    #expect(error?.diagnostics.first?.id == "run.target")
  }

  @Test func oneLibraryIsForOneArchitecture() throws {
    let targets = [try Target.named("x86-64-v2"), try Target.named(for: "aarch64-linux-gnu")]
    let error = #expect(throws: DiagnosticError.self) {
      try LibraryCompiler.compile(targets.map { LibraryVariant(target: $0, program: adding()) }, to: "/nowhere/a.so")
    }
    #expect(error?.diagnostics.first?.id == "library.variants")
  }

  @Test func aCompilerForAnotherArchitectureIsToldOf() throws {
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let error = #expect(throws: DiagnosticError.self) {
        try RuntimeObject(compiler: "cc", cacheFolder: folder, for: .riscv64).path()
      }
      #expect(error?.diagnostics.first?.id == "runtime.architecture")
      let missing = #expect(throws: DiagnosticError.self) {
        try RuntimeObject(compiler: "no-such-compiler", cacheFolder: folder, for: .aarch64).path()
      }
      #expect(missing?.diagnostics.first?.hint?.contains("gcc-aarch64-linux-gnu") ?? false)
    }
  }
}
