import SinterCore

/// What a run of the interpreter knows: the contents of values, the sizes, the texts.
final class FormMemory {
  /// A value as bodies load it. Text is kept as numbers of `texts`.
  struct Stored {
    let element: ElementType
    let shape: [Int]
    let bytes: TensorBytes

    /// What the bytes hold: for text, i64.
    var codec: ElementType { element == .string ? .i64 : element }
    var count: Int { shape.reduce(1, *) }
    /// Valid as long as this value is held.
    var base: UnsafeRawPointer { bytes.withBytes { $0.baseAddress ?? UnsafeRawPointer(bitPattern: 64)! } }

    func reshaped(_ shape: [Int]) -> Stored { Stored(element: element, shape: shape, bytes: bytes) }
  }

  let program: FormProgram
  private let largest: Int
  var symbols: [Symbol: Int] = [:]
  private var stored: [Stored?]
  private var limit: Int
  var texts: TextTable

  init(_ program: FormProgram, largest: Int) {
    self.program = program
    self.largest = largest
    texts = program.texts
    stored = Array(repeating: nil, count: program.values.count)
    limit = program.values.elements.reduce(1 << 28) { Swift.max($0, 4 * ($1.constant?.count ?? 0)) }
  }

  subscript(value: FormValueID) -> Stored? {
    get { stored[value.position] }
    set { stored[value.position] = newValue }
  }

  /// Sets a value, which must have the shape that it is declared to have.
  ///
  /// - Parameter shape: that one, where it is known already.
  func set(_ id: FormValueID, _ value: Stored, of shape: [Int]? = nil) throws {
    let expected = try shape ?? sizes(program.values[id].type.shape)
    guard value.shape == expected, value.bytes.count >= value.codec.byteCount(value.count) else {
      throw DiagnosticError(
        .bug, "form.shape",
        "\(id) must have the shape \(expected), but has \(value.shape) in \(value.bytes.count) bytes",
        at: program.values[id].origin)
    }
    self[id] = value
  }

  /// The contents of a value that must have been computed.
  func value(_ id: FormValueID) throws -> Stored {
    if let value = stored[id.position] { return value }
    if let constant = program.values[id].constant {
      let value = number(constant)
      stored[id.position] = value
      return value
    }
    throw DiagnosticError(.bug, "form.order", "\(id) is read before it is computed", at: program.values[id].origin)
  }

  /// - Parameter element: i64 where the program has texts as numbers.
  func number(_ tensor: HostTensor, as element: ElementType = .string) -> Stored {
    limit = Swift.max(limit, 4 * tensor.count)
    guard tensor.element == .string else {
      return Stored(element: tensor.element, shape: tensor.shape, bytes: tensor.bytes)
    }
    return Stored(element: element, shape: tensor.shape, bytes: texts.numbers(of: tensor).bytes)
  }

  func tensor(_ stored: Stored, as element: ElementType) -> HostTensor {
    guard element == .string else { return HostTensor(stored.element, stored.shape, bytes: stored.bytes) }
    return texts.texts(of: HostTensor(.i64, stored.shape, bytes: stored.bytes))
  }

  /// The first element of a value of integers or truth values.
  func element(_ id: FormValueID) throws -> Int64 {
    let stored = try value(id)
    guard stored.count > 0 else {
      throw DiagnosticError(.user, "run.element", "\(id) has no element", at: program.values[id].origin)
    }
    var result: Int64 = 0
    ElementCodec.decode(stored.codec, stored.base, count: 1, into: &result) { $0 }
    return result
  }

  func size(_ dim: Dim) throws -> Int {
    if let value = dim.evaluated({ symbols[$0] }) { return value }
    if dim.symbols.allSatisfy({ symbols[$0] != nil }) {
      throw DiagnosticError(.user, "form.size", "the size \(dim) has no value")
    }
    throw DiagnosticError(.bug, "form.size", "the size \(dim) is not known when it is needed")
  }

  /// Sizes that a space can have: none is negative, and there is room for all elements.
  func sizes(_ dims: [Dim]) throws -> [Int] {
    let sizes = try dims.map { try size($0) }
    for (index, size) in sizes.enumerated() where size < 0 {
      throw DiagnosticError(.user, "form.size", "axis \(index) would have the size \(size), from \(dims[index])")
    }
    try requireRoom(sizes)
    return sizes
  }

  /// Throws where a tensor of this shape would have more elements than are computed on the host: 2^28, or four times as many as the largest
  /// tensor that is given has.
  func requireRoom(_ shape: [Int]) throws {
    var count = 1
    var isBeyond = false
    for size in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      isBeyond = isBeyond || overflow
      count = product
    }
    if isBeyond && !shape.contains(0) || count > Swift.min(limit, largest) {
      let elements = isBeyond ? "more than 2^63" : "\(count)"
      throw DiagnosticError(
        .limit, "form.size",
        "a tensor of the shape \(shape) with \(elements) elements is too large to be computed ahead of time")
    }
  }

  func release(_ value: FormValueID) { stored[value.position] = nil }

  /// What a failed check reports, with the value and the bound in place.
  func error(_ number: Int, value: Int64, bound: Int64) -> DiagnosticError {
    let text = program.errors.indices.contains(number) ? program.errors[number] : "%0 lies outside 0 ..< %1"
    return DiagnosticError(.user, "run.check", ErrorText.filled(text, value: value, bound: bound))
  }
}
