import Foundation
import SinterIR
import SinterModel

/// Tensors with numbers are computed by compiled libraries wherever this module is part of a program.
extension ImmediateRuns: ImmediateEngine {
  package static func run(_ graph: Graph, _ inputs: [HostTensor]) throws -> [HostTensor] {
    try LibraryCache.shared.run(graph, inputs)
  }
}

/// The graphs that this process has compiled to compute tensors with numbers, by their text. The oldest go where there are too many.
final class LibraryCache: @unchecked Sendable {
  static let shared = LibraryCache()
  static let limit = 256

  private let lock = NSLock()
  private var models: [String: LoadedModel] = [:]
  private var order: [String] = []

  /// The outputs of a graph. One graph runs at a time.
  func run(_ graph: Graph, _ inputs: [HostTensor]) throws -> [HostTensor] {
    lock.lock()
    defer { lock.unlock() }
    let key = graph.description
    if let known = models[key] { return try known.run(list: inputs) }
    let model = try TemporaryLibrary.with { try BoundModel(graph: graph).compile(to: $0) }
    models[key] = model
    order.append(key)
    if order.count > Self.limit { models[order.removeFirst()] = nil }
    return try model.run(list: inputs)
  }
}
