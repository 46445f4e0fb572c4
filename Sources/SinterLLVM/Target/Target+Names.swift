import SinterCore

/// Targets by the names that `--cpu` and `--target` take.
extension Target {
  /// The target that a name of `--cpu` stands for; nil where the architecture has no such processor.
  public init?(named name: String, of architecture: Architecture = .x86_64) {
    guard architecture == .x86_64 else {
      guard let processor = Processor.all(of: architecture).first(where: { $0.name == name }) else { return nil }
      self.init(processor, of: architecture)
      return
    }
    if name == "host" || name == "native" {
      self = .host
    } else if let level = Level(rawValue: name) {
      self.init(name: name, level: level, tuning: level.rawValue)
    } else if let level = Level.ofProcessor[name] {
      self.init(name: name, level: level, tuning: name, extensions: Self.features(ofProcessor: name))
    } else {
      return nil
    }
  }

  /// All names that `init(named:of:)` knows, for help and messages.
  public static func names(of architecture: Architecture = .x86_64) -> [String] {
    if architecture != .x86_64 { return Processor.all(of: architecture).map(\.name) }
    return ["host"] + Level.allCases.map(\.rawValue) + Level.ofProcessor.keys.sorted()
  }

  /// The processor that is taken where none is named: this one, and what every processor of another architecture can run.
  static func usualName(of architecture: Architecture) -> String { architecture == .host ? "host" : "generic" }

  /// The target that names stand for, or an error that lists those that there are.
  ///
  /// - Parameters:
  ///   - name: a processor, as `--cpu` has it; nil: `host`, and `generic` for another architecture.
  ///   - triple: such as `aarch64-linux-gnu`; nil: this machine's.
  public static func named(_ name: String? = nil, for triple: String? = nil) throws -> Target {
    let architecture = try triple.map { triple throws(DiagnosticError) in try Architecture.named(triple) } ?? .host
    let name = name ?? usualName(of: architecture)
    if let target = Target(named: name, of: architecture) { return target }
    let known = "known are " + names(of: architecture).joined(separator: ", ")
    if architecture != .host, name == "host" || name == "native" {
      throw DiagnosticError(
        .user, "target.host", "this machine is no \(architecture.name), so that \"\(name)\" is none of its processors",
        hint: known)
    }
    if let other = Architecture.allCases.first(where: { Target(named: name, of: $0) != nil }) {
      throw DiagnosticError(
        .user, "target.processor", "\(architecture.name) has no processor \"\(name)\"; \(other.name) has one",
        hint: "add --target \(other.name), or name a processor of \(architecture.name): \(known)")
    }
    throw DiagnosticError(
      .user, "target.unknown", "no processor of \(architecture.name) is named \"\(name)\"", hint: known)
  }

  /// The targets of a list of names with commas between, the most demanding first, as a library's variants must be. All are of one
  /// architecture.
  public static func list(_ names: String? = nil, for triple: String? = nil) throws -> [Target] {
    guard let names else { return [try named(for: triple)] }
    var errors: [Diagnostic] = []
    var targets: [Target] = []
    for name in names.split(separator: ",", omittingEmptySubsequences: false) {
      do {
        let target = try named(String(name), for: triple)
        if !targets.contains(target) { targets.append(target) }
      } catch let error as DiagnosticError {
        // What is wrong with the triple is wrong for each.
        errors += error.diagnostics.filter { !errors.contains($0) }
      }
    }
    if !errors.isEmpty { throw DiagnosticError(errors) }
    return targets.sorted { $0.requiredFeatures.count > $1.requiredFeatures.count }
  }
}
