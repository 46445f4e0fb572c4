/// A tensor with its contents: dense, row-major, little-endian, types narrower than a byte packed with the first element in
/// the low bits. Text is kept as Swift strings.
public struct HostTensor: Sendable {
  /// The element type.
  public let element: ElementType
  /// The sizes.
  public let shape: [Int]
  /// The elements, row-major and dense, those narrower than a byte packed.
  public let bytes: TensorBytes
  /// The elements of a tensor of type `string`; empty otherwise.
  public let strings: [String]

  /// A tensor of the given sizes and bytes, as many as the sizes ask for; of any type but text.
  public init(_ element: ElementType, _ shape: [Int], bytes: TensorBytes) {
    self.element = element
    self.shape = shape
    self.bytes = bytes
    strings = []
  }

  /// A tensor of text, with one string for each element, row-major.
  public init(strings: [String], shape: [Int]) {
    element = .string
    self.shape = shape
    self.strings = strings
    bytes = TensorBytes(count: 0) { _ in }
  }

  /// A tensor of trivial elements whose layout is that of `element`: `Float` for f32, `Int64` for i64, `Bool` for bool.
  public init<T: BitwiseCopyable>(_ element: ElementType, _ shape: [Int], values: [T]) {
    self.init(
      element, shape,
      bytes: TensorBytes(count: values.count * MemoryLayout<T>.stride) { memory in
        values.withUnsafeBytes { memory.copyMemory(from: $0) }
      })
  }

  /// A tensor of floats.
  public static func f32(_ shape: [Int], _ values: [Float]) -> HostTensor { HostTensor(.f32, shape, values: values) }
  /// A tensor of integers.
  public static func i64(_ shape: [Int], _ values: [Int]) -> HostTensor {
    HostTensor(.i64, shape, values: values.map { Int64($0) })
  }

  /// The number of elements; the greatest number where there are more than can be counted.
  public var count: Int {
    shape.reduce(1) { count, size in
      let (product, overflows) = count.multipliedReportingOverflow(by: size)
      return overflows ? .max : product
    }
  }
  /// The number of axes.
  public var rank: Int { shape.count }
  /// The type.
  public var type: TensorType { TensorType(element, shape.map { Dim($0) }) }

  /// The elements as an array of a trivial type with this tensor's layout. The caller says the right type.
  public func array<T: BitwiseCopyable>(of type: T.Type = T.self) -> [T] {
    bytes.withBytes { raw in
      let count = Swift.min(count, raw.count / MemoryLayout<T>.stride)
      return [T](unsafeUninitializedCapacity: count) { buffer, initialized in
        UnsafeMutableRawBufferPointer(buffer).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: raw[0..<(count * MemoryLayout<T>.stride)]))
        initialized = count
      }
    }
  }

  /// The same elements under other sizes with the same product.
  public func reshaped(_ shape: [Int]) -> HostTensor {
    element == .string ? HostTensor(strings: strings, shape: shape) : HostTensor(element, shape, bytes: bytes)
  }
}
