import SinterCore

/// A size as it is written down, before any rule is applied, with what it means on plain integers.
indirect enum DimExpression: CustomStringConvertible {
  enum Function: CaseIterable {
    case sum, difference, product, quotient, remainder, minimum, maximum, joint, place
  }

  case number(Int)
  case symbol(String)
  case call(Function, DimExpression, DimExpression)

  /// As the operators and functions of `Dim` build it.
  var dim: Dim {
    switch self {
    case .number(let value): return Dim(value)
    case .symbol(let name): return Dim(symbol: name)
    case .call(let function, let a, let b):
      let (x, y) = (a.dim, b.dim)
      switch function {
      case .sum: return x + y
      case .difference: return x - y
      case .product: return x * y
      case .quotient: return x / y
      case .remainder: return x % y
      case .minimum: return Dim.min(x, y)
      case .maximum: return Dim.max(x, y)
      case .joint: return Dim.joint(x, y)
      case .place: return Dim.place(x, in: y)
      }
    }
  }

  /// Nil where it has no meaning: by a division by zero, or a joint size of sizes that do not broadcast.
  func value(_ values: [String: Int]) -> Int? {
    switch self {
    case .number(let value): return value
    case .symbol(let name): return values[name]
    case .call(let function, let a, let b):
      guard let x = a.value(values), let y = b.value(values) else { return nil }
      switch function {
      case .sum: return x + y
      case .difference: return x - y
      case .product: return x * y
      case .quotient: return y == 0 ? nil : Self.floor(x, y)
      case .remainder: return y == 0 ? nil : x - Self.floor(x, y) * y
      case .minimum: return Swift.min(x, y)
      case .maximum: return Swift.max(x, y)
      case .joint: return x == y || y == 1 ? x : x == 1 ? y : nil
      case .place: return x < 0 ? x + y : x
      }
    }
  }

  private static func floor(_ a: Int, _ b: Int) -> Int {
    var quotient = a / b
    while quotient * b > a && b > 0 || quotient * b < a && b < 0 { quotient -= 1 }
    return quotient
  }

  var description: String {
    switch self {
    case .number(let value): "\(value)"
    case .symbol(let name): name
    case .call(let function, let a, let b): "\(function)(\(a), \(b))"
    }
  }

  /// - Parameter symbols: names of which those that start with `#` may be negative.
  static func random(
    _ random: inout SplitMix64, depth: Int, symbols: [String], functions: [Function] = Function.allCases
  ) -> DimExpression {
    if depth == 0 || random.next() % 6 == 0 {
      if random.next() % 3 == 0 { return .number(Int(random.next() % 10) - 4) }
      return .symbol(symbols[Int(random.next() % UInt64(symbols.count))])
    }
    let function = functions[Int(random.next() % UInt64(functions.count))]
    let a = Self.random(&random, depth: depth - 1, symbols: symbols, functions: functions)
    // Divisors that are numbers have the most rules.
    if function == .quotient || function == .remainder, random.next() % 2 == 0 {
      return .call(function, a, .number(Int(random.next() % 9) - 3))
    }
    return .call(function, a, Self.random(&random, depth: depth - 1, symbols: symbols, functions: functions))
  }

  static func randomValues(_ random: inout SplitMix64, symbols: [String], most: Int = 6) -> [String: Int] {
    var values: [String: Int] = [:]
    for name in symbols {
      let value = Int(random.next() % UInt64(most + 1))
      values[name] = name.hasPrefix("#") && random.next() % 2 == 0 ? -value : value
    }
    return values
  }
}
