/// Samples along the first axis of `.npy` files that need not fit into memory: each is read from the file when it is asked for.
public struct StreamedDataset: Dataset {
  private struct Part {
    let file: SampleFile
    let element: ElementType
    /// Of one sample.
    let shape: [Int]
    let start: Int, size: Int
  }

  private let parts: [Part]
  public let count: Int

  /// - Parameter paths: a file for each part of a sample.
  /// - Throws: where a file is no array in row-major and the machine's order, or files have different numbers of samples.
  public init(npy paths: [String]) throws {
    var (parts, counts) = ([Part](), [Int]())
    for path in paths {
      let (tensor, start) = try NpyFile.place(path)
      try HostTensor.gatherable([tensor])
      guard let count = tensor.shape.first else {
        throw DiagnosticError(.user, "data.count", "\(path) holds one number, no samples along a first axis")
      }
      let shape = Array(tensor.shape.dropFirst())
      parts.append(
        Part(
          file: try SampleFile(path, writes: false), element: tensor.element, shape: shape, start: start,
          size: tensor.element.byteCount(shape.reduce(1, *))))
      counts.append(count)
    }
    guard let count = counts.first, counts.allSatisfy({ $0 == count }) else {
      let given = zip(paths, counts).map { "\($1) in \($0)" }.joined(separator: ", ")
      throw DiagnosticError(
        .user, "data.count", "all files must have as many samples, but have \(given.isEmpty ? "none" : given)")
    }
    self.parts = parts
    self.count = count
  }

  public func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor] {
    try batch([index], seed: 0, epoch: 0).map { $0.reshaped(Array($0.shape.dropFirst())) }
  }

  public func batch(_ indices: [Int], seed: UInt64, epoch: Int) throws -> [HostTensor] {
    if let wrong = indices.first(where: { !(0..<count).contains($0) }) {
      throw DiagnosticError(.user, "data.index", "there is no sample \(wrong) among \(count)")
    }
    return try parts.map { part in
      HostTensor(
        part.element, [indices.count] + part.shape,
        bytes: try TensorBytes(count: indices.count * part.size) { target in
          for (row, index) in indices.enumerated() {
            let place = UnsafeMutableRawBufferPointer(rebasing: target[(row * part.size)..<((row + 1) * part.size)])
            try part.file.read(at: part.start + index * part.size, into: place)
          }
        })
    }
  }
}
