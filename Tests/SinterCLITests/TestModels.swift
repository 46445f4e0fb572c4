import Foundation

/// ONNX files that no exporter of Sinter's writes, byte by byte.
enum TestModels {
  /// A sum of tensors of two floats whose contents should lie in another file.
  static func externalTensors(_ count: Int, file: String) -> Data {
    func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
      var length = bytes.count
      var size: [UInt8] = []
      repeat {
        size.append(UInt8(length & 127) | (length > 127 ? 128 : 0))
        length >>= 7
      } while length > 0
      return [number << 3 | 2] + size + bytes
    }
    func text(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }
    func number(_ field: UInt8, _ value: UInt8) -> [UInt8] { [field << 3, value] }
    var graph: [UInt8] = []
    graph += field(1, (0..<count).flatMap { text(1, "w\($0)") } + text(2, "y") + text(3, "sum") + text(4, "Sum"))
    graph += text(2, "g")
    for index in 0..<count {
      let location = text(1, "location") + text(2, file)
      let offset = text(1, "offset") + text(2, "\(8 * index)")
      graph += field(
        5,
        number(1, 2) + number(2, 1) + text(8, "w\(index)") + field(13, location) + field(13, offset) + number(14, 1))
    }
    let shape = field(2, field(1, number(1, 2)))
    graph += field(12, text(1, "y") + field(2, field(1, number(1, 1) + shape)))
    return Data(number(1, 8) + field(7, graph) + field(8, number(2, 13)))
  }
}
