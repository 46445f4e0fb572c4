/// A data set whose samples are made once and kept in a file, for those that are slow to make and too many for memory. All samples must have the
/// types and sizes of the first one.
///
/// The file has a head of one page, which says what it holds; a byte for each sample, which is 1 once the sample is there; and from the next page on the
/// samples, each as long as all others. What a base draws at random is drawn once, so random transforms belong behind the cache.
public struct CachedDataset: Dataset {
  /// The data set that samples come from.
  public let base: any Dataset
  public let count: Int
  private let file: SampleFile?
  private let layout: [(element: ElementType, shape: [Int], size: Int)]
  private let start: Int, size: Int

  private static let page = 4096

  /// - Parameters:
  ///   - path: the file; where it is there, it is resumed.
  ///   - key: says which data the file holds, so that those of others are not taken for them: the version of whatever makes samples, say.
  /// - Throws: where the file holds other samples, or cannot be written.
  public init(_ base: any Dataset, in path: String, key: String = "") throws {
    self.base = base
    count = base.count
    guard count > 0 else {
      (file, layout, start, size) = (nil, [], 0, 0)
      return
    }
    let first = try base.sample(0)
    try HostTensor.gatherable(first)
    layout = first.map { ($0.element, $0.shape, $0.bytes.count) }
    size = layout.reduce(0) { $0 + $1.size }
    start = Self.page + (count + Self.page - 1) / Self.page * Self.page
    let types = first.map { "\($0.type)" }.joined(separator: ", ")
    let head = Array("Sinter samples 1\n\(count) of \(types)\n\(key)\n".utf8)
    guard head.count <= Self.page else {
      throw DiagnosticError(.user, "data.cache", "the key of a cache has \(key.utf8.count) bytes, too many for a page")
    }
    let padded = head + [UInt8](repeating: 0, count: Self.page - head.count)
    let file = try SampleFile(path, writes: true)
    if try file.size == 0 {
      try file.truncate(to: start + count * size)
      try padded.withUnsafeBytes { try file.write($0, at: 0) }
    } else {
      var found = [UInt8](repeating: 0, count: Self.page)
      let given = try file.size
      if given >= Self.page { try found.withUnsafeMutableBytes { try file.read(at: 0, into: $0) } }
      guard found == padded, given == start + count * size else {
        let told = String(decoding: found.prefix { $0 != 0 }, as: UTF8.self).split(separator: "\n").dropFirst()
        throw DiagnosticError(
          .user, "data.cache",
          "\(path) must hold \(count) of \(types)\(key.isEmpty ? "" : " (\(key))"), but holds "
            + (told.isEmpty ? "something else" : told.joined(separator: " ")),
          hint: "remove it, or give another path")
      }
    }
    self.file = file
  }

  public func name(of index: Int) -> String { base.name(of: index) }

  public func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor] {
    guard let file, (0..<count).contains(index) else {
      throw DiagnosticError(.user, "data.index", "there is no sample \(index) among \(count)")
    }
    var isThere: UInt8 = 0
    try withUnsafeMutableBytes(of: &isThere) { try file.read(at: Self.page + index, into: $0) }
    var place = start + index * size
    if isThere == 1 {
      return try layout.map { part in
        defer { place += part.size }
        return HostTensor(
          part.element, part.shape,
          bytes: try TensorBytes(count: part.size) { try file.read(at: place, into: $0) })
      }
    }
    let sample = try base.sample(index, random: &random)
    guard sample.count == layout.count,
      zip(sample, layout).allSatisfy({ $0.element == $1.element && $0.shape == $1.shape })
    else {
      throw DiagnosticError(
        .user, "data.shape",
        "\(name(of: index)) is \(sample.map(\.type)), but \(name(of: 0)) is \(layout.map { TensorType($0.element, $0.shape.map { Dim($0) }) })",
        hint: "samples of other sizes cannot be kept in one cache; bring them to one size first")
    }
    for tensor in sample {
      try tensor.bytes.withBytes { try file.write($0, at: place) }
      place += tensor.bytes.count
    }
    // Only now is the sample there: what a program that is stopped leaves half written is made again.
    isThere = 1
    try withUnsafeBytes(of: isThere) { try file.write($0, at: Self.page + index) }
    return sample
  }
}

extension Dataset {
  /// The data set with its samples kept in a file once they are made.
  public func cached(in path: String, key: String = "") throws -> CachedDataset {
    try CachedDataset(self, in: path, key: key)
  }
}
