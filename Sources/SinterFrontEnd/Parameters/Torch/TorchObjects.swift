import SinterCore

/// The functions and classes that state dictionaries name, by what they give.
struct TorchObjects {
  let path: String
  let heap: PickleHeap

  static let elements: [String: ElementType] = [
    "float32": .f32, "float64": .f64, "float16": .f16, "bfloat16": .bf16, "int64": .i64, "int32": .i32, "int16": .i16,
    "int8": .i8, "uint8": .u8, "uint16": .u16, "uint32": .u32, "uint64": .u64, "bool": .bool, "complex64": .c64,
    "complex128": .c128, "float8_e4m3fn": .f8e4m3fn, "float8_e4m3fnuz": .f8e4m3fnuz, "float8_e5m2": .f8e5m2,
    "float8_e5m2fnuz": .f8e5m2fnuz, "float8_e8m0fnu": .f8e8m0,
  ]
  private static let storages: [String: ElementType] = [
    "FloatStorage": .f32, "DoubleStorage": .f64, "HalfStorage": .f16, "BFloat16Storage": .bf16, "LongStorage": .i64,
    "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8, "ByteStorage": .u8, "BoolStorage": .bool,
    "ComplexFloatStorage": .c64, "ComplexDoubleStorage": .c128,
  ]

  private func wrong(_ text: String) -> DiagnosticError {
    DiagnosticError(.user, "torch.pickle", "\(path): \(text)", hint: "is the file complete?")
  }

  /// What a storage's identifier stands for: `("storage", type, key, location, count)`.
  func storage(_ identifier: PickleValue) throws -> TorchStorage {
    guard let parts = heap.tuple(identifier), parts.count >= 5, case .text("storage") = parts[0],
      case .global(let type) = parts[1], case .text(let key) = parts[2], case .integer(let count) = parts[4], count >= 0
    else { throw wrong("the pickle names a storage in a way that PyTorch does not") }
    if parts.count > 5 {
      guard case .none = parts[5] else {
        throw DiagnosticError(.limit, "torch.storage", "\(path): storage \(key) is a view of another one")
      }
    }
    let name = String(type.split(separator: ".").last ?? "")
    guard type.hasPrefix("torch."), Self.storages[name] != nil || name == "UntypedStorage" else {
      throw DiagnosticError(.limit, "torch.storage", "\(path): storages of type \(type) are not read")
    }
    return TorchStorage(element: Self.storages[name], key: key, count: count)
  }

  /// What calling a function or making an object would give.
  func object(_ callee: PickleValue, _ arguments: PickleValue, isNew: Bool) throws -> PickleValue {
    guard case .global(let name) = callee else { throw wrong("the pickle calls what is no function") }
    guard let arguments = heap.tuple(arguments) else { throw wrong("the pickle calls \(name) without arguments") }
    switch name {
    case "collections.OrderedDict":
      let dictionary = heap.dictionary()
      // Protocol 2 of Python 2 hands its pairs over at once.
      if case .list(let pairs)? = arguments.first, case .dictionary(let place) = dictionary {
        for pair in heap.sequences[pairs] {
          guard case .list(let parts) = pair, heap.sequences[parts].count == 2 else {
            throw wrong("an OrderedDict is made of no pairs")
          }
          heap.add(heap.sequences[parts][0], heap.sequences[parts][1], to: place)
        }
      }
      return dictionary
    case "collections.defaultdict": return heap.dictionary()
    case "torch._utils._rebuild_tensor_v2": return .tensor(try tensor(arguments, element: nil))
    case "torch._utils._rebuild_tensor_v3":
      guard arguments.count > 6, case .global(let type) = arguments[6] else { throw wrong("a tensor has no type") }
      let dtype = String(type.split(separator: ".").last ?? "")
      guard let element = Self.elements[dtype] else {
        throw DiagnosticError(.limit, "torch.type", "\(path): tensors of type \(type) are not read")
      }
      return .tensor(try tensor(arguments, element: element))
    case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
      guard let data = arguments.first else { throw wrong("a parameter has no data") }
      return data
    case "torch._tensor._rebuild_from_type_v2":
      // A function, a class, the function's arguments and further attributes.
      guard arguments.count >= 3, case .global(let type) = arguments[1],
        ["torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter"].contains(type)
      else { throw Unpickler.refused(path, "a tensor of a class of its own") }
      return try object(arguments[0], arguments[2], isNew: false)
    case "torch.Size": return arguments.first ?? heap.tuple([])
    case "torch.device", "torch.serialization._get_layout": return .other(name)
    case "_codecs.encode": return arguments.first ?? .none
    case "builtins.set", "__builtin__.set": return .other(name)
    default:
      if name.hasPrefix("__torch__."), isNew {
        return heap.dictionary(isScript: true)
      }
      if name.hasPrefix("torch._utils._rebuild") {
        throw DiagnosticError(
          .limit, "torch.object", "\(path) has a tensor of another layout (\(name))",
          hint: "save dense tensors: tensor.to_dense(), or dequantize()")
      }
      throw Unpickler.refused(path, "an object of \(name)")
    }
  }

  /// `(storage, offset, shape, strides, …)`.
  private func tensor(_ arguments: [PickleValue], element: ElementType?) throws -> TorchTensor {
    guard arguments.count >= 4, case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1],
      let shape = integers(arguments[2]), let strides = integers(arguments[3]), shape.count == strides.count,
      offset >= 0, shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 })
    else { throw wrong("a tensor's storage, offset, shape and strides are not what they must be") }
    guard let element = element ?? storage.element else { throw wrong("a tensor's type is not said") }
    return TorchTensor(storage: storage, element: element, offset: offset, shape: shape, strides: strides)
  }

  private func integers(_ value: PickleValue) -> [Int]? {
    guard let parts = heap.tuple(value) else { return nil }
    let numbers = parts.compactMap { part -> Int? in
      if case .integer(let number) = part { number } else { nil }
    }
    return numbers.count == parts.count ? numbers : nil
  }
}
