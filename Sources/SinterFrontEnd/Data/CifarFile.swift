import Foundation

/// The binary files of CIFAR-10 and CIFAR-100 (A. Krizhevsky, "Learning multiple layers of features from tiny images"), published at
/// https://www.cs.toronto.edu/~kriz/cifar.html.
///
/// A record has a label (of CIFAR-100 two, the coarse one first) and 3072 bytes: an image of 32×32 pixels, first its red values, then green, then blue.
public enum CifarFile {
  /// Which of the two collections a file belongs to.
  public enum Kind: Sendable {
    case cifar10, cifar100

    var labels: [(name: String, classes: Int)] {
      switch self {
      case .cifar10: [("label", 10)]
      case .cifar100: [("coarse label", 20), ("fine label", 100)]
      }
    }
  }

  /// The names of CIFAR-10's classes, by label.
  public static let classNames = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
  ]

  /// What a file holds.
  public struct Contents: Sendable {
    /// u8 [n, 3, 32, 32].
    public let images: HostTensor
    /// i64 [n]; of CIFAR-100 the fine ones.
    public let labels: HostTensor
    /// i64 [n], of CIFAR-100 alone.
    public let coarseLabels: HostTensor?
  }

  private static let shape = [3, 32, 32], imageSize = 3072

  /// Reads a file such as `data_batch_1.bin`.
  ///
  /// - Throws: where the file cannot be read, is cut off, or has labels that there are not.
  public static func read(_ path: String, _ kind: Kind = .cifar10) throws -> Contents {
    try read([path], kind)
  }

  /// Reads the training or the test images of an unpacked archive's folder.
  public static func read(folder: String, _ kind: Kind = .cifar10, train: Bool) throws -> Contents {
    let names =
      switch (kind, train) {
      case (.cifar10, true): (1...5).map { "data_batch_\($0).bin" }
      case (.cifar10, false): ["test_batch.bin"]
      case (.cifar100, true): ["train.bin"]
      case (.cifar100, false): ["test.bin"]
      }
    return try read(names.map { "\(folder)/\($0)" }, kind)
  }

  private static func read(_ paths: [String], _ kind: Kind) throws -> Contents {
    let head = kind.labels.count
    let size = head + imageSize
    let files = try paths.map { path in
      let file = try MappedFile(path)
      guard file.count % size == 0 else {
        throw DiagnosticError(
          .user, "data.cifar",
          "\(path): the file has \(file.count) bytes, \(file.count % size) more than \(file.count / size) records of \(size)",
          hint: "is it cut off, or of the other of CIFAR-10 and CIFAR-100?")
      }
      return file
    }
    let count = files.reduce(0) { $0 + $1.count / size }
    var labels = [[Int]](repeating: [], count: head)
    for file in files {
      for record in 0..<(file.count / size) {
        for (place, label) in kind.labels.enumerated() {
          let value = Int(file.contents[record * size + place])
          guard value < label.classes else {
            throw DiagnosticError(
              .user, "data.cifar",
              "\(file.path): the \(label.name) of image \(record) is \(value), but must be below \(label.classes)",
              hint: "is the file of the other of CIFAR-10 and CIFAR-100?")
          }
          labels[place].append(value)
        }
      }
    }
    let images = TensorBytes(count: count * imageSize) { target in
      var to = 0
      for file in files {
        for record in 0..<(file.count / size) {
          let from = record * size + head
          UnsafeMutableRawBufferPointer(rebasing: target[to..<(to + imageSize)]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: file.contents[from..<(from + imageSize)]))
          to += imageSize
        }
      }
    }
    let tensors = labels.map { HostTensor.i64([count], $0) }
    return Contents(
      images: HostTensor(.u8, [count] + shape, bytes: images), labels: tensors[head - 1],
      coarseLabels: head > 1 ? tensors[0] : nil)
  }
}
