import ArgumentParser
import Foundation
import Sinter
import SinterCore
import SinterCPU
import SinterGradient
import SinterIR
import SinterLLVM
import SinterModel
import SinterONNX
import SinterOps

/// A model file on the command line, and sizes to fix in it.
struct ModelArgument: ParsableArguments {
  @Argument(
    help:
      "The model: an ONNX file, or a graph in text form (.sinter); a compiled library (.so) where one will do; - for standard input.",
    completion: .file())
  var model: String

  @Option(help: ArgumentHelp("Fix a symbolic size.", valueName: "symbol=size"))
  var bind: [String] = []

  @OptionGroup var memory: MemoryArgument
  @OptionGroup var talk: TalkOptions

  /// The graph, with its sizes bound.
  func graph() throws -> Graph { try ModelFile(path: model).graph(binding: Self.sizes(bind)) }

  /// The graph as far as it can be shown: nodes that cannot be read stand in it as what the file says of them, and what is wrong is told.
  func drawableGraph() throws -> (graph: Graph, problems: [Diagnostic]) {
    let (graph, problems) = try ModelFile(path: model).partialGraph(binding: Self.sizes(bind), showsUnknown: true)
    if graph.order.isEmpty, !problems.isEmpty { throw DiagnosticError(problems) }
    for problem in problems { Terminal.note("\(problem)") }
    return (graph, problems)
  }

  /// Loads the model, after compiling it for this processor where it is not a library yet.
  func withLibrary<R>(
    profiles: Bool = false, math: MathArgument, _ body: (CompiledLibrary) throws -> R
  ) throws -> R {
    try ModelFile(path: model).withLibrary(binding: Self.sizes(bind), profiles: profiles, math: math.math) { path in
      try body(CompiledLibrary(path))
    }
  }

  static func sizes(_ pairs: [String]) throws -> [Symbol: Int] {
    var sizes: [Symbol: Int] = [:]
    for pair in pairs {
      let parts = pair.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let size = Int(parts[1]), size >= 0 else {
        throw ValidationError("\"\(pair)\" is not of the form symbol=size, as in batch=1")
      }
      let symbol = Symbol(String(parts[0]))
      if let other = sizes.updateValue(size, forKey: symbol) {
        throw ValidationError("\(symbol.name) has sizes twice: \(other) and \(size)")
      }
    }
    return sizes
  }
}

/// A file that holds a model.
struct ModelFile {
  let path: String

  /// - Parameter path: `-` for standard input.
  init(path: String) throws {
    if path.isEmpty {
      throw ValidationError("the path of a model is empty: give that of a file, or - for standard input")
    }
    self.path = path == "-" ? try StandardInput.path() : path
  }

  /// Whether it is a graph in text form, by its ending or its first word, with which no ONNX file begins.
  private var isText: Bool { path.hasSuffix(".sinter") || begins(with: Array("graph ".utf8)) == true }

  /// Whether it is a compiled library, by its first bytes.
  var isLibrary: Bool { begins(with: [0x7F] + Array("ELF".utf8)) ?? path.hasSuffix(".so") }

  /// Whether a file begins with these bytes; nil where it cannot be read, or is no file.
  private func begins(with bytes: [UInt8]) -> Bool? {
    guard let file = try? MappedFile(path) else { return nil }
    return file.contents.prefix(bytes.count).elementsEqual(bytes)
  }

  /// The ONNX file as it is; nil of a text form.
  func onnxFile() throws -> OnnxFile? { isText ? nil : try OnnxFile(reading: path) }

  /// The graph of an ONNX file or of a text form.
  func graph(binding sizes: [Symbol: Int]) throws -> Graph {
    let (graph, problems) = try partialGraph(binding: sizes)
    if !problems.isEmpty { throw DiagnosticError(problems) }
    return graph
  }

  /// As much of the graph as can be read, with sizes fixed, and what is wrong with the rest.
  ///
  /// - Parameter showsUnknown: whether nodes that cannot be read stay as what the file says of them, for drawings.
  func partialGraph(
    binding sizes: [Symbol: Int], showsUnknown: Bool = false
  ) throws -> (graph: Graph, problems: [Diagnostic]) {
    let start = ContinuousClock.now
    defer { Terminal.detail(start.duration(to: .now), "import") }
    guard isText else {
      var importer = OnnxImporter(operators: .complete)
      importer.sizes = sizes
      importer.showsUnknown = showsUnknown
      let (graph, problems) = try importer.partialGraph(reading: path)
      // What is wrong with the arguments is no part of the model, and would be shown at other sizes than those asked for.
      let wrongSizes = problems.filter { $0.id.hasPrefix("bind.") }
      if showsUnknown, !wrongSizes.isEmpty { throw DiagnosticError(wrongSizes) }
      return (graph, problems)
    }
    var graph = try GraphTextFile.read(path)
    if !sizes.isEmpty { try graph.bind(sizes) }
    return (graph, [])
  }

  /// Hands over the path of the compiled model: the file itself if it is a library, else one in a folder that goes away afterwards.
  func withLibrary<R>(
    binding sizes: [Symbol: Int], profiles: Bool = false, math: ProductMath = .f32, _ body: (String) throws -> R
  ) throws -> R {
    if isLibrary {
      guard sizes.isEmpty else {
        throw ValidationError(
          "sizes are bound when a model is compiled, and \(path) is compiled; --size chooses them for inputs")
      }
      guard math == .f32 else {
        throw ValidationError(
          "--math says how a model is compiled, and \(path) is compiled; give sinter compile --math \(math.rawValue)")
      }
      return try body(path)
    }
    let result = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let library = "\(folder)/model.so"
      return Result { try body(compiled(binding: sizes, profiles: profiles, math: math, to: library)) }
        .mapError { ($0 as? DiagnosticError)?.naming(library, as: path) ?? $0 }
    }
    return try result.get()
  }

  private func compiled(
    binding sizes: [Symbol: Int], profiles: Bool, math: ProductMath, to library: String
  ) throws -> String {
    var graph = try graph(binding: sizes)
    graph.name = CompileCommand.name(ofFile: path)
    var compiler = Compiler(scheduling: ScheduleOptions(math: math))
    var options = LibraryOptions()
    options.writesHeaders = false
    options.profiles = profiles
    let made = try LibraryCompiler.compile(try compiler.kernels(of: graph), to: library, options: options)
    Terminal.detail(compiler, made)
    return library
  }
}
