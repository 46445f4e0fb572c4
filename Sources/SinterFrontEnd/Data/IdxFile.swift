import Foundation

/// Files of the IDX format, in which MNIST and Fashion-MNIST come (Y. LeCun, "The MNIST database of handwritten digits"), as they are or packed by
/// gzip.
public enum IdxFile {
  /// The tensor in a file: bytes are u8, wider integers and floats in the machine's order.
  ///
  /// - Throws: an error that names the file and what is wrong with it: another format, a type that there is not, sizes that do not fit the
  ///   file's length.
  public static func read(_ path: String) throws -> HostTensor {
    let data: Data
    do {
      data = try Data(contentsOf: URL(filePath: path), options: .mappedIfSafe)
    } catch {
      throw DiagnosticError(.user, "data.read", "\(path) cannot be read", hint: "check the path and its permissions")
    }
    guard data.starts(with: [0x1f, 0x8b]) else { return try tensor(data, path) }
    let unpacked = try data.withUnsafeBytes { raw in
      try Inflate.gzip(raw) { DiagnosticError(.user, "data.idx", "\(path) \($0)") }
    }
    return try tensor(Data(unpacked), path)
  }

  static func tensor(_ data: Data, _ path: String) throws -> HostTensor {
    func wrong(_ what: String) -> DiagnosticError { DiagnosticError(.user, "data.idx", "\(path): \(what)") }
    let bytes = [UInt8](data.prefix(4))
    guard bytes.count == 4, bytes[0] == 0, bytes[1] == 0 else { throw wrong("the file is no IDX file") }
    let types: [UInt8: ElementType] = [
      0x08: .u8, 0x09: .i8, 0x0b: .i16, 0x0c: .i32, 0x0d: .f32, 0x0e: .f64,
    ]
    guard let element = types[bytes[2]] else { throw wrong("there is no IDX element type \(bytes[2])") }
    let rank = Int(bytes[3])
    guard data.count >= 4 + 4 * rank else { throw wrong("the file ends within its \(rank) sizes") }
    let shape = (0..<rank).map { axis in
      data.dropFirst(4 + 4 * axis).prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }
    var count = 1
    for size in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow else { throw wrong("sizes \(shape) are too large") }
      count = product
    }
    let width = element.bits / 8
    let (needed, overflow) = count.multipliedReportingOverflow(by: width)
    let given = data.count - 4 - 4 * rank
    guard !overflow, needed == given else {
      throw wrong(
        "sizes \(shape) of \(element) need \(overflow ? "too many" : "\(needed)") bytes, but the file has \(given)")
    }
    let content = data.dropFirst(4 + 4 * rank)
    return HostTensor(
      element, shape,
      bytes: TensorBytes(count: needed) { target in
        content.copyBytes(to: target)
        // The format is big-endian.
        for start in stride(from: 0, to: width > 1 ? needed : 0, by: width) {
          target[start..<(start + width)].reverse()
        }
      })
  }
}
