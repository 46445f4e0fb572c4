import Foundation
import SinterCore

/// Values of parameters by name, in order.
public struct ParameterStore: Sendable {
  public private(set) var names: [String] = []
  private var tensors: [String: HostTensor] = [:]

  public init() {}

  /// Initial values. Random ones depend on the seed and on each parameter's own name, not on the order.
  public init(initializing parameters: [(name: String, parameter: Parameter)], seed: UInt64) {
    for (name, parameter) in parameters { self[name] = parameter.initialValue(named: name, seed: seed) }
  }

  public subscript(name: String) -> HostTensor? {
    get { tensors[name] }
    set {
      if tensors[name] == nil, newValue != nil { names.append(name) }
      if newValue == nil { names.removeAll { $0 == name } }
      tensors[name] = newValue
    }
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
