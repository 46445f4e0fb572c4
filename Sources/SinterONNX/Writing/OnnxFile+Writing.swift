import Glibc
import SinterCore

extension OnnxFile {
  /// The most bytes that readers built on protobuf accept in one file, with room for structure.
  package static let singleFileLimit = Int(Int32.max) - (64 << 20)

  /// Writes the file, replacing one that is there only when all is written.
  ///
  /// Where the contents of tensors would make the file larger than `limit`, those of the large ones go to a file beside
  /// it, named after it with `.data` added.
  package func write(to path: String, limit: Int = singleFileLimit) throws {
    let builder = try ProtoBuilder(self, externalDataName: nil)
    guard builder.payloadBytes > limit else {
      try Self.write(builder.pieces(), to: path)
      return
    }
    let dataPath = path + ".data"
    let name = String(
      dataPath[(dataPath.lastIndex(of: "/").map { dataPath.index(after: $0) } ?? dataPath.startIndex)...])
    let split = try ProtoBuilder(self, externalDataName: name)
    try Self.write(split.externalPieces(), to: dataPath)
    try Self.write(split.pieces(), to: path)
  }

  /// The file's bytes.
  package func encoded() throws -> [UInt8] {
    var result: [UInt8] = []
    for piece in try ProtoBuilder(self, externalDataName: nil).pieces() {
      switch piece {
      case .structure(let bytes): result += bytes
      case .payload(let bytes): bytes.withBytes { result.append(contentsOf: $0) }
      }
    }
    return result
  }

  private static func write(_ pieces: [FilePiece], to path: String) throws {
    let writer = try AtomicFile(path)
    for piece in pieces {
      switch piece {
      case .structure(let bytes): try bytes.withUnsafeBytes { try writer.append($0) }
      case .payload(let bytes): try bytes.withBytes { try writer.append($0) }
      }
    }
    try writer.commit()
  }
}

/// A run of bytes of a file that is being written.
enum FilePiece {
  case structure([UInt8])
  case payload(TensorBytes)
}
