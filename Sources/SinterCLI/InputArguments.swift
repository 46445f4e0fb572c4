import ArgumentParser
import Foundation
import Sinter
import SinterModel

/// What goes into a model: files, or values made up.
struct InputArguments: ParsableArguments {
  @Argument(
    help:
      "Inputs: port=FILE.npy, or one FILE.npz with an array per port. A sequence is port=FILE.npz, with an array per element; an empty optional is port=."
  )
  var inputs: [String] = []

  @Flag(
    help:
      "Use random values for inputs without a file: floats in 0 ..< 1, integers 0 and 1. Commands that measure always do."
  )
  var random = false

  @Option(help: "The seed of random inputs.")
  var seed: UInt64 = 0

  /// One value per port. Symbolic sizes of random inputs are 1 unless `sizes` has them, and so are those of a sequence's tensors, of which two are
  /// made up. All that is wrong is told at once.
  func values(for ports: [SinterModel.Port], sizes: [Symbol: Int], makingUp: Bool) throws -> [HostValue] {
    let given = try files()
    var problems = given.keys.filter { name in !ports.contains { $0.name == name } }.sorted().map {
      Diagnostic(
        .user, "run.port", "there is no input \"\($0)\"",
        hint: "inputs are " + ports.map(\.name).joined(separator: ", "))
    }
    problems += Self.unknown(sizes, in: ports)
    problems += ports.flatMap { port in Self.contradictions(of: sizes, to: given[port.name]?.tensor, port) }
    var generator = SplitMix64(seed: seed)
    let values = ports.map { port -> HostValue? in
      if let value = given[port.name] { return value }
      guard makingUp || random, port.kind != .maps, let element = port.element,
        let shape = port.shape ?? (port.kind == .map ? [] : nil)
      else {
        problems.append(
          Diagnostic(.user, "run.input", "input \(port) is not given", hint: "add \(port.name)=FILE.npy, or --random"))
        return nil
      }
      let dims = shape.map { dimension -> Int in
        switch dimension {
        case .fixed(let size): size
        case .symbol(let name): sizes[Symbol(name)] ?? 1
        case .unknown: 1
        }
      }
      if let problem = Self.problem(ofMakingUp: port.name, element, dims) {
        problems.append(problem)
        return nil
      }
      switch port.kind {
      case .tensor, .maps: return .tensor(generator.tensor(element, dims))
      case .sequence: return .sequence((0..<2).map { _ in .tensor(generator.tensor(element, dims)) })
      case .map:
        let keys =
          port.key == .string
          ? HostTensor(strings: ["a", "b"], shape: [2]) : HostTensor(port.key ?? .i64, [2], integers: [Int64](0..<2))
        return .map(keys: keys, values: generator.tensor(element, [2]))
      }
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    return values.compactMap { $0 }
  }

  /// Sizes that an array given for a port has otherwise.
  private static func contradictions(
    of sizes: [Symbol: Int], to tensor: HostTensor?, _ port: SinterModel.Port
  ) -> [Diagnostic] {
    guard let tensor, let shape = port.shape, shape.count == tensor.shape.count else { return [] }
    return zip(shape, tensor.shape).compactMap { dimension, extent in
      guard case .symbol(let name) = dimension, let size = sizes[Symbol(name)], size != extent else { return nil }
      return Diagnostic(
        .user, "run.size", "--size \(name)=\(size) contradicts input \(port.name), in which \(name) is \(extent)",
        hint: "leave it out: --size is for inputs that are made up")
    }
  }

  /// Sizes for symbols that no input has.
  static func unknown(_ sizes: [Symbol: Int], in ports: [SinterModel.Port]) -> [Diagnostic] {
    var known: Set<Symbol> = []
    for case .symbol(let name)? in ports.flatMap({ $0.shape ?? [] }) { known.insert(Symbol(name)) }
    return unknown(sizes, among: known.sorted())
  }

  /// Sizes for symbols that are not among those of the inputs.
  static func unknown(_ sizes: [Symbol: Int], among known: [Symbol]) -> [Diagnostic] {
    sizes.keys.filter { !known.contains($0) }.sorted().map { symbol in
      let all =
        known.isEmpty ? "all sizes are fixed" : "the symbols are " + known.map(\.name).joined(separator: ", ")
      return Diagnostic(.user, "run.size", "no input has a size named \(symbol.name); \(all)")
    }
  }

  /// Nil where this machine's memory holds such a tensor while it is made up.
  static func problem(ofMakingUp name: String, _ element: ElementType, _ shape: [Int]) -> Diagnostic? {
    var bytes = MemoryLayout<Double>.size + max(element.bits / 8, 1)
    for size in shape {
      let (product, overflows) = bytes.multipliedReportingOverflow(by: size)
      bytes = overflows ? .max : product
    }
    let sizes = shape.map { "\($0)" }.joined(separator: ", ")
    if bytes > ProcessInfo.processInfo.physicalMemory {
      return Diagnostic(
        .user, "run.memory", "input \(name) of type \(element)[\(sizes)] is larger than this machine's memory",
        hint: "give --size smaller sizes")
    }
    if MemoryLimit.hasRoom(for: bytes) { return nil }
    return Diagnostic(
      .limit, "run.memory",
      "input \(name) of type \(element)[\(sizes)] takes \(MemoryLimit.readable(bytes)) while it is made up: \(MemoryLimit.state)",
      hint: "give a larger --memory-limit, or --size smaller sizes")
  }

  /// The files that are tensors, by port.
  func tensors() throws -> [String: HostTensor] { try files().compactMapValues(\.tensor) }

  private func files() throws -> [String: HostValue] {
    var given: [String: HostValue] = [:]
    var sources: [String: String] = [:]
    func add(_ port: String, _ value: HostValue, from source: String) throws {
      if let other = sources.updateValue(source, forKey: port) {
        throw ValidationError("input \(port) is given twice: by \(other) and by \(source)")
      }
      given[port] = value
    }
    for argument in inputs {
      if argument.hasSuffix(".npz"), !argument.contains("=") {
        let arrays = try NpyFile.readArchive(argument)
        for (name, array) in arrays.sorted(by: { $0.key < $1.key }) { try add(name, .tensor(array), from: argument) }
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 else { throw ValidationError("\"\(argument)\" is not of the form port=FILE.npy") }
      let value: HostValue =
        if parts[1].isEmpty {
          .none
        } else if parts[1].hasSuffix(".npz") {
          .sequence(try Self.elements(parts[1]))
        } else {
          .tensor(try NpyFile.read(parts[1]))
        }
      try add(parts[0], value, from: argument)
    }
    return given
  }

  /// The arrays of an archive in the order of the numbers that their names end with, as `numpy.savez(file, *arrays)` names them.
  private static func elements(_ path: String) throws -> [HostValue] {
    func number(_ name: String) -> Int {
      Int(name.reversed().prefix { $0.isNumber }.reversed().map(String.init).joined()) ?? 0
    }
    let arrays = try NpyFile.readArchive(path)
    return arrays.keys.sorted { (number($0), $0) < (number($1), $1) }.compactMap { arrays[$0] }.map { .tensor($0) }
  }
}

extension SplitMix64 {
  /// Floats in 0 ..< 1, integers and truth values 0 or 1.
  mutating func tensor(_ element: ElementType, _ shape: [Int]) -> HostTensor {
    let count = shape.reduce(1, *)
    if element == .string { return HostTensor(strings: [String](repeating: "", count: count), shape: shape) }
    let values = (0..<count).map { _ in uniform() }
    if element.isFloat { return HostTensor(element, shape, doubles: values) }
    return HostTensor(element, shape, integers: values.map { $0 < 0.5 ? 0 : 1 })
  }
}
