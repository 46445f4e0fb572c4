import SinterIR
import SinterOps

/// Something that literals of Swift make and that a tensor can be made of: numbers, truth values, and lists of them.
public protocol TensorElements {
  /// The sizes, and an error where lists differ in length.
  var elementShape: [Int]? { get }
  var elementNumbers: [Double] { get }
  /// Whole numbers as they are, also those that no `Double` holds; nil for others.
  var elementIntegers: [Int64]? { get }
  static var elementType: ElementType { get }
}

extension TensorElements {
  public var elementIntegers: [Int64]? { nil }
}

extension Double: TensorElements {
  public var elementShape: [Int]? { [] }
  public var elementNumbers: [Double] { [self] }
  public static var elementType: ElementType { .f32 }
}
extension Float: TensorElements {
  public var elementShape: [Int]? { [] }
  public var elementNumbers: [Double] { [Double(self)] }
  public static var elementType: ElementType { .f32 }
}
extension Int: TensorElements {
  public var elementShape: [Int]? { [] }
  public var elementNumbers: [Double] { [Double(self)] }
  public var elementIntegers: [Int64]? { [Int64(self)] }
  public static var elementType: ElementType { .i64 }
}
extension Bool: TensorElements {
  public var elementShape: [Int]? { [] }
  public var elementNumbers: [Double] { [self ? 1 : 0] }
  public static var elementType: ElementType { .bool }
}
extension Array: TensorElements where Element: TensorElements {
  public var elementShape: [Int]? {
    guard let first else { return [0] }
    guard let shape = first.elementShape, allSatisfy({ $0.elementShape == shape }) else { return nil }
    return [count] + shape
  }
  public var elementNumbers: [Double] { flatMap(\.elementNumbers) }
  public var elementIntegers: [Int64]? {
    let parts = compactMap(\.elementIntegers)
    return parts.count == count ? Array<Int64>(parts.joined()) : nil
  }
  public static var elementType: ElementType { Element.elementType }
}

/// A tensor with numbers: `tensor([[1, 2], [3, 4]])`. Numbers with a point make f32, whole ones i64, truth values bool, as in PyTorch.
public func tensor(_ elements: some TensorElements, _ element: ElementType? = nil, requiresGradient: Bool = false)
  -> Tensor
{
  let type = element ?? type(of: elements).elementType
  guard let shape = elements.elementShape else {
    return Tensor.immediate(.f32([], [0])).trace.fail(
      "tensor", "the lists of a tensor must have one length on each level", like: Tensor.immediate(.f32([], [0])))
  }
  if type.isInteger, let integers = elements.elementIntegers {
    return .immediate(HostTensor(type, shape, integers: integers), requiresGradient: requiresGradient)
  }
  return .immediate(HostTensor(type, shape, doubles: elements.elementNumbers), requiresGradient: requiresGradient)
}

private func filled(_ shape: [Int], _ value: Double, _ element: ElementType) -> Tensor {
  impossible(shape, element)
    ?? .immediate(HostTensor(element, shape, doubles: [Double](repeating: value, count: shape.reduce(1, *))))
}

/// The mistake of making a tensor of no shape, or of one that this machine cannot hold; nil where it can be made.
private func impossible(_ shape: [Int], _ element: ElementType) -> Tensor? {
  guard let problem = Parameter(shape, element: element).problem else { return nil }
  return .mistake(
    DiagnosticError(.user, "tensor.shape", problem.replacing("parameter", with: "tensor")), TensorType(element, []),
    in: Tensor.immediate(.f32([], [0])).trace)
}

/// Zeros.
public func zeros(_ shape: Int..., element: ElementType = .f32) -> Tensor { filled(shape, 0, element) }
/// Elements that may be anything, to be overwritten: here they are zeros.
public func empty(_ shape: Int..., element: ElementType = .f32) -> Tensor { filled(shape, 0, element) }
/// Ones.
public func ones(_ shape: Int..., element: ElementType = .f32) -> Tensor { filled(shape, 1, element) }
/// One number everywhere.
public func full(_ shape: [Int], _ value: Double, element: ElementType = .f32) -> Tensor {
  filled(shape, value, element)
}

/// Ones on the diagonal.
public func eye(_ rows: Int, _ columns: Int? = nil, element: ElementType = .f32) -> Tensor {
  let (rows, columns) = (max(0, rows), max(0, columns ?? rows))
  guard Parameter([rows, columns]).problem == nil else { return filled([rows, columns], 0, element) }
  return .immediate(
    HostTensor(
      element, [rows, columns],
      doubles: (0..<(rows * columns)).map { columns > 0 && $0 / columns == $0 % columns ? 1 : 0 }))
}

/// 0, 1, … to before `end`; i64.
public func arange(_ end: Int) -> Tensor { arange(0, end) }

/// start, start + step, … to before `end`; i64.
public func arange(_ start: Int, _ end: Int, step: Int = 1) -> Tensor {
  let length = step == 0 ? 0 : ((Double(end) - Double(start)) / Double(step)).rounded(.up)
  if let problem = impossible([length < 0x1p62 ? max(0, Int(length)) : .max], .i64) { return problem }
  let numbers = step == 0 ? [] : Array(stride(from: start, to: end, by: step))
  return step == 0
    ? zeros().trace.fail("arange", "a range needs a step that is not 0", like: zeros())
    : .immediate(.i64([numbers.count], numbers))
}

/// start, start + step, … to before `end`; f32.
public func arange(_ start: Double, _ end: Double, step: Double) -> Tensor {
  let count = ((end - start) / step).rounded(.up)
  guard count.isFinite, count.magnitude < 0x1p40 else {
    return zeros().trace.fail("arange", "a range from \(start) to \(end) in steps of \(step) has no end", like: zeros())
  }
  if let problem = impossible([Swift.max(0, Int(count))], .f32) { return problem }
  let numbers = (0..<Swift.max(0, Int(count))).map { start + Double($0) * step }
  return .immediate(HostTensor(.f32, [numbers.count], doubles: numbers))
}

/// `count` numbers from `start` to `end`, both included, at equal distances; f32.
public func linspace(_ start: Double, _ end: Double, _ count: Int) -> Tensor {
  if let problem = impossible([max(0, count)], .f32) { return problem }
  let step = count > 1 ? (end - start) / Double(count - 1) : 0
  // From both ends, so that the last number is exact.
  let numbers = (0..<max(0, count)).map {
    $0 < count / 2 || count == 1 ? start + Double($0) * step : end - Double(count - 1 - $0) * step
  }
  return .immediate(HostTensor(.f32, [numbers.count], doubles: numbers))
}

/// Where random numbers of tensors come from outside of a trace: equal seeds give equal numbers, which are not PyTorch's.
public struct Generator: Sendable {
  private var random: CounterRandom

  /// Starts a sequence of numbers that only the seed determines.
  public init(seed: UInt64) { random = CounterRandom(seed: seed, name: "generator") }

  private mutating func draw(_ shape: [Int], _ element: ElementType, _ next: (inout CounterRandom) -> Double) -> Tensor
  {
    if let problem = impossible(shape, element) { return problem }
    let numbers = (0..<shape.reduce(1, *)).map { _ in next(&random) }
    return .immediate(HostTensor(element, shape, doubles: numbers))
  }

  /// Uniform in 0 ..< 1.
  public mutating func rand(_ shape: Int...) -> Tensor { draw(shape, .f32) { $0.uniform() } }
  /// Mean 0, variance 1.
  public mutating func randn(_ shape: Int...) -> Tensor { draw(shape, .f32) { $0.normal() } }
  /// Whole numbers in a range; i64.
  public mutating func randint(_ range: Swift.Range<Int>, _ shape: [Int]) -> Tensor {
    let width = Double(range.upperBound) - Double(range.lowerBound)
    return draw(shape, .i64) { Double(range.lowerBound) + ($0.uniform() * width).rounded(.down) }
  }
  /// 0 ..< count in another order; i64.
  public mutating func randperm(_ count: Int) -> Tensor {
    if let problem = impossible([max(0, count)], .i64) { return problem }
    var numbers = Array(0..<max(0, count))
    for place in numbers.indices.dropFirst().reversed() {
      numbers.swapAt(place, Int(random.uniform() * Double(place + 1)))
    }
    return .immediate(.i64([numbers.count], numbers))
  }
}

/// Whether all numbers of two tensors are close: |a − b| ≤ absolute + relative · |b|, or equal. Numbers that are none are close to nothing.
///
/// - Throws: what went wrong on the way to the tensors, and where their shapes differ.
public func allClose(_ a: Tensor, _ b: Tensor, relative: Double = 1e-5, absolute: Double = 1e-8) throws -> Bool {
  let (x, y) = (try a.numbers(), try b.numbers())
  guard x.shape == y.shape, let left = x.doubles, let right = y.doubles else {
    throw DiagnosticError(
      .user, "tensor.close", "allClose takes two tensors of numbers of one shape, but is given \(x.type) and \(y.type)")
  }
  return zip(left, right).allSatisfy { $0 == $1 || ($0 - $1).magnitude <= absolute + relative * $1.magnitude }
}
