import Foundation

/// The text of a tensor as PyTorch prints it: four digits, one width for all elements, the middle left out where there are more than a thousand;
/// or as `PrintOptions` say.
struct TensorPrinter {
  private let options: PrintOptions
  private let host: HostTensor
  private let numbers: [Double]
  private let integers: [Int64]?
  /// Real and imaginary parts.
  private let complex: [(Double, Double)]
  private var isWhole = true, isScientific = false
  private var width = 1
  private let isSummary: Bool

  init(_ host: HostTensor, _ options: PrintOptions = .shared) {
    self.options = options.clamped
    self.host = host
    integers = host.int64s
    numbers = integers == nil ? host.doubles ?? [] : []
    complex = host.element.kind == .complex ? Self.complexNumbers(host) : []
    isSummary = host.count > options.threshold
    let shown = shownPlaces()
    if host.element.kind == .complex || host.element == .string {
      width = shown.map { text(of: $0).count }.max() ?? 1
      return
    }
    if let integers {
      width = shown.map { integerText(integers[$0]).count }.max() ?? 1
      return
    }
    let finite = shown.map { numbers[$0] }.filter { $0.isFinite && $0 != 0 }
    guard let least = finite.map(abs).min(), let greatest = finite.map(abs).max() else { return }
    isWhole = finite.allSatisfy { $0 == $0.rounded(.up) }
    isScientific = greatest / least > 1000 || greatest > 1e8 || (!isWhole && least < 1e-4)
    width = finite.map { raw($0).count }.max() ?? 1
    if isWhole && !isScientific { width = finite.map { String(format: "%.0f", $0).count + 1 }.max() ?? 1 }
  }

  /// The places of the elements that are shown.
  private func shownPlaces() -> [Int] {
    var places = [0]
    for size in host.shape {
      let kept =
        isSummary && size > 2 * options.edgeItems
        ? Array(0..<options.edgeItems) + Array((size - options.edgeItems)..<size) : Array(0..<size)
      places = places.flatMap { place in kept.map { place * size + $0 } }
    }
    return places
  }

  private func integerText(_ value: Int64) -> String {
    switch host.element {
    case .bool: value != 0 ? "True" : "False"
    case .u64: "\(UInt64(bitPattern: value))"
    default: "\(value)"
    }
  }

  private func raw(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    if isScientific { return String(format: "%.\(options.precision)e", value) }
    if isWhole { return String(format: "%.0f", value) + "." }
    return String(format: "%.\(options.precision)f", value)
  }

  private static func complexNumbers(_ host: HostTensor) -> [(Double, Double)] {
    if host.problem != nil { return [] }
    let parts = 2 * host.count
    return host.bytes.withBytes { bytes in
      let numbers = (0..<parts).map { place in
        host.element == .c64
          ? Double(bytes.loadUnaligned(fromByteOffset: 4 * place, as: Float.self))
          : bytes.loadUnaligned(fromByteOffset: 8 * place, as: Double.self)
      }
      return stride(from: 0, to: parts, by: 2).map { (numbers[$0], numbers[$0 + 1]) }
    }
  }

  /// The text of an element that is no number on a line.
  private func text(of place: Int) -> String {
    if host.element == .string { return "'\(host.strings[place])'" }
    let (real, imaginary) = complex[place]
    return String(format: "%.\(options.precision)f%+.\(options.precision)fj", real, imaginary)
  }

  private func element(_ place: Int) -> String {
    if host.element == .string { return text(of: place) }
    if host.element.kind == .complex {
      let text = text(of: place)
      return String(repeating: " ", count: Swift.max(0, width - text.count)) + text
    }
    let text = integers.map { integerText($0[place]) } ?? (place < numbers.count ? raw(numbers[place]) : "?")
    return String(repeating: " ", count: Swift.max(0, width - text.count)) + text
  }

  /// - Parameter suffix: stands before the closing bracket.
  func text(suffix: String = "") -> String {
    var end = suffix
    let type: String? =
      switch host.element {
      case .f32, .i64, .bool, .string, .c64: nil
      case .c128: "complex128"
      case .f64: "float64"
      case .f16: "float16"
      case .bf16: "bfloat16"
      case .i32: "int32"
      case .i16: "int16"
      case .i8: "int8"
      case .u8: "uint8"
      case .u16: "uint16"
      case .u32: "uint32"
      case .u64: "uint64"
      default: "\(host.element)"
      }
    if host.count == 0 {
      let size = host.shape.count == 1 ? "" : ", size=(\(host.shape.map(String.init).joined(separator: ", ")))"
      // Of an empty list PyTorch tells every type but that of floats.
      let told = type ?? (host.element == .i64 ? "int64" : host.element == .bool ? "bool" : nil)
      return "tensor([]\(size)\(told.map { ", dtype=torch.\($0)" } ?? "")\(end))"
    }
    if let type { end = ", dtype=torch.\(type)" + end }
    return "tensor(" + body(host.shape[...], 0, indent: 7) + end + ")"
  }

  private func body(_ shape: ArraySlice<Int>, _ start: Int, indent: Int) -> String {
    guard let size = shape.first else { return element(start).trimmingCharacters(in: .whitespaces) }
    let rest = shape.dropFirst()
    let stride = rest.reduce(1, *)
    let cuts = isSummary && size > 2 * options.edgeItems
    let places = cuts ? Array(0..<options.edgeItems) + Array((size - options.edgeItems)..<size) : Array(0..<size)
    let padding = String(repeating: " ", count: indent + 1)
    if rest.isEmpty {
      let perLine = Swift.max(1, (options.lineWidth - indent) / (width + 2))
      var parts = places.map { element(start + $0) }
      if cuts { parts.insert(" ...", at: options.edgeItems) }
      let lines = Swift.stride(from: 0, to: parts.count, by: perLine).map {
        parts[$0..<Swift.min($0 + perLine, parts.count)].joined(separator: ", ")
      }
      return "[" + lines.joined(separator: ",\n" + padding) + "]"
    }
    var parts = places.map { body(rest, start + $0 * stride, indent: indent + 1) }
    if cuts { parts.insert("...", at: options.edgeItems) }
    return "[" + parts.joined(separator: "," + String(repeating: "\n", count: shape.count - 1) + padding) + "]"
  }
}
