import SinterCore

/// Reads the pickles of state dictionaries. No code is run: the few functions that they name are known here by what they would give, and all else is
/// refused by its name.
///
/// Opcodes are those of protocols 2 to 5 (Python's `pickletools` tells their meaning) that numbers, texts, tuples, lists, dictionaries and tensors need.
struct Unpickler {
  private let bytes: UnsafeRawBufferPointer
  private(set) var place: Int
  private let path: String
  let heap = PickleHeap()
  private var stack: [PickleValue] = []
  /// Where the open marks stand in the stack.
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]

  /// - Parameter place: where in the bytes the pickle begins.
  init(_ bytes: UnsafeRawBufferPointer, at place: Int = 0, path: String) {
    self.bytes = bytes
    self.place = place
    self.path = path
  }

  /// The value of the pickle, behind which `place` stands afterwards.
  mutating func value() throws -> PickleValue {
    while true {
      let start = place
      let code = try byte()
      if code == UInt8(ascii: ".") {
        guard stack.count == 1, marks.isEmpty else { throw wrong("ends with \(stack.count) values instead of one") }
        return stack[0]
      }
      try run(code, at: start)
    }
  }

  func wrong(_ text: String) -> DiagnosticError {
    DiagnosticError(.user, "torch.pickle", "\(path): the pickle \(text)", hint: "is the file complete?")
  }

  static func refused(_ path: String, _ what: String) -> DiagnosticError {
    DiagnosticError(
      .limit, "torch.object", "\(path) holds \(what), which only Python can make of it",
      hint: "save the tensors alone: torch.save(model.state_dict(), \"model.pt\")")
  }

  // MARK: Bytes

  private mutating func byte() throws -> UInt8 {
    guard place < bytes.count else { throw wrong("is cut off") }
    defer { place += 1 }
    return bytes[place]
  }

  private mutating func number(_ count: Int) throws -> Int {
    let raw = try raw(count)
    var value: UInt64 = 0
    for (index, byte) in raw.enumerated() { value |= UInt64(byte) << (8 * UInt64(index)) }
    guard let result = Int(exactly: value) else { throw wrong("has a length of \(value)") }
    return result
  }

  private mutating func raw(_ count: Int) throws -> UnsafeRawBufferPointer {
    guard count >= 0, count <= bytes.count - place else { throw wrong("is cut off") }
    defer { place += count }
    return UnsafeRawBufferPointer(rebasing: bytes[place..<(place + count)])
  }

  private mutating func text(_ count: Int) throws -> String { String(decoding: try raw(count), as: UTF8.self) }

  private mutating func line() throws -> String {
    guard let end = bytes[place...].firstIndex(of: UInt8(ascii: "\n")) else { throw wrong("is cut off") }
    defer { place = end + 1 }
    return String(decoding: bytes[place..<end], as: UTF8.self)
  }

  // MARK: The stack

  private mutating func pop() throws -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.popLast() else {
      throw wrong("takes a value where there is none")
    }
    return value
  }

  /// The values since the last mark.
  private mutating func popMark() throws -> [PickleValue] {
    guard let mark = marks.popLast(), mark <= stack.count else { throw wrong("closes a group that was not opened") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private func top() throws -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.last else {
      throw wrong("needs a value where there is none")
    }
    return value
  }

  private mutating func run(_ code: UInt8, at start: Int) throws {
    switch code {
    case 0x80:  // PROTO
      let version = try byte()
      guard (2...5).contains(version) else { throw wrong("is of protocol \(version); 2 to 5 are read") }
    case 0x95: _ = try raw(8)  // FRAME
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "0"): _ = try pop()
    case UInt8(ascii: "1"): _ = try popMark()

    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try number(4)))))
    case UInt8(ascii: "K"): stack.append(.integer(try number(1)))
    case UInt8(ascii: "M"): stack.append(.integer(try number(2)))
    case 0x8a: try appendLong(try number(1))
    case 0x8b: try appendLong(try number(4))
    case UInt8(ascii: "G"):
      let bits = try raw(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      stack.append(.float(Double(bitPattern: bits)))

    case UInt8(ascii: "X"): stack.append(.text(try text(try number(4))))
    case 0x8c: stack.append(.text(try text(try number(1))))
    case 0x8d: stack.append(.text(try text(try number(8))))
    case UInt8(ascii: "U"): stack.append(.text(try text(try number(1))))
    case UInt8(ascii: "T"): stack.append(.text(try text(try number(4))))
    case UInt8(ascii: "C"): stack.append(.bytes(Array(try raw(try number(1)))))
    case UInt8(ascii: "B"): stack.append(.bytes(Array(try raw(try number(4)))))

    case UInt8(ascii: ")"): stack.append(heap.tuple([]))
    case 0x85: stack.append(heap.tuple([try pop()]))
    case 0x86:
      let b = try pop()
      stack.append(heap.tuple([try pop(), b]))
    case 0x87:
      let (c, b) = (try pop(), try pop())
      stack.append(heap.tuple([try pop(), b, c]))
    case UInt8(ascii: "t"): stack.append(heap.tuple(try popMark()))
    case UInt8(ascii: "]"): stack.append(heap.list())
    case UInt8(ascii: "l"):
      let items = try popMark()
      stack.append(heap.list(items))
    case UInt8(ascii: "a"):
      let item = try pop()
      try grow([item])
    case UInt8(ascii: "e"):
      let items = try popMark()
      try grow(items)
    case UInt8(ascii: "}"): stack.append(heap.dictionary())
    case UInt8(ascii: "d"):
      let items = try popMark()
      stack.append(heap.dictionary())
      try set(items)
    case UInt8(ascii: "s"):
      let value = try pop(), key = try pop()
      try set([key, value])
    case UInt8(ascii: "u"):
      let items = try popMark()
      try set(items)

    case UInt8(ascii: "q"): memo[try number(1)] = try top()
    case UInt8(ascii: "r"): memo[try number(4)] = try top()
    case 0x94: memo[memo.count] = try top()
    case UInt8(ascii: "h"): try recall(try number(1))
    case UInt8(ascii: "j"): try recall(try number(4))

    case UInt8(ascii: "c"): stack.append(.global("\(try line()).\(try line())"))
    case 0x93:
      guard case .text(let name) = try pop(), case .text(let module) = try pop() else {
        throw wrong("names a class by something else than texts")
      }
      stack.append(.global("\(module).\(name)"))
    case UInt8(ascii: "Q"): stack.append(heap.storage(try TorchObjects(path: path, heap: heap).storage(try pop())))
    case UInt8(ascii: "R"), 0x81:
      let arguments = try pop()
      stack.append(try TorchObjects(path: path, heap: heap).object(try pop(), arguments, isNew: code == 0x81))
    case UInt8(ascii: "b"):
      let state = try pop()
      try build(state)
    default:
      throw DiagnosticError(
        .limit, "torch.pickle",
        "\(path): the pickle has opcode \(String(code, radix: 16)) at byte \(start), which no state dictionary needs",
        hint: "save the tensors alone: torch.save(model.state_dict(), \"model.pt\")")
    }
  }

  private mutating func appendLong(_ count: Int) throws {
    let raw = try raw(count)
    guard count <= 8 else {
      stack.append(.long(Array(raw)))
      return
    }
    // Two's complement of as many bytes as there are.
    var value: UInt64 = (raw.last ?? 0) & 0x80 != 0 ? ~0 : 0
    for byte in raw.reversed() { value = value << 8 | UInt64(byte) }
    stack.append(.integer(count == 0 ? 0 : Int(Int64(bitPattern: value))))
  }

  private mutating func recall(_ index: Int) throws {
    guard let value = memo[index] else { throw wrong("recalls a value that it did not keep") }
    stack.append(value)
  }

  private func grow(_ items: [PickleValue]) throws {
    guard case .list(let list) = try top() else { throw wrong("adds to what is no list") }
    heap.grow(list, items)
  }

  private func set(_ items: [PickleValue]) throws {
    guard items.count % 2 == 0 else { throw wrong("has a key without a value") }
    switch try top() {
    case .dictionary(let dictionary):
      for place in stride(from: 0, to: items.count, by: 2) { heap.add(items[place], items[place + 1], to: dictionary) }
    // Hooks and the like are of no interest.
    case .other: break
    default: throw wrong("sets keys of what is no dictionary")
    }
  }

  /// What an object's attributes are set to. Those of an ordered dictionary (its `_metadata`) are not its keys, and a script's module has nothing else.
  private func build(_ state: PickleValue) throws {
    guard case .dictionary(let object) = try top(), case .dictionary(let attributes) = state,
      heap.scripts.contains(object)
    else { return }
    for (key, value) in heap.dictionaries[attributes] { heap.add(key, value, to: object) }
  }
}
