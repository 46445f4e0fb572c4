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
      try Self.written(builder.pieces(), to: path).commit()
      return
    }
    let dataPath = path + ".data"
    let name = String(
      dataPath[(dataPath.lastIndex(of: "/").map { dataPath.index(after: $0) } ?? dataPath.startIndex)...])
    let split = try ProtoBuilder(self, externalDataName: name)
    // Neither file of a pair that was there goes before both are written.
    let files = [try Self.written(split.externalPieces(), to: dataPath), try Self.written(split.pieces(), to: path)]
    for file in files { try file.commit() }
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

  /// A file with all of its bytes that has not got its name yet.
  private static func written(_ pieces: [FilePiece], to path: String) throws -> AtomicFile {
    let writer = try AtomicFile(path)
    for piece in pieces {
      switch piece {
      case .structure(let bytes): try bytes.withUnsafeBytes { try writer.append($0) }
      case .payload(let bytes): try bytes.withBytes { try writer.append($0) }
      }
    }
    return writer
  }
}

/// A run of bytes of a file that is being written.
enum FilePiece {
  case structure([UInt8])
  case payload(TensorBytes)
}
