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

  /// The values of parameters, in their order.
  ///
  /// - Throws: every name that is missing and every shape and type that does not match.
  func values(of parameters: [(name: String, parameter: Parameter)]) throws -> [HostTensor] {
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
      }
      values.append(tensor)
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    return values
  }

  /// The number of elements in all.
  public var count: Int { names.reduce(0) { $0 + (tensors[$1]?.count ?? 0) } }
}

extension Parameter {
  func initialValue(named name: String, seed: UInt64) -> HostTensor {
    var random = CounterRandom(seed: seed, name: name)
    switch initializer {
    case .zeros: return HostTensor(element, shape, doubles: [Double](repeating: 0, count: count))
    case .ones: return HostTensor(element, shape, doubles: [Double](repeating: 1, count: count))
    case .constant(let value): return HostTensor(element, shape, doubles: [Double](repeating: value, count: count))
    case .uniform(let bound):
      return HostTensor(element, shape, doubles: (0..<count).map { _ in (2 * random.uniform() - 1) * bound })
    case .normal(let mean, let deviation):
      return HostTensor(element, shape, doubles: (0..<count).map { _ in mean + deviation * random.normal() })
    case .values(let tensor): return tensor.reshaped(shape)
    }
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
