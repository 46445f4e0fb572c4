import SinterCore

/// A number of Swift that is the element of a tensor as it lies in memory.
public protocol TensorScalar: BitwiseCopyable {
  static var tensorElement: ElementType { get }
}

extension Float: TensorScalar { public static var tensorElement: ElementType { .f32 } }
extension Double: TensorScalar { public static var tensorElement: ElementType { .f64 } }
extension Int: TensorScalar { public static var tensorElement: ElementType { .i64 } }
extension Int64: TensorScalar { public static var tensorElement: ElementType { .i64 } }
extension Int32: TensorScalar { public static var tensorElement: ElementType { .i32 } }
extension Int16: TensorScalar { public static var tensorElement: ElementType { .i16 } }
extension Int8: TensorScalar { public static var tensorElement: ElementType { .i8 } }
extension UInt64: TensorScalar { public static var tensorElement: ElementType { .u64 } }
extension UInt32: TensorScalar { public static var tensorElement: ElementType { .u32 } }
extension UInt16: TensorScalar { public static var tensorElement: ElementType { .u16 } }
extension UInt8: TensorScalar { public static var tensorElement: ElementType { .u8 } }
extension Bool: TensorScalar { public static var tensorElement: ElementType { .bool } }

extension HostTensor {
  /// The elements, row-major: `try result.values(as: Float.self)`.
  ///
  /// - Throws: where the tensor has elements of another type, or not as many as its shape says. `doubles` converts from any type of numbers.
  public func values<T: TensorScalar>(as type: T.Type = T.self) throws(DiagnosticError) -> [T] {
    if let problem { throw DiagnosticError(.user, "tensor.contents", problem) }
    guard element == T.tensorElement else {
      throw DiagnosticError(
        .user, "tensor.type", "a tensor of type \(self.type) is read as \(T.self), which is \(T.tensorElement)",
        hint: "read it as what it is, or take its doubles")
    }
    return array(of: type)
  }
}

extension HostTensor: CustomStringConvertible {
  /// As PyTorch prints a tensor.
  public var description: String { problem ?? TensorPrinter(self).text() }
}
