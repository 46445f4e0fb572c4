/// Texts by number, as programs work with them: equal texts, byte by byte, have equal numbers. Number 0 is the empty text.
///
/// Swift's own comparison of strings takes texts for equal that are written with different bytes (é as one letter or as a letter and an
/// accent); ONNX does not, and neither does this.
public struct TextTable: Sendable {
  private struct Key: Hashable, Sendable {
    let text: String

    static func == (a: Key, b: Key) -> Bool { a.text.hasSameBytes(as: b.text) }

    func hash(into hasher: inout Hasher) {
      var text = text
      text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
  }

  package private(set) var texts: [String] = [""]
  private var numbers: [Key: Int] = [Key(text: ""): 0]

  package init() {}

  package var count: Int { texts.count }

  /// The number of a text, which gets one where it has none.
  package mutating func number(of text: String) -> Int {
    let key = Key(text: text)
    if let known = numbers[key] { return known }
    numbers[key] = texts.count
    texts.append(text)
    return texts.count - 1
  }

  /// The numbers of a tensor's texts, as i64; a tensor of anything else as it is.
  package mutating func numbers(of tensor: HostTensor) -> HostTensor {
    guard tensor.element == .string else { return tensor }
    return .i64(tensor.shape, tensor.strings.map { number(of: $0) })
  }

  /// The texts of an i64 tensor's numbers.
  package func texts(of tensor: HostTensor) -> HostTensor {
    HostTensor(strings: tensor.array(of: Int64.self).map { self[Int($0)] }, shape: tensor.shape)
  }

  /// The text of a number; the empty one of a number that no text has.
  package subscript(number: Int) -> String { texts.indices.contains(number) ? texts[number] : "" }
}

extension String {
  package func hasSameBytes(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
