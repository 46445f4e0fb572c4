import Foundation
import Sinter
import SinterIR
import SinterVision

/// A file of events that TensorBoard shows: `torch.utils.tensorboard.SummaryWriter`.
///
///     let events = try EventWriter(folder: "runs/first")
///     try events.scalar("loss", 0.25, step: 100)
///     # tensorboard --logdir runs
///
/// Each event is in the file once the call returns.
public final class EventWriter {
  /// The file that is written.
  public let path: String
  private let file: FileHandle

  /// Begins a new file in a folder, which is made where it is missing.
  public init(folder: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw DiagnosticError(
        .user, "records.folder", "the folder \(folder) cannot be made: \(error.localizedDescription)")
    }
    let process = ProcessInfo.processInfo
    let name =
      "events.out.tfevents.\(Int(Date().timeIntervalSince1970)).\(process.hostName).\(process.processIdentifier)"
    var path = "\(folder)/\(name).0", number = 0
    while FileManager.default.fileExists(atPath: path) {
      number += 1
      path = "\(folder)/\(name).\(number)"
    }
    guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
    else {
      throw DiagnosticError(.user, "records.file", "\(path) cannot be written")
    }
    self.path = path
    self.file = file
    try write { $0.text(3, "brain.Event:2") }
  }

  deinit { try? file.close() }

  /// A number.
  public func scalar(_ tag: String, _ value: Double, step: Int) throws {
    try summary(tag, step) { $0.float(2, Float(value)) }
  }

  /// What an epoch measured: `training/loss`, `validation/loss` and so on.
  public func record(_ epoch: TrainingHistory.Epoch) throws {
    for (name, value) in epoch.training.sorted(by: { $0.key < $1.key }) {
      try scalar("training/\(name)", value, step: epoch.number)
    }
    for (name, value) in epoch.validation.sorted(by: { $0.key < $1.key }) {
      try scalar("validation/\(name)", value, step: epoch.number)
    }
    try scalar("learning_rate", epoch.learningRate, step: epoch.number)
  }

  /// How the elements of a tensor are spread, in buckets of equal width; those that are no finite numbers are left out.
  public func histogram(_ tag: String, _ tensor: HostTensor, step: Int, buckets: Int = 30) throws {
    guard let all = tensor.doubles else {
      throw DiagnosticError(.user, "records.histogram", "'\(tag)' is \(tensor.type), of which there is no histogram")
    }
    let values = all.filter(\.isFinite)
    let low = values.min() ?? 0, high = values.max() ?? 0
    let count = high > low ? max(1, buckets) : 1
    let width = (high - low) / Double(count)
    var counts = [Double](repeating: 0, count: count)
    for value in values { counts[width > 0 ? min(count - 1, Int((value - low) / width)) : 0] += 1 }
    let limits = (1...count).map { $0 == count ? max(high, low.nextUp) : low + width * Double($0) }
    try summary(tag, step) { value in
      value.message(5) { histogram in
        histogram.double(1, low)
        histogram.double(2, high)
        histogram.double(3, Double(values.count))
        histogram.double(4, values.reduce(0, +))
        histogram.double(5, values.reduce(0) { $0 + $1 * $1 })
        histogram.doubles(6, limits)
        histogram.doubles(7, counts)
      }
    }
  }

  /// An image of bytes, u8 [1, 3 or 4, height, width]; `ImageGrid` makes one of a batch.
  public func image(_ tag: String, _ image: HostTensor, step: Int) throws {
    let png = try ImageFile.png(image)
    let shape = image.rank == 2 ? [1] + image.shape : image.shape
    try summary(tag, step) { value in
      value.message(4) { message in
        message.integer(1, shape[1])
        message.integer(2, shape[2])
        message.integer(3, shape[0])
        message.data(4, png)
      }
    }
  }

  /// A graph: `step.graph` of a step of training, or that of a model.
  public func graph(_ graph: Graph) throws {
    try write { $0.data(4, GraphRecord(graph).bytes) }
  }

  private func summary(_ tag: String, _ step: Int, _ fill: (inout WireMessage) -> Void) throws {
    try write { event in
      event.integer(2, step)
      event.message(5) { summary in
        summary.message(1) { value in
          value.text(1, tag)
          fill(&value)
        }
      }
    }
  }

  private func write(_ fill: (inout WireMessage) -> Void) throws {
    var event = WireMessage()
    event.double(1, Date().timeIntervalSince1970)
    fill(&event)
    func number(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    let length = number(UInt64(event.bytes.count))
    let record =
      length + number(RecordChecksum.masked(length)) + event.bytes + number(RecordChecksum.masked(event.bytes))
    do {
      try file.write(contentsOf: Data(record))
    } catch {
      throw DiagnosticError(.user, "records.file", "\(path) cannot be written: \(error.localizedDescription)")
    }
  }
}
