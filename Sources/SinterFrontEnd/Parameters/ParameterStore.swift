import Foundation
import SinterCore

/// Values of parameters by name, in order.
public struct ParameterStore: Sendable {
  /// The names, in the order in which they came.
  public private(set) var names: [String] = []
  private var tensors: [String: HostTensor] = [:]

  public init() {}

  /// Initial values. Random ones depend on the seed and on each parameter's own name, not on the order.
  public init(initializing parameters: [(name: String, parameter: Parameter)], seed: UInt64) {
    for (name, parameter) in parameters { self[name] = parameter.initialValue(named: name, seed: seed) }
  }

  /// The value of a parameter. Setting adds it behind the others or replaces it; nil removes it.
  public subscript(name: String) -> HostTensor? {
    get { tensors[name] }
    set {
      if tensors[name] == nil, newValue != nil { names.append(name) }
      if newValue == nil { names.removeAll { $0 == name } }
      tensors[name] = newValue
    }
  }

  /// The values of parameters, in their order.
  ///
  /// - Parameter others: what the store may hold besides; nil for anything. `num_batches_tracked`, of which PyTorch writes one for each batch norm,
  ///   may always be there.
  /// - Throws: every name that is missing or too many, and every shape and type that does not match.
  package func values(
    of parameters: [(name: String, parameter: Parameter)], allowing others: Set<String>? = nil
  ) throws -> [HostTensor] {
    var problems: [Diagnostic] = []
    var values: [HostTensor] = []
    for (name, parameter) in parameters {
      let wanted = "\(parameter.element)\(parameter.shape)"
      guard let tensor = self[name] else {
        problems.append(
          Diagnostic(.user, "parameters.missing", "there is no parameter \(name), which must be \(wanted)"))
        continue
      }
      if tensor.shape != parameter.shape || tensor.element != parameter.element {
        problems.append(
          Diagnostic(
            .user, "parameters.shape", "parameter \(name) must be \(wanted), but is \(tensor.element)\(tensor.shape)"))
      } else if let problem = tensor.problem {
        problems.append(Diagnostic(.user, "parameters.contents", "parameter \(name): \(problem)"))
      }
      values.append(tensor)
    }
    if let others {
      let known = others.union(parameters.map(\.name))
      for name in names where !known.contains(name) && !name.hasSuffix("num_batches_tracked") {
        problems.append(
          Diagnostic(
            .user, "parameters.unexpected",
            "nothing of the model reads \(name)\(self[name].map { ", which is \($0.element)\($0.shape)" } ?? "")",
            hint: "bind with strict: false to leave out what is not read"))
      }
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    return values
  }

  /// The number of elements in all.
  public var count: Int { names.reduce(0) { $0 + (tensors[$1]?.count ?? 0) } }

  /// The values that a model starts with, buffers among them, by PyTorch's names; random ones follow from the seed.
  public init(initializing model: Any, seed: UInt64 = 0) {
    self.init(
      initializing: LayerIndex(of: model).unique.map { (name: $0.names[0], parameter: $0.parameter) }, seed: seed)
  }
}

/// Random numbers as a function of a seed and a name.
struct CounterRandom {
  private var generator: SplitMix64

  init(seed: UInt64, name: String) {
    // FNV-1a of the name.
    let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    generator = SplitMix64(seed: hash ^ (seed &* 0x9e37_79b9_7f4a_7c15))
  }

  /// In 0 ..< 1, with 53 random bits.
  mutating func uniform() -> Double { generator.uniform() }

  /// Mean 0 and variance 1, by Box and Muller.
  mutating func normal() -> Double {
    let (a, b) = (1 - uniform(), uniform())
    return (-2 * log(a)).squareRoot() * cos(2 * .pi * b)
  }
}
