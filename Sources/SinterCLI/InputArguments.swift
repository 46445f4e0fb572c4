import ArgumentParser
import Sinter
import SinterModel

/// What goes into a model: files, or values made up.
struct InputArguments: ParsableArguments {
  @Argument(help: "Inputs: port=FILE.npy, or one FILE.npz with an array for each port.")
  var inputs: [String] = []

  @Flag(
    help: "Make up the inputs that no file gives: floats in 0 ..< 1, integers 0 and 1. What measures does so anyway.")
  var random = false

  @Option(help: "The seed of random inputs.")
  var seed: UInt64 = 0

  /// One tensor a port. Symbolic sizes of random inputs are 1 unless `sizes` has them. All that is wrong is told at once.
  func tensors(for ports: [SinterModel.Port], sizes: [Symbol: Int], makingUp: Bool) throws -> [HostTensor] {
    let given = try files()
    var problems = given.keys.filter { name in !ports.contains { $0.name == name } }.sorted().map {
      Diagnostic(
        .user, "run.port", "there is no input \"\($0)\"",
        hint: "inputs are " + ports.map(\.name).joined(separator: ", "))
    }
    var generator = SplitMix64(seed: seed)
    let tensors = ports.map { port -> HostTensor? in
      if let tensor = given[port.name] { return tensor }
      guard makingUp || random, let element = port.element, let shape = port.shape else {
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
      return generator.tensor(element, dims)
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    return tensors.compactMap { $0 }
  }

  private func files() throws -> [String: HostTensor] {
    var given: [String: HostTensor] = [:]
    for argument in inputs {
      if argument.hasSuffix(".npz"), !argument.contains("=") {
        given.merge(try NpyFile.readArchive(argument)) { $1 }
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { throw ValidationError("\"\(argument)\" is not of the form port=FILE.npy") }
      given[parts[0]] = try NpyFile.read(parts[1])
    }
    return given
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
