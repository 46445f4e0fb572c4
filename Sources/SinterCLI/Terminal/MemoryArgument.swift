import ArgumentParser
import SinterCore

/// How much memory a command may take, whatever the model says.
struct MemoryArgument: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The most memory that the command may take, such as 8G or 512M; none for no limit.",
      discussion:
        "By default three quarters of what the machine has, or of what the control group gives. Tensors that do not fit are refused by name, or left for the run to compute; a command that takes more in any other way ends with a sentence.",
      valueName: "size"))
  var memoryLimit: String?

  func validate() throws {
    guard let bytes = try memoryLimit.map(Self.bytes) ?? Self.standard else { return }
    MemoryLimit.set(bytes)
    MemoryWatch.begin()
  }

  /// Three quarters of what there is; nil where the system does not say.
  private static var standard: Int? {
    let available = MemoryLimit.available
    return available == .max ? nil : available / 4 * 3
  }

  /// The bytes that a text stands for, `Int.max` for `none`. K, M, G and T are powers of 1024.
  static func bytes(_ text: String) throws -> Int {
    if text == "none" { return .max }
    let unit = Array("KMGT").firstIndex(of: text.uppercased().last ?? " ")
    let digits = unit == nil ? text[...] : text.dropLast()
    let isDecimal = digits.allSatisfy { $0.isASCII && ($0.isNumber || $0 == ".") }
    let scale = unit.map { Double(1 << (10 * ($0 + 1))) } ?? 1
    guard isDecimal, let number = Double(digits), number * scale >= 0x1p20, number * scale < 0x1p62 else {
      throw ValidationError(
        "--memory-limit takes a size of 1M or more, such as 8G or 512M, or none, but was given \"\(text)\"")
    }
    return Int(number * scale)
  }
}
