import SinterCore

/// A file that `torch.save` wrote: a zip archive (since PyTorch 1.6), or pickles one after another with the storages behind them
/// (`_use_new_zipfile_serialization=False`). Tensors that lie in it as they are used stay mapped; no code of it is run.
struct TorchFile {
  private let file: MappedFile
  private static let legacyMagic: [UInt8] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]

  init(_ file: MappedFile) { self.file = file }

  static func isOne(_ file: MappedFile) -> Bool {
    let raw = file.contents
    return raw.starts(with: [0x50, 0x4b, 3, 4]) || isPickle(raw) || isTar(raw)
  }

  /// Whether it begins with a pickle's protocol. So do files of safetensors whose header has 640 bytes, say (80 02 00 …); theirs is JSON, whose first
  /// byte is the ninth.
  private static func isPickle(_ raw: UnsafeRawBufferPointer) -> Bool {
    raw.count > 1 && raw[0] == 0x80 && (2...5).contains(raw[1]) && (raw.count < 9 || raw[8] != UInt8(ascii: "{"))
  }

  private static func isTar(_ raw: UnsafeRawBufferPointer) -> Bool {
    raw.count > 262 && raw[257..<262].elementsEqual("ustar".utf8)
  }

  /// All tensors, and numbers as tensors without axes, by their names: the keys that lead to them, joined by dots.
  func parameters() throws -> ParameterStore {
    if Self.isTar(file.contents) {
      throw DiagnosticError(
        .limit, "torch.tar", "\(file.path) is of the tar format of PyTorch before 0.1.10, which is not read",
        hint: "load it with torch.load and save it anew with torch.save")
    }
    return file.contents.starts(with: [0x50, 0x4b]) ? try archive() : try legacy()
  }

  // MARK: The two formats

  private func archive() throws -> ParameterStore {
    let archive = try ZipArchive(file)
    guard let pickle = archive.entries.first(where: { $0.name.hasSuffix("/data.pkl") || $0.name == "data.pkl" }) else {
      throw DiagnosticError(
        .user, "torch.archive", "\(file.path) is a zip archive without data.pkl, so not one of torch.save",
        hint: "it has \(archive.entries.prefix(3).map(\.name).joined(separator: ", "))")
    }
    let folder = String(pickle.name.dropLast("data.pkl".count))
    if let order = archive["\(folder)byteorder"] {
      let text = try archive.contents(order, checksStored: false).withBytes { String(decoding: $0, as: UTF8.self) }
      guard text == "little" else {
        throw DiagnosticError(.limit, "torch.order", "\(file.path) has its bytes in \(text)-endian order")
      }
    }
    let (value, heap) = try archive.contents(pickle, checksStored: false).withBytes { raw in
      var unpickler = Unpickler(raw, path: file.path)
      return (try unpickler.value(), unpickler.heap)
    }
    let entries = Dictionary(archive.entries.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    return try flattened(value, heap) { storage in
      guard let entry = entries["\(folder)data/\(storage.key)"] else {
        throw DiagnosticError(.user, "torch.storage", "\(file.path) has no storage \(storage.key)")
      }
      return try archive.contents(entry, checksStored: false)
    }
  }

  private func legacy() throws -> ParameterStore {
    var unpickler = Unpickler(file.contents, path: file.path)
    guard case .long(Self.legacyMagic) = try unpickler.value() else {
      throw DiagnosticError(
        .user, "torch.magic", "\(file.path) is a pickle, but not one of torch.save",
        hint: "save it with torch.save(model.state_dict(), \"model.pt\")")
    }
    func next() throws -> PickleValue {
      unpickler = Unpickler(file.contents, at: unpickler.place, path: file.path)
      return try unpickler.value()
    }
    guard case .integer(1001) = try next() else { throw unpickler.wrong("is of another version than 1001") }
    if case .dictionary(let system) = try next() {
      for (key, value) in unpickler.heap.dictionaries[system] {
        if case .text("little_endian") = key, case .bool(false) = value {
          throw DiagnosticError(.limit, "torch.order", "\(file.path) has its bytes in big-endian order")
        }
      }
    }
    let value = try next()
    let heap = unpickler.heap
    guard case .list(let keys) = try next() else { throw unpickler.wrong("does not list its storages") }
    var places: [String: Range<Int>] = [:]
    var place = unpickler.place
    for key in unpickler.heap.sequences[keys] {
      guard case .text(let key) = key, place <= file.count - 8 else {
        throw unpickler.wrong("does not list its storages")
      }
      let count = Int(littleEndianAt: place, of: file.contents)
      // How long a storage is, only its elements' type tells: that of each counts, whether or not a tensor with a name lies in it.
      guard let storage = heap.storages[key] else { throw unpickler.wrong("lists storage \(key), which nothing uses") }
      let (size, overflow) = count.multipliedReportingOverflow(by: storage.element?.byteCount(1) ?? 1)
      guard count >= 0, !overflow, size <= file.count - place - 8 else {
        throw DiagnosticError(.user, "torch.storage", "\(file.path) is cut off within storage \(key)")
      }
      places[key] = (place + 8)..<(place + 8 + size)
      place += 8 + size
    }
    return try flattened(value, heap) { storage in
      guard let range = places[storage.key] else {
        throw DiagnosticError(.user, "torch.storage", "\(file.path) has no storage \(storage.key)")
      }
      return file.bytes(range)
    }
  }

  // MARK: Values

  private static let deepest = 64, most = 1 << 22

  /// Calls `body` for each leaf with the keys that lead to it.
  private func visit(_ value: PickleValue, _ heap: PickleHeap, _ body: (String, PickleValue) throws -> Void) throws {
    var count = 0
    func walk(_ value: PickleValue, _ name: String, _ depth: Int) throws {
      count += 1
      guard depth < Self.deepest, count < Self.most else {
        throw DiagnosticError(.user, "torch.pickle", "\(file.path): values are nested without an end")
      }
      func join(_ part: String) -> String { name.isEmpty ? part : "\(name).\(part)" }
      switch value {
      case .dictionary(let dictionary):
        for (key, value) in heap.dictionaries[dictionary] {
          switch key {
          case .text(let text): try walk(value, join(text), depth + 1)
          case .integer(let number): try walk(value, join("\(number)"), depth + 1)
          default: continue
          }
        }
      case .list(let items), .tuple(let items):
        for (index, item) in heap.sequences[items].enumerated() { try walk(item, join("\(index)"), depth + 1) }
      default: try body(name, value)
      }
    }
    try walk(value, "", 0)
  }

  private func flattened(
    _ value: PickleValue, _ heap: PickleHeap, _ bytes: (TorchStorage) throws -> TensorBytes
  ) throws -> ParameterStore {
    var store = ParameterStore()
    var problems: [Diagnostic] = []
    var storages: [String: TensorBytes] = [:]
    try visit(value, heap) { name, leaf in
      let tensor: HostTensor
      switch leaf {
      case .tensor(let spec):
        do {
          let memory = try storages[spec.storage.key] ?? bytes(spec.storage)
          storages[spec.storage.key] = memory
          tensor = try spec.tensor(in: memory) {
            DiagnosticError(.user, "torch.tensor", "tensor \(name): \($0)", at: [file.path])
          }
        } catch let error as DiagnosticError {
          problems += error.diagnostics
          return
        }
      case .integer(let number): tensor = .i64([], [number])
      case .float(let number): tensor = HostTensor(.f64, [], values: [number])
      case .bool(let truth): tensor = HostTensor(.bool, [], values: [truth])
      default: return
      }
      store[name] = tensor
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    if store.names.isEmpty {
      throw DiagnosticError(
        .user, "torch.empty", "\(file.path) holds no tensors", hint: "save torch.save(model.state_dict(), \"model.pt\")"
      )
    }
    return store
  }
}

extension TorchTensor {
  /// Elements from an expanded tensor may be many more than the storage has; no more than this, so that no small file asks for all memory.
  private static let largestExpansion = 1 << 28

  /// The elements in order: those of the storage itself where they lie so.
  func tensor(in storage: TensorBytes, fail: (String) -> DiagnosticError) throws -> HostTensor {
    let width = element.byteCount(1)
    var (count, last, overflows) = (1, offset, false)
    for (size, stride) in zip(shape, strides) {
      let product = count.multipliedReportingOverflow(by: size)
      let reach = max(0, size - 1).multipliedReportingOverflow(by: stride)
      let sum = last.addingReportingOverflow(reach.partialValue)
      overflows = overflows || product.overflow || reach.overflow || sum.overflow
      (count, last) = (product.partialValue, sum.partialValue)
    }
    if !overflows, count == 0 || shape.contains(0) {
      return HostTensor(element, shape, bytes: TensorBytes(count: 0) { _ in })
    }
    guard !overflows, last < storage.count / width else {
      throw fail(
        "\(element)\(shape) with strides \(strides) from element \(offset) on reaches beyond the \(storage.count / width) elements of storage \(self.storage.key)"
      )
    }
    // In row-major order; a stride along an axis of one place says nothing.
    var expected = 1
    var isOrdered = true
    for (size, stride) in zip(shape, strides).reversed() where size != 1 {
      isOrdered = isOrdered && stride == expected
      expected *= size
    }
    if isOrdered {
      return storage.withBytes { raw in
        HostTensor(
          element, shape,
          bytes: TensorBytes(at: raw.baseAddress! + offset * width, count: count * width, owner: storage))
      }
    }
    guard count <= max(Self.largestExpansion, storage.count) else {
      throw fail("\(element)\(shape) takes \(count) elements of a storage that has \(storage.count / width)")
    }
    return HostTensor(
      element, shape,
      bytes: TensorBytes(count: count * width) { target in
        storage.withBytes { source in
          var places = [Int](repeating: 0, count: shape.count)
          var from = offset
          for to in 0..<count {
            target.baseAddress!.advanced(by: to * width).copyMemory(
              from: source.baseAddress! + from * width, byteCount: width)
            var axis = shape.count - 1
            while axis >= 0 {
              places[axis] += 1
              from += strides[axis]
              if places[axis] < shape[axis] { break }
              from -= strides[axis] * shape[axis]
              places[axis] = 0
              axis -= 1
            }
          }
        }
      })
  }
}

extension Int {
  fileprivate init(littleEndianAt place: Int, of raw: UnsafeRawBufferPointer) {
    self = Int(Int64(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: Int64.self)))
  }
}
