import Foundation
import Sinter

/// Archives as `numpy.savez` writes them.
enum NpzWriter {
  static func write(_ tensors: [(name: String, tensor: HostTensor)], to path: String) throws {
    var (bytes, directory) = ([UInt8](), [UInt8]())
    func number(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 255) } }
    for (name, tensor) in tensors {
      let file = path + ".part"
      try NpyFile.write(tensor, to: file)
      let content = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
      try FileManager.default.removeItem(atPath: file)
      let entry = Array((name + ".npy").utf8)
      let sizes =
        number(checksum(content), 4) + number(content.count, 4) + number(content.count, 4) + number(entry.count, 2)
        + number(0, 2)
      directory += number(0x0201_4b50, 4) + number(20, 2) + number(20, 2) + number(0, 8) + sizes + number(0, 10)
      directory += number(bytes.count, 4) + entry
      bytes += number(0x0403_4b50, 4) + number(20, 2) + number(0, 8) + sizes + entry + content
    }
    let end = number(0x0605_4b50, 4) + number(0, 4) + number(tensors.count, 2) + number(tensors.count, 2)
    let tail = end + number(directory.count, 4) + number(bytes.count, 4) + number(0, 2)
    try Data(bytes + directory + tail).write(to: URL(fileURLWithPath: path))
  }

  /// The sum of zip archives, bit by bit (CRC-32, ISO 3309).
  private static func checksum(_ bytes: [UInt8]) -> Int {
    var sum: UInt32 = 0xffff_ffff
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum >> 1 ^ (sum & 1 == 0 ? 0 : 0xedb8_8320) }
    }
    return Int(sum ^ 0xffff_ffff)
  }
}
