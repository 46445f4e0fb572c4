import SinterCore

/// A zip archive in a mapped file: entries stored as they are or compressed by deflate, with 32- or 64-bit sizes.
struct ZipArchive {
  struct Entry {
    let name: String
    let isCompressed: Bool
    /// Where its bytes stand in the file.
    let range: Range<Int>
    /// How many bytes it has, unpacked.
    let size: Int
    let checksum: UInt32
  }

  let entries: [Entry]
  private let file: MappedFile

  /// Reads the archive's directory.
  ///
  /// - Throws: what is wrong with it: no archive, cut off, encrypted, packed by something else than deflate.
  init(_ file: MappedFile) throws {
    self.file = file
    entries = try Directory(file: file).entries()
  }

  subscript(name: String) -> Entry? { entries.first { $0.name == name } }

  /// An entry's bytes: those of the file where it is stored, else unpacked. What was unpacked is held against its sum.
  ///
  /// - Parameter checksStored: whether stored bytes are too, for which all of them are read. PyTorch writes archives without true sums
  ///   (`torch.serialization.set_crc32_options(False)`), and reads them.
  func contents(_ entry: Entry, checksStored: Bool) throws -> TensorBytes {
    func fail(_ text: String) -> DiagnosticError {
      DiagnosticError(.user, "zip.format", "\(entry.name) \(text)", at: [file.path])
    }
    func checked(_ bytes: TensorBytes) throws -> TensorBytes {
      let sum = bytes.withBytes { Inflate.checksum($0) }
      guard sum == entry.checksum else { throw fail("is damaged: its sum is \(sum), not \(entry.checksum)") }
      return bytes
    }
    guard entry.isCompressed else {
      let stored = file.bytes(entry.range)
      return checksStored ? try checked(stored) : stored
    }
    guard Inflate.isPossible(entry.size, from: entry.range.count) else {
      throw fail("cannot have \(entry.size) bytes, packed as \(entry.range.count)")
    }
    let packed = UnsafeRawBufferPointer(rebasing: file.contents[entry.range])
    return try checked(try Inflate.bytes(packed, size: entry.size, fail: fail))
  }
}

/// The reading of a directory (PKWARE, "APPNOTE.TXT", 4.3).
private struct Directory {
  let file: MappedFile

  private static let endSize = 22, longestComment = 65_535

  func fail(_ text: String) -> DiagnosticError { DiagnosticError(.user, "zip.format", text, at: [file.path]) }

  /// A little-endian number.
  func number(_ at: Int, _ bytes: Int) throws -> Int {
    let raw = file.contents
    guard at >= 0, at <= raw.count - bytes else { throw fail("the archive is cut off") }
    let value = (0..<bytes).reduce(UInt64(0)) { $0 | UInt64(raw[at + $1]) << (8 * UInt64($1)) }
    guard let value = Int(exactly: value) else { throw fail("the archive's directory is damaged") }
    return value
  }

  func entries() throws -> [ZipArchive.Entry] {
    let raw = file.contents
    guard raw.count >= Self.endSize,
      let end = stride(
        from: raw.count - Self.endSize, through: max(0, raw.count - Self.endSize - Self.longestComment), by: -1
      ).first(where: { raw[$0] == 0x50 && raw[$0 + 1] == 0x4b && raw[$0 + 2] == 5 && raw[$0 + 3] == 6 })
    else { throw fail("this is no zip archive") }
    var (count, at) = (try number(end + 10, 2), try number(end + 16, 4))
    if count == 0xffff || at == 0xffff_ffff, end >= 20, try number(end - 20, 4) == 0x0706_4b50 {
      let long = try number(end - 12, 8)
      guard try number(long, 4) == 0x0606_4b50 else { throw fail("the archive's directory is damaged") }
      (count, at) = (try number(long + 32, 8), try number(long + 48, 8))
    }
    // Each takes 46 bytes at least.
    guard count <= raw.count / 46 else { throw fail("the archive's directory is damaged") }
    return try (0..<count).map { _ in try entry(&at) }
  }

  private func entry(_ at: inout Int) throws -> ZipArchive.Entry {
    guard try number(at, 4) == 0x0201_4b50 else { throw fail("the archive's directory is damaged") }
    let (flags, method, checksum) = (try number(at + 8, 2), try number(at + 10, 2), try number(at + 16, 4))
    var (packed, size, local) = (try number(at + 20, 4), try number(at + 24, 4), try number(at + 42, 4))
    let (nameLength, extra) = (try number(at + 28, 2), try number(at + 30, 2))
    let comment = try number(at + 32, 2)
    guard at + 46 + nameLength + extra <= file.count else { throw fail("the archive is cut off") }
    let name = String(decoding: file.contents[(at + 46)..<(at + 46 + nameLength)], as: UTF8.self)
    // Sizes that no 32 bits hold follow in a field of their own, each only where it is needed.
    var field = at + 46 + nameLength
    let fields = field + extra
    while field + 4 <= fields {
      let (kind, length) = (try number(field, 2), try number(field + 2, 2))
      if kind == 1 {
        var place = field + 4
        func long(_ value: inout Int) throws {
          guard value == 0xffff_ffff else { return }
          value = try number(place, 8)
          place += 8
        }
        try long(&size)
        try long(&packed)
        try long(&local)
      }
      field += 4 + length
    }
    at += 46 + nameLength + extra + comment
    guard flags & 1 == 0 else { throw fail("\(name) is encrypted; write the archive without a password") }
    guard method == 0 || method == 8 else {
      throw fail("\(name) is packed by method \(method); only stored and deflated entries are read")
    }
    guard local <= file.count else { throw fail("\(name) is cut off") }
    guard try number(local, 4) == 0x0403_4b50 else { throw fail("\(name) does not begin where the directory says") }
    let start = local + 30 + (try number(local + 26, 2)) + (try number(local + 28, 2))
    guard start <= file.count, packed <= file.count - start else { throw fail("\(name) is cut off") }
    guard method == 8 || packed == size else { throw fail("\(name) has two sizes: \(packed) and \(size)") }
    return ZipArchive.Entry(
      name: name, isCompressed: method == 8, range: start..<(start + packed), size: size,
      checksum: UInt32(truncatingIfNeeded: checksum))
  }
}
