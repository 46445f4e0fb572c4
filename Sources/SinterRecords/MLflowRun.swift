import Foundation
import Sinter

/// A run in the folder layout that MLflow keeps on disk (its file store), which `mlflow ui --backend-store-uri mlruns` shows.
///
///     let run = try MLflowRun(folder: "mlruns", experiment: "mnist", name: "first")
///     try run.parameter("learning_rate", "0.001")
///     try run.metric("loss", 0.25, step: 1)
///     try run.finish()
public final class MLflowRun {
  /// How a run stands, by MLflow's numbers.
  public enum Status: Int, Sendable { case running = 1, finished = 3, failed = 4, killed = 5 }

  /// The experiment's number, the name of its folder.
  public let experimentID: String
  /// The run's number, the name of its folder.
  public let id: String
  /// The run's own folder.
  public let path: String
  private let name: String
  private let start: Int
  private static let steps = 1000.0

  /// Begins a run of an experiment, which is made where there is none of that name.
  public init(folder: String, experiment: String, name: String) throws {
    for text in [experiment, name] where text.isEmpty || text.contains(where: \.isNewline) {
      throw Self.wrong("a name of MLflow must be one line, but is \"\(text)\"")
    }
    let root = URL(filePath: folder).standardizedFileURL.path
    experimentID = try Self.experiment(experiment, in: root)
    id = UUID().uuidString.replacing("-", with: "").lowercased()
    path = "\(root)/\(experimentID)/\(id)"
    self.name = name
    start = Self.now
    for part in ["params", "metrics", "tags", "artifacts"] { try Self.createFolder("\(path)/\(part)") }
    try writeMeta(.running, end: nil)
    try tag("mlflow.runName", name)
    try tag("mlflow.source.type", "LOCAL")
  }

  /// Something that the run is made with. MLflow keeps it as text.
  public func parameter(_ key: String, _ value: some CustomStringConvertible) throws {
    try write("\(value)", to: "params", key)
  }

  /// Notes a tag.
  public func tag(_ key: String, _ value: String) throws { try write(value, to: "tags", key) }

  /// A number that was measured after so many steps or epochs.
  public func metric(_ key: String, _ value: Double, step: Int) throws {
    let path = try place("metrics", key)
    let line = Data("\(Self.now) \(value) \(step)\n".utf8)
    if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(filePath: path)) }
    guard let file = FileHandle(forWritingAtPath: path) else { throw Self.wrong("\(path) cannot be written") }
    defer { try? file.close() }
    try file.seekToEnd()
    try file.write(contentsOf: line)
  }

  /// What an epoch measured: `loss`, `validation_loss` and so on.
  public func record(_ epoch: TrainingHistory.Epoch) throws {
    for (name, value) in epoch.training { try metric(name, value, step: epoch.number) }
    for (name, value) in epoch.validation { try metric("validation_\(name)", value, step: epoch.number) }
    try metric("learning_rate", epoch.learningRate, step: epoch.number)
  }

  /// Keeps a copy of a file: a checkpoint, a drawing.
  public func artifact(_ file: String) throws {
    let target = "\(path)/artifacts/\(URL(filePath: file).lastPathComponent)"
    do {
      if FileManager.default.fileExists(atPath: target) { try FileManager.default.removeItem(atPath: target) }
      try FileManager.default.copyItem(atPath: file, toPath: target)
    } catch {
      throw Self.wrong("\(file) cannot be copied to \(target): \(error.localizedDescription)")
    }
  }

  /// Ends the run.
  public func finish(_ status: Status = .finished) throws { try writeMeta(status, end: Self.now) }

  // MARK: Files

  private static var now: Int { Int(Date().timeIntervalSince1970 * steps) }

  private static func wrong(_ text: String) -> DiagnosticError { DiagnosticError(.user, "records.mlflow", text) }

  private static func createFolder(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw wrong("the folder \(path) cannot be made: \(error.localizedDescription)")
    }
  }

  /// A text of YAML.
  private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }

  private static func address(_ path: String) -> String { quoted(URL(filePath: path).absoluteString) }

  /// The folder's experiment of a name, made where there is none.
  private static func experiment(_ name: String, in root: String) throws -> String {
    try createFolder(root)
    for id in (try? FileManager.default.contentsOfDirectory(atPath: root))?.sorted() ?? [] {
      guard let meta = try? String(contentsOfFile: "\(root)/\(id)/meta.yaml", encoding: .utf8) else { continue }
      let lines = meta.split(separator: "\n")
      if lines.contains("name: \(quoted(name))") || lines.contains("name: \(name)") { return id }
    }
    let id = String(Int.random(in: 100_000_000_000_000_000..<1_000_000_000_000_000_000))
    try createFolder("\(root)/\(id)")
    let meta = """
      artifact_location: \(address("\(root)/\(id)"))
      creation_time: \(now)
      experiment_id: '\(id)'
      last_update_time: \(now)
      lifecycle_stage: active
      name: \(quoted(name))

      """
    try AtomicFile.write(meta, to: "\(root)/\(id)/meta.yaml")
    return id
  }

  private func writeMeta(_ status: Status, end: Int?) throws {
    let meta = """
      artifact_uri: \(Self.address("\(path)/artifacts"))
      end_time: \(end.map(String.init) ?? "null")
      entry_point_name: ''
      experiment_id: '\(experimentID)'
      lifecycle_stage: active
      run_id: \(id)
      run_name: \(Self.quoted(name))
      source_name: ''
      source_type: 4
      source_version: ''
      start_time: \(start)
      status: \(status.rawValue)
      tags: []
      user_id: \(Self.quoted(NSUserName()))

      """
    try AtomicFile.write(meta, to: "\(path)/meta.yaml")
  }

  private func write(_ text: String, to part: String, _ key: String) throws {
    try AtomicFile.write(text, to: try place(part, key))
  }

  /// The file of a key, which may have folders in it.
  private func place(_ part: String, _ key: String) throws -> String {
    let isAllowed = key.allSatisfy { $0.isLetter && $0.isASCII || $0.isNumber && $0.isASCII || "_-. :/".contains($0) }
    let parts = key.split(separator: "/", omittingEmptySubsequences: false)
    guard isAllowed, !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
      throw Self.wrong("\"\(key)\" is no name for MLflow: it may have letters, digits, spaces and _ - . : /")
    }
    let path = "\(path)/\(part)/\(key)"
    if parts.count > 1 { try Self.createFolder(URL(filePath: path).deletingLastPathComponent().path) }
    return path
  }
}
