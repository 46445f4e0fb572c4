import Foundation
import Sinter

/// Images in folders, each folder a class: torchvision's `ImageFolder`. A sample is an image, u8 [channels, height, width] in the file's own size, and its
/// label, i64 []. Classes are numbered in the order of their names.
///
///     let ants = try ImageFolder("hymenoptera/train").transformed(Resize(256), CenterCrop(224), ToTensor())
public struct ImageFolder: Dataset {
  /// The names of classes, which are those of the folders, sorted.
  public let classes: [String]
  /// The files with their labels, class by class in the order of names.
  public let files: [(path: String, label: Int)]
  /// The channels that images are read with.
  public let channels: ImageFile.Channels

  private static let endings = ["png", "jpg", "jpeg"]

  /// - Throws: where there is no such folder, it has no folders of classes, or some of these have no images: all of them.
  public init(_ path: String, channels: ImageFile.Channels = .rgb) throws {
    let manager = FileManager.default
    func isFolder(_ path: String) -> Bool {
      var result: ObjCBool = false
      return manager.fileExists(atPath: path, isDirectory: &result) && result.boolValue
    }
    guard isFolder(path) else {
      throw DiagnosticError(
        .user, "image.folder", "there is no folder \(path)", hint: "give the folder of the classes' folders")
    }
    classes = try Self.sorted(manager.contentsOfDirectory(atPath: path)).filter {
      !$0.hasPrefix(".") && isFolder("\(path)/\($0)")
    }
    guard !classes.isEmpty else {
      throw DiagnosticError(
        .user, "image.folder", "the folder \(path) has no folders, of which each would be a class",
        hint: "put the images of each class into a folder of its name")
    }
    var files: [(String, Int)] = []
    var empty: [String] = []
    for (label, name) in classes.enumerated() {
      let found = Self.sorted((manager.enumerator(atPath: "\(path)/\(name)")?.allObjects as? [String]) ?? []).filter {
        Self.endings.contains(($0 as NSString).pathExtension.lowercased())
      }
      if found.isEmpty { empty.append(name) }
      files += found.map { ("\(path)/\(name)/\($0)", label) }
    }
    guard empty.isEmpty else {
      throw DiagnosticError(
        empty.map {
          Diagnostic(.user, "image.folder", "the folder \(path)/\($0) has no .png, .jpg or .jpeg files")
        })
    }
    self.files = files
    self.channels = channels
  }

  public var count: Int { files.count }
  public func name(of index: Int) -> String { files.indices.contains(index) ? files[index].path : "sample \(index)" }

  public func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor] {
    guard files.indices.contains(index) else {
      throw DiagnosticError(.user, "data.index", "there is no sample \(index) among \(count)")
    }
    return [try ImageFile.read(files[index].path, channels: channels), .i64([], [files[index].label])]
  }

  /// By the numbers of their characters, whatever the user's language.
  private static func sorted(_ names: [String]) -> [String] {
    names.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
  }
}
