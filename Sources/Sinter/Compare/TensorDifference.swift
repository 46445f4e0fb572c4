import SinterCore

/// How far two tensors that should be equal are apart.
package struct TensorDifference: Sendable {
  /// Where they differ most.
  package var index: [Int] = []
  package var first = 0.0
  package var second = 0.0
  /// The greatest distance of two elements; infinite where only one of them is a number, or both are infinite with different signs.
  package var absolute = 0.0
  /// That by the greatest magnitude of the first tensor; as it is where all elements are zero.
  package var relative = 0.0
  /// Numbers of the type between the two elements, where both are floats of that type; else nil.
  package var steps: UInt64?
  /// Elements that are not equal.
  package var count = 0
  package var elements = 0
  /// What else is different: types, sizes, texts.
  package var mismatch: String?
  /// The two elements to the last digit, where they are integers.
  private var integers: (first: String, second: String)?

  /// NaN is equal to NaN.
  package init(_ a: HostTensor, _ b: HostTensor) {
    elements = a.count
    guard a.element == b.element, a.shape == b.shape else {
      mismatch = "\(a.type) is \(b.type)"
      return
    }
    if a.element == .string {
      if let place = zip(a.strings, b.strings).enumerated().first(where: { $1.0 != $1.1 })?.offset {
        mismatch = "text \(place) is \(TensorText.quoted(a.strings[place])) and \(TensorText.quoted(b.strings[place]))"
        count = zip(a.strings, b.strings).count { $0 != $1 }
      }
      return
    }
    if let x = a.int64s, let y = b.int64s {
      compare(x, y, a)
      return
    }
    guard let x = a.doubles, let y = b.doubles else {
      if !a.hasSameContents(as: b) { mismatch = "elements of \(a.type) differ" }
      return
    }
    var worst = -1
    var largest = 0.0
    for place in x.indices {
      if x[place].isFinite { largest = max(largest, abs(x[place])) }
      if x[place] == y[place] || (x[place].isNaN && y[place].isNaN) { continue }
      count += 1
      let distance = abs(x[place] - y[place])
      let far = distance.isNaN ? .infinity : distance
      if worst < 0 || far > absolute {
        worst = place
        absolute = far
      }
    }
    guard worst >= 0 else { return }
    (first, second) = (x[worst], y[worst])
    relative = largest > 0 ? absolute / largest : absolute
    steps = Self.steps(first, second, a.element)
    setIndex(worst, in: a.shape)
  }

  /// Integers and truths, in their own arithmetic: f64 does not tell all of 64 bits apart.
  private mutating func compare(_ x: [Int64], _ y: [Int64], _ tensor: HostTensor) {
    let isUnsigned = tensor.element.kind == .unsigned
    func magnitude(_ value: Int64) -> UInt64 { isUnsigned ? UInt64(bitPattern: value) : value.magnitude }
    func isLess(_ a: Int64, _ b: Int64) -> Bool {
      isUnsigned ? UInt64(bitPattern: a) < UInt64(bitPattern: b) : a < b
    }
    func text(_ value: Int64) -> String { isUnsigned ? "\(UInt64(bitPattern: value))" : "\(value)" }
    func number(_ value: Int64) -> Double { isUnsigned ? Double(UInt64(bitPattern: value)) : Double(value) }
    var (worst, distance, largest) = (-1, UInt64(0), UInt64(0))
    for place in x.indices {
      let (a, b) = (x[place], y[place])
      largest = max(largest, magnitude(a))
      if a == b { continue }
      count += 1
      let far = UInt64(bitPattern: isLess(a, b) ? b &- a : a &- b)
      if far > distance { (worst, distance) = (place, far) }
    }
    guard worst >= 0 else { return }
    (first, second) = (number(x[worst]), number(y[worst]))
    integers = (text(x[worst]), text(y[worst]))
    absolute = Double(distance)
    relative = largest > 0 ? absolute / Double(largest) : absolute
    setIndex(worst, in: tensor.shape)
  }

  private mutating func setIndex(_ place: Int, in shape: [Int]) {
    var rest = place
    for size in shape.reversed() {
      index.insert(rest % max(size, 1), at: 0)
      rest /= max(size, 1)
    }
  }

  /// What results of a type may differ by, as a share of their greatest magnitude, where nobody says otherwise: what another order of sums does.
  package static func tolerance(of element: ElementType) -> Double {
    switch element {
    case .f64: 1e-9
    case .f32: 1e-4
    case .f16: 4e-3
    case .bf16: 3e-2
    case .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1: 0.15
    // Complex numbers are compared as a whole.
    case .c64, .c128, .i64, .i32, .i16, .i8, .i4, .i2, .u64, .u32, .u16, .u8, .u4, .u2, .bool, .string: 0
    }
  }

  package func exceeds(_ tolerance: Double) -> Bool { mismatch != nil || relative > tolerance || absolute.isInfinite }

  /// How many floats of a type lie between two, one of them counted.
  private static func steps(_ a: Double, _ b: Double, _ element: ElementType) -> UInt64? {
    func distance<T: FixedWidthInteger>(_ a: T, _ b: T) -> UInt64 {
      // Sign and magnitude become one line of numbers.
      func place(_ bits: T) -> Int64 { bits < 0 ? -Int64(bits & T.max) : Int64(bits) }
      return place(a).magnitude > UInt64(Int64.max) - place(b).magnitude
        ? UInt64.max : (place(a) - place(b)).magnitude
    }
    if a.isNaN || b.isNaN { return nil }
    switch element {
    case .f64: return distance(Int64(bitPattern: a.bitPattern), Int64(bitPattern: b.bitPattern))
    case .f32: return distance(Int32(bitPattern: Float(a).bitPattern), Int32(bitPattern: Float(b).bitPattern))
    case .bf16:
      return distance(
        Int16(truncatingIfNeeded: Float(a).bitPattern >> 16), Int16(truncatingIfNeeded: Float(b).bitPattern >> 16))
    case .f16:
      guard let bits = HostTensor(.f16, [2], doubles: [a, b]).halfBits else { return nil }
      return distance(bits[0], bits[1])
    default: return nil
    }
  }
}

extension HostTensor {
  fileprivate var halfBits: [Int16]? { element == .f16 ? array(of: Int16.self) : nil }
}

extension TensorDifference: CustomStringConvertible {
  /// `at [0, 3]: 1.5 and 1.25, off by 0.25, 0.1 of the largest, 2097152 ULP; 4 of 10 elements differ`.
  package var description: String {
    if let mismatch { return mismatch }
    if count == 0 { return "equal" }
    let ulps = steps.map { ", \($0) ULP" } ?? ""
    func short(_ value: Double) -> String { "\(Float(value))" }
    let (first, second) = integers ?? (short(first), short(second))
    return
      "at \(index): \(first) and \(second), off by \(short(absolute)), \(short(relative)) of the largest\(ulps); \(count) of \(elements) elements differ"
  }
}
