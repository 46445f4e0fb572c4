package import SinterCore

extension ModelSignature {
  /// An input from its bytes in the protocol's order: dense, row-major, little-endian, of texts each with its length before it.
  package func tensor(
    input: String, datatype: String, shape: [Int], raw bytes: UnsafeRawBufferPointer
  ) throws(Refusal) -> HostTensor {
    let (element, count) = try check(input: input, datatype: datatype, shape: shape)
    if element == .string {
      return HostTensor(strings: try BytesCodec.decode(bytes, count: count, place(input)), shape: shape)
    }
    let expected = element.byteCount(count)
    guard bytes.count == expected else {
      throw .badRequest(
        "\(place(input)): \(expected) bytes are what the shape \(shape) of \(datatype) takes, given \(bytes.count)")
    }
    let tensor = HostTensor(element, shape, bytes: TensorBytes(count: expected) { $0.copyMemory(from: bytes) })
    try tensor.checkTruths(place(input))
    return tensor
  }

  /// An input from numbers of a wider type, as some fields of gRPC hold them.
  package func tensor<T: FixedWidthInteger>(
    input: String, datatype: String, shape: [Int], integers: [T]
  ) throws(Refusal) -> HostTensor {
    let element = try count(input, datatype, shape, integers.count)
    let range: ClosedRange<Int64> =
      switch element {
      case .i8: -128...127
      case .i16: -32768...32767
      case .u8: 0...255
      case .u16: 0...65535
      default: Int64(T.min)...Int64(clamping: T.max)
      }
    if let index = integers.firstIndex(where: { !range.contains(Int64(clamping: $0)) }) {
      throw .badRequest("\(place(input)): element \(index) is \(integers[index]), which is no \(datatype)")
    }
    return HostTensor(element, shape, integers: integers.map { Int64(truncatingIfNeeded: $0) })
  }

  /// The same of floats, truth values and anything else whose layout is that of the elements.
  package func tensor<T: BitwiseCopyable>(
    input: String, datatype: String, shape: [Int], values: [T]
  ) throws(Refusal) -> HostTensor {
    HostTensor(try count(input, datatype, shape, values.count), shape, values: values)
  }

  /// The same of texts.
  package func tensor(
    input: String, datatype: String, shape: [Int], texts: [some Collection<UInt8>]
  ) throws(Refusal) -> HostTensor {
    _ = try count(input, datatype, shape, texts.count)
    var strings: [String] = []
    for (index, text) in texts.enumerated() { strings.append(try BytesCodec.text(text, index, place(input))) }
    return HostTensor(strings: strings, shape: shape)
  }

  private func count(
    _ input: String, _ datatype: String, _ shape: [Int], _ given: Int
  ) throws(Refusal) -> ElementType {
    let (element, count) = try check(input: input, datatype: datatype, shape: shape)
    guard count == given else {
      throw .badRequest("\(place(input)): the shape \(shape) has \(count) elements, given \(given)")
    }
    return element
  }

  /// What a parameter of a request asks for that is not there is refused.
  package static func check(parameter: String) throws(Refusal) { try Parameters.check(parameter) }
}
