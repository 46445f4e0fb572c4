internal import SinterCore
internal import Synchronization

/// The models that are served, by name and version, and how they come and go while requests are answered.
package final class ModelTable: Sendable {
  private struct Model {
    var versions: [String: ServedVersion] = [:]
    var settings = ModelSettings()
    var split: TrafficSplit?
  }

  package let repository: Repository
  private let defaults: ModelSettings
  private let models = Mutex<[String: Model]>([:])
  /// Versions that have gone but still answer what they have taken.
  private let retired = Mutex<[ServedVersion]>([])
  /// One change at a time; requests go on meanwhile.
  private let changes = Monitor(())

  package init(_ repository: Repository, defaults: ModelSettings) {
    self.repository = repository
    self.defaults = defaults
  }

  // MARK: Finding

  /// The version that answers a request: the one that is named, or the one whose turn it is.
  package func version(_ model: String, _ version: String?) throws(Refusal) -> ServedVersion {
    let found = models.withLock { models -> Result<ServedVersion, Refusal> in
      guard let served = models[model] else {
        return .failure(Refusal(.notFound, "there is no model '\(model)', or it is not loaded"))
      }
      let name = version ?? models[model]?.split?.next() ?? Self.newest(served.versions.keys)
      guard let name, let found = served.versions[name] else {
        let known = served.versions.keys.sorted { Self.isOlder($0, $1) }.joined(separator: ", ")
        return .failure(
          Refusal(.notFound, "model '\(model)' has no version \(version ?? "?"); its versions are \(known)"))
      }
      return .success(found)
    }
    return try found.get()
  }

  /// The ports of a version, the newest where none is named; takes no turn of a split.
  package func facts(_ model: String, _ version: String?) throws(Refusal) -> ModelSignature {
    let name = version ?? Self.newest(versions(model))
    return try self.version(model, name).signature
  }

  package func isReady(_ model: String, _ version: String?) -> Bool {
    let versions = versions(model)
    return version.map { versions.contains($0) } ?? !versions.isEmpty
  }

  /// All versions that are served, by model and version.
  package var all: [ServedVersion] {
    models.withLock { models in
      models.sorted { $0.key < $1.key }.flatMap { model in
        model.value.versions.sorted { Self.isOlder($0.key, $1.key) }.map(\.value)
      }
    }
  }

  package func versions(_ model: String) -> [String] {
    models.withLock { $0[model].map { $0.versions.keys.sorted { Self.isOlder($0, $1) } } ?? [] }
  }

  /// Numbers by their value, after anything else, so that a folder such as `1.old` is never the newest beside one with a number.
  static func isOlder(_ left: String, _ right: String) -> Bool {
    switch (Int(left), Int(right)) {
    case (let left?, let right?) where left != right: left < right
    case (.some, nil): false
    case (nil, .some): true
    default: left < right
    }
  }

  private static func newest(_ versions: some Collection<String>) -> String? { versions.max(by: isOlder) }

  // MARK: Coming and going

  /// Loads all models of the folder.
  ///
  /// - Throws: the problems of all that cannot be loaded, in one text; the others are served.
  package func loadAll() throws(Refusal) {
    var problems: [String] = []
    for model in try repository.models() {
      do throws(Refusal) {
        try load(model)
      } catch {
        problems.append(error.message)
      }
    }
    if !problems.isEmpty { throw Refusal(.failed, problems.joined(separator: "\n")) }
  }

  /// Loads what the folder has of a model now. Versions whose files are the same go on; new ones take the place of the old between two requests, and
  /// the old answer what they have taken. Where anything is wrong, nothing changes. Takes as long as loading takes.
  package func load(_ name: String) throws(Refusal) {
    guard let model = try repository.models().first(where: { $0.name == name }) else {
      throw Refusal(.notFound, "there is no model '\(name)' in \(repository.root)")
    }
    do throws(Refusal) {
      try load(model)
    } catch {
      throw Refusal(error.kind == .failed ? .badRequest : error.kind, error.message)
    }
  }

  private func load(_ model: Repository.Model) throws(Refusal) {
    try changes.with { _, _ in
      Result { () throws(Refusal) in try self.replace(model) }
    }.get()
  }

  private func replace(_ model: Repository.Model) throws(Refusal) {
    if let problem = model.problem { throw Refusal(.failed, "model '\(model.name)': \(problem)") }
    let settings = try settings(model)
    if let version = settings.split.keys.sorted().first(where: { model.libraries[$0] == nil }) {
      throw Refusal(.failed, "model '\(model.name)': split names version \(version), which is not there")
    }
    let old = models.withLock { $0[model.name] }
    var next = Model(settings: settings, split: settings.split.isEmpty ? nil : TrafficSplit(settings.split))
    do throws(Refusal) {
      for (version, path) in model.libraries.sorted(by: { Self.isOlder($0.key, $1.key) }) {
        if let served = old?.versions[version], served.identity == ServedVersion.identity(path),
          served.settings.withoutSplit == settings.withoutSplit
        {
          next.versions[version] = served
        } else {
          next.versions[version] = try ServedVersion(
            model: model.name, version: version, library: path, settings: settings,
            counters: old?.versions[version]?.counters ?? Counters())
        }
      }
    } catch {
      for (version, loaded) in next.versions where loaded !== old?.versions[version] { loaded.close() }
      throw error
    }
    models.withLock { $0[model.name] = next }
    for (version, served) in old?.versions ?? [:] where served !== next.versions[version] { retire(served) }
  }

  private func settings(_ model: Repository.Model) throws(Refusal) -> ModelSettings {
    guard let path = model.settings else { return defaults }
    guard let file = try? MappedFile(path), let base = file.contents.baseAddress else {
      throw Refusal(.failed, "\(path) cannot be read, or is empty")
    }
    do throws(Refusal) {
      return try defaults.reading(TensorBytes(at: base, count: file.count, owner: file))
    } catch {
      throw Refusal(.failed, "\(path): \(error.message)")
    }
  }

  /// Takes a model out; requests that it has taken are still answered.
  package func unload(_ name: String) throws(Refusal) {
    let old = changes.with { _, _ in models.withLock { $0.removeValue(forKey: name) } }
    guard let old else { throw Refusal(.notFound, "there is no model '\(name)', or it is not loaded") }
    for version in old.versions.values { retire(version) }
  }

  private func retire(_ version: ServedVersion) {
    version.close()
    retired.withLock { $0.append(version) }
  }

  /// All versions with requests, or to which requests may come.
  package var alive: [ServedVersion] {
    let going = retired.withLock { retired in
      retired.removeAll { $0.queueCounts == (0, 0) }
      return retired
    }
    return all + going
  }

  /// Takes no more requests of any model, and waits until those that were taken have been answered.
  package func closeAndDrain() {
    let versions = alive
    for version in versions { version.close() }
    for version in versions { version.drain() }
  }

  /// One line of the index.
  package struct Entry: Hashable, Sendable {
    package var name: String
    package var version: String
    package var isReady: Bool
    package var reason: String
  }

  /// All that the folder has or that is served.
  package func index() throws(Refusal) -> [Entry] {
    var entries: [Entry] = []
    let found = try repository.models()
    let names = Set(found.map(\.name)).union(models.withLock { $0.keys })
    for name in names.sorted() {
      let model = found.first { $0.name == name }
      let served = Set(versions(name))
      for version in served.union(model?.libraries.keys.map { $0 } ?? []).sorted(by: Self.isOlder) {
        let isReady = served.contains(version)
        let reason = isReady ? "" : model?.problem ?? "not loaded"
        entries.append(Entry(name: name, version: version, isReady: isReady, reason: reason))
      }
      if let model, model.libraries.isEmpty, served.isEmpty {
        entries.append(Entry(name: name, version: "", isReady: false, reason: model.problem ?? ""))
      }
    }
    return entries
  }
}
