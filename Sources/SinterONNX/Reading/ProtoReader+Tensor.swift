internal import COnnx
import SinterCore

extension ProtoReader {
  /// A tensor with its contents as they lie in memory: mapped where the file has them so, decoded otherwise. What is
  /// wrong is reported, and an empty tensor is given.
  mutating func tensor(_ proto: Onnx__TensorProto) -> OnnxFile.Tensor {
    let name = text(proto.name)
    var tensor = OnnxFile.Tensor(name, HostTensor(.f32, [0], bytes: TensorBytes(count: 0) { _ in }))
    tensor.doc = text(proto.doc_string)
    tensor.metadata = entries(proto.n_metadata_props, proto.metadata_props)
    if proto.segment != nil {
      report(
        "onnx.segment", "tensors in segments are not supported", kind: .limit, hint: "store the tensor in one piece")
      return tensor
    }
    guard proto.data_type != 0 else {
      report("onnx.element-type", "the tensor has no element type", hint: "export the model again")
      return tensor
    }
    guard let element = elementType(proto.data_type) else { return tensor }
    let dims = Array(UnsafeBufferPointer(start: proto.dims, count: proto.n_dims))
    guard let shape = checkedShape(dims, element) else { return tensor }
    if element == .string {
      if let strings = strings(proto, shape) { tensor.value = HostTensor(strings: strings, shape: shape) }
    } else if let bytes = contents(proto, element, shape) {
      tensor.value = HostTensor(element, shape, bytes: element == .bool ? Self.normalized(bytes) : bytes)
    }
    return tensor
  }

  mutating func sparseTensor(_ proto: Onnx__SparseTensorProto) -> OnnxFile.SparseTensor {
    let empty = OnnxFile.Tensor("", HostTensor(.f32, [0], bytes: TensorBytes(count: 0) { _ in }))
    guard let values = proto.values, let indices = proto.indices else {
      report("onnx.sparse", "the sparse tensor lacks its values or their positions", hint: "export the model again")
      return OnnxFile.SparseTensor(values: empty, indices: empty, shape: [0])
    }
    let shape = checkedShape(Array(UnsafeBufferPointer(start: proto.dims, count: proto.n_dims)), .c128) ?? [0]
    return at("sparse tensor \(text(values.pointee.name))") { reader in
      OnnxFile.SparseTensor(
        values: reader.tensor(values.pointee), indices: reader.tensor(indices.pointee), shape: shape)
    }
  }

  /// The sizes, if none is negative and the tensor's bytes can be counted.
  private mutating func checkedShape(_ dims: [Int64], _ element: ElementType) -> [Int]? {
    var bits = element.bits
    var overflows = false
    for dim in dims {
      guard dim >= 0 else {
        report("onnx.dims", "the tensor has a negative size: \(dims)", hint: "export the model again")
        return nil
      }
      // Sizes of zero do not count: strides multiply the others.
      let (product, overflow) = bits.multipliedReportingOverflow(by: max(Int(dim), 1))
      overflows = overflows || overflow
      bits = product
    }
    if overflows {
      report(
        "onnx.dims", "the tensor's sizes \(dims) multiply to more than can be addressed", hint: "export the model again"
      )
      return nil
    }
    return dims.map { Int($0) }
  }

  private mutating func strings(_ proto: Onnx__TensorProto, _ shape: [Int]) -> [String]? {
    if proto.n_lifted > 0 || proto.data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL {
      report("onnx.contents", "text must be stored in string_data", hint: "export the model again")
      return nil
    }
    let count = shape.reduce(1, *)
    guard proto.n_string_data == count else {
      report(
        "onnx.contents", "the tensor has \(count) elements by its sizes \(shape), but \(proto.n_string_data) texts",
        hint: "export the model again")
      return nil
    }
    let strings = UnsafeBufferPointer(start: proto.string_data, count: proto.n_string_data).compactMap { utf8($0) }
    return strings.count == count ? strings : nil
  }

  /// The contents of a tensor that holds no text; nil where they do not fit.
  private mutating func contents(_ proto: Onnx__TensorProto, _ element: ElementType, _ shape: [Int]) -> TensorBytes? {
    let expected = element.byteCount(shape.reduce(1, *))
    if proto.data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL {
      do {
        return try external.bytes(entries(proto.n_external_data, proto.external_data), count: expected)
      } catch let error as DiagnosticError {
        reportOnce(error)
      } catch {
        report("onnx.external", "\(error)")
      }
      return nil
    }
    let lifted = list(proto.n_lifted, proto.lifted).map(\.pointee)
    let inPlace = unpackedFields(proto)
    let fields = Set(lifted.map { Int($0.field) } + inPlace)
    guard let field = fields.first else {
      if expected == 0 { return TensorBytes(count: 0) { _ in } }
      report(
        "onnx.contents", "the tensor \(element)\(shape) needs \(expected) bytes, but has no contents",
        hint: "export the model again")
      return nil
    }
    let home = TypedField(element)
    guard fields.count == 1, field == TensorField.raw || field == home.number, lifted.isEmpty || inPlace.isEmpty else {
      let names = fields.sorted().map { TensorField.name($0) }.joined(separator: " and ")
      report(
        "onnx.contents",
        "the contents of a tensor of \(element) must be in raw_data or \(home.name), but are in \(names)",
        hint: "export the model again")
      return nil
    }
    let result: TensorBytes
    if !inPlace.isEmpty {
      result = unpackedContents(proto, home)
    } else if field == TensorField.raw || home.isPlain, lifted.count == 1 {
      result = range(lifted[0])
    } else {
      result = decoded(lifted.map { range($0) }, home)
    }
    guard result.count == expected else {
      report(
        "onnx.contents", "the tensor \(element)\(shape) needs \(expected) bytes, but its contents are \(result.count)",
        hint: "fetch or export the model again")
      return nil
    }
    return result
  }

  private func range(_ lifted: Onnx__TensorProto__Lifted) -> TensorBytes {
    bytes.withBytes { whole in
      // The scan made these numbers, so they lie inside.
      TensorBytes(at: whole.baseAddress! + Int(lifted.offset), count: Int(lifted.size), owner: bytes)
    }
  }

  /// The typed fields that hold elements which were not stored packed.
  private func unpackedFields(_ proto: Onnx__TensorProto) -> [Int] {
    [
      (proto.n_float_data, TensorField.float), (proto.n_int32_data, TensorField.int32),
      (proto.n_int64_data, TensorField.int64), (proto.n_double_data, TensorField.double),
      (proto.n_uint64_data, TensorField.uint64), (proto.n_string_data, TensorField.string),
    ].filter { $0.0 > 0 }.map(\.1)
  }

  private func unpackedContents(_ proto: Onnx__TensorProto, _ home: TypedField) -> TensorBytes {
    func copy<T>(_ count: Int, _ pointer: UnsafeMutablePointer<T>?) -> TensorBytes {
      TensorBytes(count: count * MemoryLayout<T>.stride) { memory in
        memory.copyMemory(from: UnsafeRawBufferPointer(UnsafeBufferPointer(start: pointer, count: count)))
      }
    }
    func narrow<T: BinaryInteger>(_ count: Int, _ pointer: UnsafeMutablePointer<T>?) -> TensorBytes {
      let elements = UnsafeBufferPointer(start: pointer, count: count)
      return TensorBytes(count: count * home.width) { memory in
        for (index, element) in elements.enumerated() {
          home.store(UInt64(truncatingIfNeeded: element), at: index, in: memory)
        }
      }
    }
    switch home.number {
    case TensorField.float: return copy(proto.n_float_data, proto.float_data)
    case TensorField.double: return copy(proto.n_double_data, proto.double_data)
    case TensorField.int64: return narrow(proto.n_int64_data, proto.int64_data)
    case TensorField.uint64: return narrow(proto.n_uint64_data, proto.uint64_data)
    default: return narrow(proto.n_int32_data, proto.int32_data)
    }
  }

  /// The elements of packed fields one after another, each `home.width` wide.
  private func decoded(_ chunks: [TensorBytes], _ home: TypedField) -> TensorBytes {
    if home.isPlain {
      return TensorBytes(count: chunks.reduce(0) { $0 + $1.count }) { memory in
        var position = 0
        for chunk in chunks {
          chunk.withBytes { UnsafeMutableRawBufferPointer(rebasing: memory[position...]).copyMemory(from: $0) }
          position += chunk.count
        }
      }
    }
    // The last byte of an integer is the one without the high bit, which the scan checked to be there.
    let count = chunks.reduce(0) { sum, chunk in
      sum + chunk.withBytes { $0.reduce(0) { $0 + ($1 < 0x80 ? 1 : 0) } }
    }
    return TensorBytes(count: count * home.width) { memory in
      var index = 0
      for chunk in chunks {
        chunk.withBytes { bytes in
          var value: UInt64 = 0
          var shift: UInt64 = 0
          for byte in bytes {
            if shift < 64 { value |= UInt64(byte & 0x7f) &<< shift }
            shift += 7
            if byte < 0x80 {
              home.store(value, at: index, in: memory)
              index += 1
              value = 0
              shift = 0
            }
          }
        }
      }
    }
  }

  /// Truth values as 0 and 1, whatever a file has for true.
  private static func normalized(_ bytes: TensorBytes) -> TensorBytes {
    bytes.withBytes { given in
      if given.allSatisfy({ $0 <= 1 }) { return bytes }
      return TensorBytes(count: given.count) { memory in
        for (index, byte) in given.enumerated() { memory[index] = byte == 0 ? 0 : 1 }
      }
    }
  }
}

/// Numbers of the fields of `TensorProto` that hold contents.
enum TensorField {
  static let float = 4
  static let int32 = 5
  static let string = 6
  static let int64 = 7
  static let raw = 9
  static let double = 10
  static let uint64 = 11

  static func name(_ number: Int) -> String {
    WireMessage.tensor.field(number).map { "\($0.name)" } ?? "field \(number)"
  }
}

/// The typed field in which elements of one type are stored, where they are not in `raw_data`.
private struct TypedField {
  let number: Int
  /// Bytes of one entry of the field in memory: the element's own, or one byte of several elements.
  let width: Int

  init(_ element: ElementType) {
    switch element {
    case .f32, .c64: (number, width) = (TensorField.float, 4)
    case .f64, .c128: (number, width) = (TensorField.double, 8)
    case .i64: (number, width) = (TensorField.int64, 8)
    case .u64: (number, width) = (TensorField.uint64, 8)
    case .u32: (number, width) = (TensorField.uint64, 4)
    case .i32: (number, width) = (TensorField.int32, 4)
    case .i16, .u16, .f16, .bf16: (number, width) = (TensorField.int32, 2)
    case .i8, .u8, .bool, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4, .u4, .i2, .u2:
      (number, width) = (TensorField.int32, 1)
    case .string: (number, width) = (TensorField.string, 0)
    }
  }

  var name: String { TensorField.name(number) }

  /// Whether the field in a file is what lies in memory.
  var isPlain: Bool { number == TensorField.float || number == TensorField.double }

  func store(_ value: UInt64, at index: Int, in memory: UnsafeMutableRawBufferPointer) {
    switch width {
    case 1: memory.storeBytes(of: UInt8(truncatingIfNeeded: value), toByteOffset: index, as: UInt8.self)
    case 2: memory.storeBytes(of: UInt16(truncatingIfNeeded: value), toByteOffset: index * 2, as: UInt16.self)
    case 4: memory.storeBytes(of: UInt32(truncatingIfNeeded: value), toByteOffset: index * 4, as: UInt32.self)
    default: memory.storeBytes(of: value, toByteOffset: index * 8, as: UInt64.self)
    }
  }
}

extension DiagnosticError {
  /// Located at several places, given outermost first.
  func located(_ places: [String]) -> DiagnosticError {
    places.reversed().reduce(self) { $0.located(at: $1) }
  }
}
