import Foundation

/// What was measured in each epoch of a run.
public struct TrainingHistory: Sendable {
  /// What one epoch measured.
  public struct Epoch: Sendable, Equatable {
    /// From 1.
    public let number: Int
    /// The learning rate at its end.
    public let learningRate: Double
    /// The means over the epoch's samples: the loss and the metrics.
    public let training: [String: Double]
    /// What the caller measured after the epoch; empty where nothing was asked for.
    public let validation: [String: Double]
    /// How long it took.
    public let seconds: Double

    /// One epoch, from 1 on; `seconds` is the time that it took.
    public init(
      number: Int, learningRate: Double, training: [String: Double], validation: [String: Double] = [:],
      seconds: Double = 0
    ) {
      self.number = number
      self.learningRate = learningRate
      self.training = training
      self.validation = validation
      self.seconds = seconds
    }
  }

  /// The epochs, in order.
  public var epochs: [Epoch] = []
  /// Whether the run was ended by Ctrl-C.
  public internal(set) var isInterrupted = false

  public init() {}

  /// One line per epoch, with a header: `epoch,learning_rate,loss,…,validation_loss,…,seconds`.
  public var csv: String {
    guard let first = epochs.first else { return "epoch,learning_rate,seconds\n" }
    let training = first.training.keys.sorted(), validation = first.validation.keys.sorted()
    let header = ["epoch", "learning_rate"] + training + validation.map { "validation_\($0)" } + ["seconds"]
    let lines = epochs.map { epoch in
      let numbers =
        [epoch.learningRate] + training.map { epoch.training[$0] ?? .nan }
        + validation.map { epoch.validation[$0] ?? .nan }
        + [epoch.seconds]
      return ([String(epoch.number)] + numbers.map { "\($0)" }).joined(separator: ",")
    }
    return ([header.joined(separator: ",")] + lines).joined(separator: "\n") + "\n"
  }

  /// Writes the lines of `csv`. What was there is replaced only when all went well.
  public func save(_ path: String) throws { try AtomicFile.write(csv, to: path) }

  /// Reads what `save` wrote, to be resumed.
  ///
  /// - Throws: where the file is none of a history, telling the line.
  public init(reading path: String) throws {
    let file = try MappedFile(path)
    let text = withExtendedLifetime(file) { String(decoding: file.contents, as: UTF8.self) }
    func wrong(_ what: String) -> DiagnosticError { DiagnosticError(.user, "history.format", "\(path): \(what)") }
    let lines = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    guard let header = lines.first, header.starts(with: ["epoch", "learning_rate"]), header.last == "seconds" else {
      throw wrong("the first line names no epoch, learning_rate and seconds")
    }
    for (number, line) in lines.enumerated().dropFirst() {
      let values = line.compactMap { Double($0) }
      guard line.count == header.count, values.count == header.count, let epoch = Int(line[0]) else {
        throw wrong("line \(number + 1) must have \(header.count) numbers, the first a whole one")
      }
      var training: [String: Double] = [:], validation: [String: Double] = [:]
      for (name, value) in zip(header, values).dropFirst(2).dropLast() {
        if name.hasPrefix("validation_") {
          validation[String(name.dropFirst("validation_".count))] = value
        } else {
          training[String(name)] = value
        }
      }
      epochs.append(
        Epoch(
          number: epoch, learningRate: values[1], training: training, validation: validation,
          seconds: values[values.count - 1]))
    }
  }
}
