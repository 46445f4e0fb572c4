internal import SinterCore
internal import Glibc

/// The folder that models are served from, as it is on the disk:
///
///     NAME.so or libNAME.so           one version, named 1
///     NAME/lib….so                    the same, such as a folder that sinter compile --package wrote
///     NAME/VERSION/lib….so            several versions
///     NAME/serve.json                 how the model is served
package struct Repository: Sendable {
  package let root: String

  package init(_ root: String) { self.root = root }

  /// A model that was found.
  package struct Model: Hashable, Sendable {
    package var name: String
    /// The path of the library of each version.
    package var libraries: [String: String] = [:]
    package var settings: String?
    /// What is wrong with its files, in words.
    package var problem: String?
  }

  /// All models, by name.
  package func models() throws(Refusal) -> [Model] {
    guard let names = Self.entries(root) else {
      throw Refusal(.failed, "the folder \(root) cannot be read: \(String(cString: strerror(errno)))")
    }
    var found: [Model] = []
    for name in names {
      let path = root + "/" + name
      var model: Model
      if Self.isFolder(path) {
        model = Self.model(name, path)
      } else if let stem = Self.libraryName(name) {
        model = Model(name: stem, libraries: ["1": path])
      } else {
        continue
      }
      if let other = found.firstIndex(where: { $0.name == model.name }) {
        found[other].problem = "both \(name) and another entry of \(root) are named '\(model.name)'"
      } else {
        found.append(model)
      }
    }
    return found.sorted { $0.name < $1.name }
  }

  private static func model(_ name: String, _ path: String) -> Model {
    var model = Model(name: name)
    let names = entries(path) ?? []
    if names.contains("serve.json") { model.settings = path + "/serve.json" }
    let libraries = names.filter { libraryName($0) != nil && !isFolder(path + "/" + $0) }
    if libraries.count > 1 { model.problem = "\(path) holds \(libraries.count) libraries, expected one" }
    if libraries.count == 1 { model.libraries["1"] = path + "/" + libraries[0] }
    for version in names where isFolder(path + "/" + version) {
      let inside = (entries(path + "/" + version) ?? []).filter { libraryName($0) != nil }
      if inside.isEmpty { continue }
      if inside.count > 1 {
        model.problem = "\(path)/\(version) holds \(inside.count) libraries, expected one"
      } else if model.libraries[version] != nil {
        model.problem = "version 1 of '\(name)' is both in \(path) and in \(path)/\(version)"
      } else {
        model.libraries[version] = path + "/" + version + "/" + inside[0]
      }
    }
    if model.libraries.isEmpty, model.problem == nil { model.problem = "\(path) holds no library (.so)" }
    return model
  }

  /// `libdigits.so` and `digits.so` are named `digits`.
  private static func libraryName(_ file: String) -> String? {
    guard file.hasSuffix(".so"), !file.hasPrefix(".") else { return nil }
    let stem = file.dropLast(3)
    if stem.isEmpty { return nil }
    return stem.hasPrefix("lib") && stem.count > 3 ? String(stem.dropFirst(3)) : String(stem)
  }

  /// Names in a folder but for hidden ones; nil where it cannot be read.
  static func entries(_ path: String) -> [String]? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }

  private static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}

/// What tells one state of a file from another without reading it.
struct FileIdentity: Hashable, Sendable {
  private let numbers: [Int]

  /// Nil where there is no such file.
  init?(_ path: String) {
    var status = Glibc.stat()
    guard stat(path, &status) == 0 else { return nil }
    numbers = [
      Int(status.st_dev), Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
    ]
  }
}
