import Foundation
import SinterCore
import SinterIR
import SinterQuantize

/// Inputs of a model in NumPy's files, one run after another.
///
/// In an archive (`.npz`) of its own, each array is named after an input and has one axis more, in front, which counts the runs; where it has
/// as many axes as the input, its first axis is the input's own, of which a run takes as many places as the input has, or one where that size
/// is a symbol. In a folder, an array `INPUT.npy` is read in the same way; each archive is one run with all inputs; and each other array is one run
/// of a model with one input, whose first axis may be left out where it is 1 or a symbol.
package struct CalibrationData: SampleSource {
  private enum Run {
    /// Part of arrays that hold all runs.
    case part(Int)
    case archive(String)
    case array(String)
  }

  private struct InputPort {
    var name: String
    var type: TensorType
  }

  /// An array that holds one input of all runs.
  private struct Stack {
    var tensor: HostTensor
    var shape: [Int]
    var count: Int

    func part(_ index: Int) -> HostTensor {
      let size = tensor.element.byteCount(shape.reduce(1, *))
      return tensor.bytes.withBytes { raw in
        guard size > 0, let base = raw.baseAddress else {
          return HostTensor(tensor.element, shape, bytes: TensorBytes(count: 0) { _ in })
        }
        return HostTensor(
          tensor.element, shape, bytes: TensorBytes(at: base + index * size, count: size, owner: tensor.bytes))
      }
    }
  }

  private let ports: [InputPort]
  private var runs: [Run] = []
  private var stacks: [Stack] = []

  package var count: Int { runs.count }

  /// Reads what is at a path, and holds it against the inputs of a graph. Throws all that is wrong at once.
  package init(_ path: String, for graph: Graph) throws {
    var problems = graph.inputStructures.map { structure in
      Diagnostic(
        .limit, "quantize.input",
        "input '\(structure.name)' is \(structure.value.kindName), so that no array can be given for it")
    }
    ports = graph.inputs.compactMap { port in
      guard let type = graph.type(of: port).tensor else {
        problems.append(
          Diagnostic(
            .limit, "quantize.input", "input '\(port.name)' is no tensor, so that no array can be given for it"))
        return nil
      }
      return InputPort(name: port.name, type: type)
    }
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw DiagnosticError(
        .user, "quantize.data", "there is no file or folder \(path)",
        hint: "give a folder of .npy or .npz files, or one .npz file")
    }
    if isFolder.boolValue {
      try readFolder(path, &problems)
    } else if path.hasSuffix(".npz") {
      add(stacks: try NpyFile.readArchive(path), of: path, &problems)
    } else if path.hasSuffix(".npy"), ports.count == 1 {
      add(stacks: [ports[0].name: try NpyFile.read(path)], of: path, &problems)
    } else {
      problems.append(
        Diagnostic(
          .user, "quantize.data", "\(path) is neither a folder nor an .npz file",
          hint: "write numpy.savez(\"data.npz\", \(ports.map { "\($0.name)=…" }.joined(separator: ", ")))"))
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
  }

  package func inputs(_ index: Int) throws -> [HostTensor] {
    switch runs[index] {
    case .part(let part): return stacks.map { $0.part(part) }
    case .archive(let path):
      let arrays = try NpyFile.readArchive(path)
      return ports.compactMap { arrays[$0.name] }
    case .array(let path):
      let tensor = try NpyFile.read(path)
      return [tensor.rank < ports[0].type.rank ? tensor.reshaped([1] + tensor.shape) : tensor]
    }
  }

  private mutating func readFolder(_ path: String, _ problems: inout [Diagnostic]) throws {
    let names = try Files.names(in: path).filter {
      $0.hasSuffix(".npy") || $0.hasSuffix(".npz")
    }.sorted()
    if names.isEmpty {
      problems.append(
        Diagnostic(
          .user, "quantize.data", "the folder \(path) has no .npy or .npz files",
          hint: "save one .npz file per run, with an array for each of \(ports.map(\.name).joined(separator: ", "))"))
    }
    var arrays: [String: HostTensor] = [:]
    for name in names {
      let file = "\(path)/\(name)"
      let stem = String(name.dropLast(4))
      do {
        if name.hasSuffix(".npz") {
          let found = check(names: try NpyFile.readArchive(file), of: file)
          problems += found
          if found.isEmpty { runs.append(.archive(file)) }
        } else if ports.contains(where: { $0.name == stem }) {
          arrays[stem] = try NpyFile.read(file)
        } else if ports.count == 1 {
          let tensor = try NpyFile.read(file)
          let type = ports[0].type
          let isShort = tensor.rank == type.rank - 1 && type.shape[0].value ?? 1 == 1
          let found = check(isShort ? tensor.reshaped([1] + tensor.shape) : tensor, ports[0], of: file)
          problems += found
          if found.isEmpty { runs.append(.array(file)) }
        } else {
          problems.append(Self.unknown(stem, ports, file))
        }
      } catch let error as DiagnosticError {
        problems += error.diagnostics
      }
    }
    if !arrays.isEmpty { add(stacks: arrays, of: path, &problems) }
  }

  private static func unknown(_ name: String, _ ports: [InputPort], _ file: String) -> Diagnostic {
    Diagnostic(
      .user, "quantize.port", "there is no input \"\(name)\"", at: [file],
      hint: "inputs are \(ports.map(\.name).joined(separator: ", "))")
  }

  /// One array for each input, all of one run.
  private func check(names arrays: [String: HostTensor], of file: String) -> [Diagnostic] {
    missingAndUnknown(arrays, file)
      + ports.flatMap { port in arrays[port.name].map { check($0, port, of: file) } ?? [] }
  }

  private func missingAndUnknown(_ arrays: [String: HostTensor], _ file: String) -> [Diagnostic] {
    let unknown = arrays.keys.filter { name in !ports.contains { $0.name == name } }.sorted()
    return unknown.map { Self.unknown($0, ports, file) }
      + ports.filter { arrays[$0.name] == nil }.map {
        Diagnostic(
          .user, "quantize.port", "there is no array for input '\($0.name)': \($0.type)", at: [file],
          hint: "add an array of that name")
      }
  }

  /// An array against the input that it is for.
  private func check(_ tensor: HostTensor, _ port: InputPort, of file: String) -> [Diagnostic] {
    if tensor.element != port.type.element { return [Self.wrongType(tensor, port, file)] }
    let fits =
      tensor.rank == port.type.rank && zip(tensor.shape, port.type.shape).allSatisfy { $0 == $1.value ?? $0 }
    return fits ? [] : [Self.wrongShape(tensor, port, file, "give an array of that shape")]
  }

  private static func wrongType(_ tensor: HostTensor, _ port: InputPort, _ file: String) -> Diagnostic {
    Diagnostic(
      .user, "quantize.type", "input '\(port.name)' is \(port.type), but the array is \(tensor.type)", at: [file],
      hint: "convert it with .astype(numpy.\(numpyName(port.type.element)))")
  }

  private static func wrongShape(_ tensor: HostTensor, _ port: InputPort, _ file: String, _ hint: String) -> Diagnostic
  {
    Diagnostic(
      .user, "quantize.shape", "input '\(port.name)' is \(port.type), but the array is \(tensor.type)", at: [file],
      hint: hint)
  }

  private static func numpyName(_ element: ElementType) -> String {
    switch element.kind {
    case .float: "float\(element.bits)"
    case .signed: "int\(element.bits)"
    case .unsigned: "uint\(element.bits)"
    case .bool, .string, .complex: element.name
    }
  }

  /// Arrays that hold all runs.
  private mutating func add(stacks arrays: [String: HostTensor], of file: String, _ problems: inout [Diagnostic]) {
    var found = missingAndUnknown(arrays, file)
    var stacks: [Stack] = []
    for port in ports {
      guard let tensor = arrays[port.name] else { continue }
      guard tensor.element == port.type.element else {
        found.append(Self.wrongType(tensor, port, file))
        continue
      }
      let isStacked = tensor.rank == port.type.rank + 1
      let places = isStacked ? 1 : port.type.shape.first?.value ?? 1
      let own = Array(isStacked ? tensor.shape.dropFirst() : [places] + tensor.shape.dropFirst())
      let fits =
        tensor.rank > 0 && own.count == port.type.rank
        && zip(own, port.type.shape).allSatisfy { $0 == $1.value ?? $0 }
      guard fits, places > 0, tensor.shape[0] % places == 0 else {
        let hint =
          "the array needs the input's axes behind one that counts samples"
          + (places > 1 ? ", or a multiple of \(places) in front" : "")
        found.append(Self.wrongShape(tensor, port, file, hint))
        continue
      }
      stacks.append(Stack(tensor: tensor, shape: own, count: tensor.shape[0] / places))
    }
    if found.isEmpty, Set(stacks.map(\.count)).count > 1 {
      let counts = zip(ports, stacks).map { "\($1.count) of '\($0.name)'" }.joined(separator: ", ")
      found.append(
        Diagnostic(
          .user, "quantize.count", "the arrays hold different numbers of samples: \(counts)", at: [file],
          hint: "give as many of each"))
    }
    if found.isEmpty, stacks.first?.count == 0 {
      found.append(
        Diagnostic(.user, "quantize.data", "the arrays hold no samples", at: [file], hint: "give at least one"))
    }
    problems += found
    guard found.isEmpty, let count = stacks.first?.count else { return }
    self.stacks = stacks
    runs += (0..<count).map { .part($0) }
  }
}
