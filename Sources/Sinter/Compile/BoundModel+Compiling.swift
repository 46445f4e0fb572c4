import SinterIR
import SinterLLVM
import SinterModel

/// A processor to compile for: `Target.named("neoverse-n1", for: "aarch64-linux-gnu")`.
public typealias Target = SinterLLVM.Target

extension BoundModel {
  /// Compiles into a shared library and loads it.
  ///
  /// - Parameters:
  ///   - path: the library, such as `libdigits.so`; what was there is replaced only when all went well.
  ///   - header: whether to write the library's own C header, `NAME.h`, and `sinter.h` beside it.
  ///   - name: the name in the header and in the library's table; the model's by default.
  @discardableResult
  public func compile(to path: String, header: Bool = false, name: String? = nil) throws -> LoadedModel {
    var graph = graph
    if let name { graph.name = name }
    var compiler = Compiler()
    var options = LibraryOptions()
    options.writesHeaders = header
    let program = try compiler.kernels(of: graph)
    _ = try compiler.backEnd.emit(program, to: path, options: options)
    return try LoadedModel(path)
  }

  /// Compiles into a library that is loaded at once and leaves no file.
  ///
  /// - Parameter threads: 0 for as many as this process may run on.
  public func load(threads: Int = 0) throws -> LoadedModel {
    try TemporaryLibrary.with { path in
      try compile(to: path)
      return try LoadedModel(path, threads: threads)
    }
  }

  /// Compiles into a shared library for other processors than this one, which need not be able to load it.
  ///
  ///     try graph.compile(to: "libdigits.so", for: Target.list("neoverse-n1,generic", for: "aarch64-linux-gnu"))
  ///
  /// - Parameters:
  ///   - targets: of one architecture, the most demanding first; the library takes the first that the processor can run.
  ///   - header: as in `compile(to:header:name:)`.
  ///   - name: as there.
  public func compile(
    to path: String, for targets: [Target], header: Bool = false, name: String? = nil
  ) throws {
    var graph = graph
    if let name { graph.name = name }
    let variants = try targets.map { target in
      var compiler = Compiler(for: target)
      return LibraryVariant(target: target, program: try compiler.kernels(of: graph))
    }
    _ = try LibraryCompiler.compile(variants, to: path, options: LibraryOptions(writesHeaders: header))
  }
}

/// A compiled library, loaded into this process.
public final class LoadedModel {
  /// The library that was loaded.
  public let library: CompiledLibrary
  /// What runs it; of a library with state, what reads and saves that.
  public let session: Session

  /// - Parameter threads: 0 for as many as this process may run on.
  public init(_ path: String, threads: Int = 0) throws {
    library = try CompiledLibrary(path)
    session = try library.session(threads: threads)
  }

  /// The outputs for given inputs, in port order.
  public func run(_ inputs: HostTensor...) throws -> [HostTensor] { try session.run(inputs) }

  /// The same for a list of inputs.
  public func run(list inputs: [HostTensor]) throws -> [HostTensor] { try session.run(inputs) }

  /// The same for models that take or give sequences, optionals or maps.
  public func run(values: [HostValue]) throws -> [HostValue] { try session.run(values: values) }
}
