import Foundation
import SinterCore
import SinterGradient
import SinterIR
import SinterOps

/// A graph as its text form in a file, with what the text names by a hash in a file of safetensors beside it: `model.sinter` and
/// `model.sinter.safetensors`.
///
/// A tensor stands there under its hash. One whose type safetensors does not know stands there as its bytes, under its hash and its type, with a
/// space between; of text, each element is its length, as eight bytes, and its UTF-8.
package enum GraphTextFile {
  package static func weightsPath(of path: String) -> String { path + ".safetensors" }

  /// Writes the text and, where it names any, the tensors; these first, so that no text is there without them.
  package static func write(_ graph: Graph, to path: String) throws {
    var store = ParameterStore()
    var names: [String: HostTensor] = [:]
    try graph.forEachTensor { tensor in
      guard tensor.count > TensorText.limit else { return }
      let hash = tensor.hashName
      if let known = names[hash] {
        guard known.hasSameContents(as: tensor) else {
          throw DiagnosticError(.limit, "text.hash", "two constants have the same hash \(hash)", at: [path])
        }
        return
      }
      names[hash] = tensor
      if ParameterStore.canSave(tensor.element) {
        store[hash] = tensor
      } else {
        let bytes = tensor.element == .string ? Self.bytes(of: tensor.strings) : tensor.bytes
        store["\(hash) \(tensor.type)"] = HostTensor(.u8, [bytes.count], bytes: bytes)
      }
    }
    if !store.names.isEmpty { try store.save(weightsPath(of: path)) }
    try AtomicFile.write(graph.description, to: path)
  }

  /// Reads a text, and from the file beside it the tensors that it names.
  package static func read(_ path: String, operators: OpTable = .complete) throws -> Graph {
    guard let text = String(validating: try Files.contents(of: path), as: UTF8.self) else {
      throw DiagnosticError(
        .user, "text.encoding", "\(path) is no text in UTF-8",
        hint: "give a graph in text form, as sinter opt MODEL -o \(path) writes it")
    }
    let weights = weightsPath(of: path)
    let remedy = "write both files again, as by sinter opt MODEL -o \(path)"
    var tensors: [String: HostTensor] = [:]
    if Files.exists(weights) {
      let store: ParameterStore
      do {
        store = try ParameterStore(reading: weights)
      } catch let error as DiagnosticError where !error.diagnostics[0].id.hasPrefix("file.") {
        let more = error.diagnostics.count > 1 ? ", and \(error.diagnostics.count - 1) more" : ""
        throw DiagnosticError(
          .user, "text.weights",
          "\(weights), which holds the weights of \(path), is damaged: \(error.diagnostics[0].message)\(more)",
          hint: remedy)
      }
      for name in store.names {
        guard let stored = store[name] else { continue }
        let parts = name.split(separator: " ", maxSplits: 1).map(String.init)
        tensors[parts.first ?? name] = parts.count == 2 ? try tensor(stored, typed: parts[1], weights) : stored
      }
    }
    var missing: Diagnostic?
    do {
      return try Graph(parsing: text, operators: operators) { hash in
        if let tensor = tensors[hash], tensor.hashName == hash { return tensor }
        missing =
          if tensors[hash] != nil {
            Diagnostic(
              .user, "text.weights", "\(weights) is damaged: the contents of #\(hash) are not those that \(path) names",
              hint: remedy)
          } else if Files.exists(weights) {
            Diagnostic(
              .user, "text.weights",
              "\(weights) belongs to another text: \(path) names weights #\(hash), which it does not hold",
              hint: remedy)
          } else {
            Diagnostic(
              .user, "text.weights", "there is no \(weights), which holds the weights of \(path)",
              hint: "put it beside \(path), or " + remedy)
          }
        return nil
      }
    } catch let error as DiagnosticError {
      throw missing.map { DiagnosticError([$0]) } ?? error.located(at: path)
    }
  }

  /// A tensor of a type that safetensors does not know.
  private static func tensor(_ stored: HostTensor, typed type: String, _ path: String) throws -> HostTensor {
    let parts = type.split(whereSeparator: { "[], ".contains($0) }).map(String.init)
    let shape = parts.dropFirst().compactMap { Int($0) }
    guard let element = parts.first.flatMap({ ElementType(name: $0) }), shape.count == parts.count - 1 else {
      throw DiagnosticError(.user, "text.weights", "\"\(type)\" is no type of a tensor", at: [path])
    }
    let found =
      element == .string
      ? texts(of: stored.bytes).map { HostTensor(strings: $0, shape: shape) }
      : HostTensor(element, shape, bytes: stored.bytes)
    guard let found, found.problem == nil else {
      throw DiagnosticError(
        .user, "text.weights", "the \(stored.bytes.count) bytes stored as \(type) do not make one", at: [path])
    }
    return found
  }

  private static func bytes(of texts: [String]) -> TensorBytes {
    var data: [UInt8] = []
    for text in texts {
      withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { data += $0 }
      data += Array(text.utf8)
    }
    return TensorBytes(count: data.count) { memory in data.withUnsafeBytes { memory.copyMemory(from: $0) } }
  }

  private static func texts(of bytes: TensorBytes) -> [String]? {
    bytes.withBytes { raw in
      var texts: [String] = []
      var place = 0
      while place + 8 <= raw.count {
        let length = Int(clamping: UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt64.self)))
        guard length <= raw.count - place - 8 else { return nil }
        texts.append(String(decoding: raw[(place + 8)..<(place + 8 + length)], as: UTF8.self))
        place += 8 + length
      }
      return place == raw.count ? texts : nil
    }
  }
}

extension Graph {
  /// All tensors that the text form speaks of: constants in use, attributes, initial states, those of bodies as well.
  fileprivate func forEachTensor(_ body: (HostTensor) throws -> Void) rethrows {
    for id in order {
      for case let input? in nodes[id].inputs {
        if let tensor = constant(input) { try body(tensor) }
      }
      for (_, value) in nodes[id].op.attributeValues {
        if case .tensor(let tensor) = value { try body(tensor) }
      }
      for inner in nodes[id].bodies { try inner.forEachTensor(body) }
    }
    for port in outputs {
      if let tensor = constant(port.value) { try body(tensor) }
    }
    for state in states { try body(state.initial) }
  }
}

extension BoundModel {
  /// Writes the graph's text form, which `sinter` takes as a model; weights stand beside it, in `PATH.safetensors`.
  public func saveText(_ path: String) throws { try GraphTextFile.write(graph, to: path) }

  /// Reads a text form and the weights beside it.
  public init(readingText path: String, operators: OpTable = .complete) throws {
    self.init(graph: try GraphTextFile.read(path, operators: operators))
  }
}
