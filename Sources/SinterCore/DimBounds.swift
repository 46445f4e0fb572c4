/// The integers from `lower` to `upper`; an end that is nil is open.
public struct DimBounds: Hashable, Sendable {
  public var lower: Int?
  /// The greatest value; nil for none.
  public var upper: Int?

  /// The integers from `lower` to `upper`, both included.
  public init(_ lower: Int?, _ upper: Int?) {
    self.lower = lower
    self.upper = upper
  }

  /// Bounds of a sum.
  public static func + (a: DimBounds, b: DimBounds) -> DimBounds {
    DimBounds(Self.sum(a.lower, b.lower), Self.sum(a.upper, b.upper))
  }

  /// Bounds of a product.
  public static func * (a: DimBounds, b: DimBounds) -> DimBounds {
    if let p = a.lower, let q = b.lower, p >= 0, q >= 0 {
      return DimBounds(product(p, q), product(a.upper, b.upper))
    }
    if let p = a.lower, let q = a.upper, let r = b.lower, let s = b.upper {
      let ends = [product(p, r), product(p, s), product(q, r), product(q, s)].compactMap { $0 }
      return ends.count == 4 ? DimBounds(ends.min(), ends.max()) : DimBounds(nil, nil)
    }
    return DimBounds(nil, nil)
  }

  /// Every number times a constant.
  public func scaled(by factor: Int) -> DimBounds {
    let (low, high) = (Self.product(lower, factor), Self.product(upper, factor))
    return factor >= 0 ? DimBounds(low, high) : DimBounds(high, low)
  }

  /// Floor division by numbers that are all positive; all integers where `divisor` holds others.
  public func divided(by divisor: DimBounds) -> DimBounds {
    guard let least = divisor.lower, least > 0 else { return DimBounds(nil, nil) }
    let low = lower.map { low in
      low >= 0 ? divisor.upper.map { low / $0 } ?? 0 : Dim.floorDivide(low, least)
    }
    let high = upper.map { high in
      high >= 0 ? high / least : divisor.upper.map { Dim.floorDivide(high, $0) } ?? -1
    }
    return DimBounds(low, high)
  }

  /// The remainder, with the sign of the divisor, by numbers that are all positive; all integers where `divisor` holds others.
  public func remainder(by divisor: DimBounds) -> DimBounds {
    guard let least = divisor.lower, least > 0 else { return DimBounds(nil, nil) }
    if let lower, let upper, lower >= 0, upper < least { return self }
    let high = divisor.upper.map { $0 - 1 }
    if let lower, lower >= 0, let upper { return DimBounds(0, Swift.min(upper, high ?? upper)) }
    return DimBounds(0, high)
  }

  /// Bounds of a minimum.
  public func minimum(_ other: DimBounds) -> DimBounds {
    let low: Int? = if let a = lower, let b = other.lower { Swift.min(a, b) } else { nil }
    let high: Int? = if let a = upper, let b = other.upper { Swift.min(a, b) } else { upper ?? other.upper }
    return DimBounds(low, high)
  }

  /// Bounds of a maximum.
  public func maximum(_ other: DimBounds) -> DimBounds {
    let low: Int? = if let a = lower, let b = other.lower { Swift.max(a, b) } else { lower ?? other.lower }
    let high: Int? = if let a = upper, let b = other.upper { Swift.max(a, b) } else { nil }
    return DimBounds(low, high)
  }

  /// What lies in either.
  public func union(_ other: DimBounds) -> DimBounds {
    let low: Int? = if let a = lower, let b = other.lower { Swift.min(a, b) } else { nil }
    let high: Int? = if let a = upper, let b = other.upper { Swift.max(a, b) } else { nil }
    return DimBounds(low, high)
  }

  /// What lies in both, where something does; these bounds where nothing does.
  public func intersection(_ other: DimBounds) -> DimBounds {
    let low: Int? = if let a = lower, let b = other.lower { Swift.max(a, b) } else { lower ?? other.lower }
    let high: Int? = if let a = upper, let b = other.upper { Swift.min(a, b) } else { upper ?? other.upper }
    if let low, let high, low > high { return self }
    return DimBounds(low, high)
  }

  private static func sum(_ a: Int?, _ b: Int?) -> Int? {
    guard let a, let b else { return nil }
    let (value, overflow) = a.addingReportingOverflow(b)
    return overflow ? nil : value
  }

  private static func product(_ a: Int?, _ b: Int?) -> Int? {
    guard let a, let b else { return nil }
    let (value, overflow) = a.multipliedReportingOverflow(by: b)
    return overflow ? nil : value
  }
}
