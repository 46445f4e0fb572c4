import Foundation
import Sinter

/// Gray pictures of 28×28 with labels, from the IDX files of MNIST, of Fashion-MNIST (Debian's package dataset-fashion-mnist), or of the demo's digits,
/// which are enlarged.
public struct Pictures {
  /// f32 [n, 1, 28, 28], 0 … 1.
  public let images: HostTensor
  /// i64 [n].
  public let labels: HostTensor

  public var count: Int { images.shape[0] }

  /// Where the programs look by default: pictures that are always there.
  public static let standardFolder = "models/digits/data"

  /// - Parameters:
  ///   - folder: that of the files, packed by gzip or not.
  ///   - count: how many are taken from the front; all where nil.
  /// - Throws: where files are missing or damaged, by path.
  public init(_ folder: String, training: Bool, count: Int? = nil) throws {
    let images = try Self.read(folder, training, "images-idx3-ubyte")
    let labels = try Self.read(folder, training, "labels-idx1-ubyte")
    let count = min(count ?? labels.count, labels.count)
    let (height, width) = (images.shape[1], images.shape[2])
    let taken = Tensor(images).narrow(0, from: 0, count: count).float().reshape(count, 1, height, width)
    // The demo's digits have pixels of 0 … 16.
    var scaled = taken / (height == 8 ? 16 : 255)
    if (height, width) != (28, 28) {
      scaled = scaled.interpolate(size: [28, 28], mode: .linear)
    }
    self.images = try scaled.numbers()
    self.labels = try Tensor(labels).narrow(0, from: 0, count: count).long().numbers()
  }

  /// Pictures with their labels.
  public var labelled: TensorDataset { get throws { try TensorDataset(images, labels) } }

  /// The first pictures as a batch.
  public func first(_ count: Int) throws -> HostTensor {
    try TensorDataset(images).batch(Array(0..<min(count, self.count)), seed: 0, epoch: 0)[0]
  }

  private static func read(_ folder: String, _ training: Bool, _ name: String) throws -> HostTensor {
    let names = (training ? ["train"] : ["t10k", "heldout"]).flatMap { ["\($0)-\(name)", "\($0)-\(name).gz"] }
    let paths = names.map { "\(folder)/\($0)" }
    return try IdxFile.read(paths.first { FileManager.default.fileExists(atPath: $0) } ?? paths[0])
  }
}
