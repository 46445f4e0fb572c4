import Glibc
import SinterCore
import SinterONNX
import Testing

/// Models that other tools left in the user's caches; where there are none, nothing is tested.
@Suite("ONNX files of other tools, where they are at hand")
struct LocalModelTests {
  static let paths: [String] = {
    guard let home = getenv("HOME").map({ String(cString: $0) }) else { return [] }
    return [".cache/sinter-bench", ".cache/sinter/models"].flatMap { folder -> [String] in
      let root = home + "/" + folder
      return entries(of: root).map { root + "/" + $0 + "/model.onnx" }.filter { access($0, R_OK) == 0 }
    }.sorted()
  }()

  static let small = paths.filter { path in (try? MappedFile(path).count).map { $0 < 32 << 20 } ?? true }

  private static func entries(of path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }

  @Test(.enabled(if: !paths.isEmpty), arguments: paths)
  func readsInMilliseconds(path: String) throws {
    var nodes = 0
    let time = try ContinuousClock().measure { nodes = try OnnxFile(reading: path).graph.nodes.count }
    #expect(nodes > 0)
    // Without optimization, and next to other tests; an optimized build takes a hundredth of it.
    #expect(time < .seconds(2))
  }

  @Test(.enabled(if: !small.isEmpty), arguments: small)
  func writesWhatItRead(path: String) throws {
    let file = try OnnxFile(reading: path)
    let copy = try OnnxFile(bytes: SampleModels.bytes(file.encoded()), folder: nil)
    #expect(copy.graph.nodes.count == file.graph.nodes.count)
    #expect(copy.graph.initializers.map(\.value.bytes.count) == file.graph.initializers.map(\.value.bytes.count))
  }
}
