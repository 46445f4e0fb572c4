import Foundation
import Sinter
import SinterModel

/// Values for programs that read JSON.
enum ValueText {
  /// An object with a member for each port, in their order.
  static func json(_ ports: [(name: String, value: HostValue)]) -> String {
    "{\n" + ports.map { "  \(quoted($0.name)): \(json($0.value))" }.joined(separator: ",\n") + "\n}"
  }

  /// A tensor as its element type, sizes and values in row-major order; a sequence as a list; a map as keys and values; null where an optional is
  /// empty. Numbers that are not finite are texts, since JSON has none for them, and a complex number is a
  /// list of its parts.
  private static func json(_ value: HostValue) -> String {
    switch value {
    case .none: "null"
    case .tensor(let tensor):
      "{\"element\": \"\(tensor.element)\", \"shape\": [\(tensor.shape.map(String.init).joined(separator: ", "))], "
        + "\"values\": [\(numbers(tensor).joined(separator: ", "))]}"
    case .sequence(let elements): "[" + elements.map { json($0) }.joined(separator: ", ") + "]"
    case .map(let keys, let values): "{\"keys\": \(json(.tensor(keys))), \"values\": \(json(.tensor(values)))}"
    }
  }

  private static func numbers(_ tensor: HostTensor) -> [String] {
    if tensor.element == .string { return tensor.strings.map(quoted) }
    if let integers = tensor.int64s {
      return integers.map { tensor.element == .u64 ? "\(UInt64(bitPattern: $0))" : "\($0)" }
    }
    if tensor.element.kind == .complex {
      let part: ElementType = tensor.element == .c64 ? .f32 : .f64
      let parts = numbers(HostTensor(part, [tensor.count * 2], bytes: tensor.bytes))
      return (0..<tensor.count).map { "[\(parts[2 * $0]), \(parts[2 * $0 + 1])]" }
    }
    return (tensor.doubles ?? []).map { value in
      if !value.isFinite { return value.isNaN ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"" }
      return tensor.element == .f64 ? "\(value)" : "\(Float(value))"
    }
  }

  private static func quoted(_ text: String) -> String { JSONText.of([text]).map(element) ?? "\"\"" }

  /// The one element of a list as it stands there.
  private static func element(_ list: String) -> String {
    list.dropFirst().dropLast().trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
