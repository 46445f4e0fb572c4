import Glibc
import SinterCore
import SinterONNX
import Testing

@Suite("ONNX files that lie")
struct HostileFileTests {
  @Test func truncationAnywhereIsAnError() throws {
    let whole = try SampleModels.product().encoded()
    #expect(SampleModels.problems(whole) == [])
    for length in 0..<whole.count {
      #expect(!SampleModels.problems(Array(whole[..<length])).isEmpty, "cut to \(length) of \(whole.count) bytes")
    }
  }

  @Test(arguments: 0..<8)
  func changedBytesNeverCrash(seed: Int) throws {
    let whole = try SampleModels.everything().encoded()
    var random = SplitMix(state: UInt64(seed))
    for _ in 0..<1500 {
      var bytes = whole
      for _ in 0...Int.random(in: 0..<4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      _ = SampleModels.problems(bytes)
    }
  }

  @Test func noiseNeverCrashes() {
    var random = SplitMix(state: 1)
    for _ in 0..<3000 {
      let count = Int.random(in: 0..<200, using: &random)
      _ = SampleModels.problems((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
  }

  @Test(arguments: [34, 10_000])
  func deepNestingIsRefused(levels: Int) {
    var graph = WireBuilder.text(2, "innermost")
    for _ in 0..<levels {
      graph = WireBuilder.block(1, WireBuilder.block(5, WireBuilder.text(1, "g") + WireBuilder.block(6, graph)))
    }
    #expect(SampleModels.problems(WireBuilder.integer(1, 9) + WireBuilder.block(7, graph)) == ["onnx.depth"])
  }

  @Test func deepTypesAreRefused() {
    var type: [UInt8] = []
    for _ in 0..<5_000 { type = WireBuilder.block(4, WireBuilder.block(1, type)) }
    let input = WireBuilder.block(11, WireBuilder.text(1, "x") + WireBuilder.block(2, type))
    #expect(SampleModels.problems(WireBuilder.integer(1, 9) + WireBuilder.block(7, input)) == ["onnx.depth"])
  }

  struct Lie: CustomTestStringConvertible, Sendable {
    let what: String
    let bytes: [UInt8]
    let id: String
    var testDescription: String { what }
  }

  private static func tensor(_ dims: [Int64], type: UInt64 = 1, _ contents: [UInt8]) -> [UInt8] {
    WireBuilder.model(
      tensor: dims.flatMap { WireBuilder.integer(1, UInt64(bitPattern: $0)) } + WireBuilder.integer(2, type) + contents)
  }

  static let lies: [Lie] = [
    Lie(what: "empty", bytes: [], id: "onnx.empty"),
    Lie(what: "a page", bytes: Array("<html>".utf8), id: "onnx.not-onnx"),
    Lie(what: "an LFS pointer", bytes: Array("version https://git-lfs.github.com/spec/v1\n".utf8), id: "onnx.not-onnx"),
    Lie(what: "an archive", bytes: Array("PK\u{3}\u{4}...".utf8), id: "onnx.not-onnx"),
    Lie(what: "a file of onnxruntime's format", bytes: [0x28, 0, 0, 0] + Array("ORTM....".utf8), id: "onnx.not-onnx"),
    Lie(what: "no graph", bytes: WireBuilder.integer(1, 9), id: "onnx.no-graph"),
    Lie(what: "a length beyond the file", bytes: [0x3a, 0xff, 0xff, 0x03, 0], id: "onnx.truncated"),
    Lie(
      what: "a length beyond all memory",
      bytes: [0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], id: "onnx.truncated"),
    Lie(what: "an endless integer", bytes: [8] + [UInt8](repeating: 0x80, count: 20), id: "onnx.malformed"),
    Lie(what: "a group", bytes: [0x3b], id: "onnx.malformed"),
    Lie(what: "field zero", bytes: [0x02, 0x00], id: "onnx.malformed"),
    Lie(what: "a graph as an integer", bytes: [0x38, 1], id: "onnx.malformed"),
    Lie(what: "two graphs", bytes: WireBuilder.block(7, []) + WireBuilder.block(7, []), id: "onnx.duplicate-field"),
    Lie(
      what: "a name that is not UTF-8",
      bytes: WireBuilder.model(tensor: [] + WireBuilder.block(13, [0x0a, 1, 0xff]))
        + WireBuilder.block(25, WireBuilder.block(1, [0xff])), id: "onnx.malformed"),
    Lie(what: "a negative size", bytes: tensor([-1], WireBuilder.block(9, [0, 0, 0, 0])), id: "onnx.dims"),
    Lie(what: "sizes that overflow", bytes: tensor([1 << 40, 1 << 40], WireBuilder.block(9, [0])), id: "onnx.dims"),
    Lie(what: "sizes that overflow past zero", bytes: tensor([0, 1 << 40, 1 << 40], []), id: "onnx.dims"),
    Lie(what: "sizes beyond the contents", bytes: tensor([1 << 30], WireBuilder.block(9, [0])), id: "onnx.contents"),
    Lie(what: "no contents", bytes: tensor([3], []), id: "onnx.contents"),
    Lie(what: "contents of another type", bytes: tensor([1], WireBuilder.block(7, [1])), id: "onnx.contents"),
    Lie(
      what: "contents twice",
      bytes: tensor([1], WireBuilder.block(9, [0, 0, 0, 0]) + WireBuilder.block(4, [0, 0, 0, 0])),
      id: "onnx.contents"),
    Lie(what: "no element type", bytes: tensor([1], type: 0, []), id: "onnx.element-type"),
    Lie(what: "an unknown element type", bytes: tensor([1], type: 99, []), id: "onnx.element-type"),
    Lie(what: "six-bit floats", bytes: tensor([1], type: 27, []), id: "onnx.element-type"),
    Lie(what: "a segment", bytes: tensor([1], WireBuilder.block(3, [])), id: "onnx.segment"),
    Lie(
      what: "a newer format",
      bytes: WireBuilder.integer(1, 99) + WireBuilder.block(7, [])
        + WireBuilder.block(8, WireBuilder.integer(2, 20)), id: "onnx.ir-version"),
    Lie(what: "no opset", bytes: WireBuilder.integer(1, 9) + WireBuilder.block(7, []), id: "onnx.opset"),
    Lie(
      what: "two opsets",
      bytes: WireBuilder.integer(1, 9) + WireBuilder.block(7, [])
        + WireBuilder.block(8, WireBuilder.integer(2, 20)) + WireBuilder.block(8, WireBuilder.integer(2, 19)),
      id: "onnx.opset"),
  ]

  @Test(arguments: lies)
  func liesAreNamed(lie: Lie) {
    #expect(SampleModels.problems(lie.bytes) == [lie.id])
  }

  struct External: Sendable {
    let location: String
    var offset = "0"
    var length: String? = "16"
    let id: String
  }

  @Test(arguments: [
    External(location: "w.bin", id: ""), External(location: "sub/w.bin", id: ""),
    External(location: "w.bin", length: nil, id: ""),
    External(location: "gone.bin", id: "onnx.external-missing"), External(location: "", id: "onnx.external-location"),
    External(location: "w.bin", offset: "1", id: "onnx.external-short"),
    External(location: "w.bin", offset: "9223372036854775807", id: "onnx.external-short"),
    External(location: "w.bin", offset: "-4", id: "onnx.external-number"),
    External(location: "w.bin", offset: "0x4", id: "onnx.external-number"),
    External(location: "w.bin", length: "12", id: "onnx.external-length"),
    External(location: "/etc/passwd", id: "onnx.external-outside"),
    External(location: "../w.bin", id: "onnx.external-outside"),
    External(location: "sub/../../w.bin", id: "onnx.external-outside"),
    External(location: "link", id: "onnx.external-outside"), External(location: "sub", id: "file.kind"),
  ])
  func externalDataStayInTheFolder(external: External) throws {
    let folder = TemporaryFolder()
    let contents = [UInt8](repeating: 0, count: 16)
    try folder.write("w.bin", contents)
    mkdir(folder.path + "/sub", 0o755)
    try folder.write("sub/w.bin", contents)
    symlink("/etc/passwd", folder.path + "/link")
    var entries = [("location", external.location), ("offset", external.offset)]
    if let length = external.length { entries.append(("length", length)) }
    let tensor =
      WireBuilder.integer(1, 4) + WireBuilder.integer(2, 1) + WireBuilder.integer(14, 1)
      + entries.flatMap { WireBuilder.block(13, WireBuilder.text(1, $0.0) + WireBuilder.text(2, $0.1)) }
    try folder.write("m.onnx", WireBuilder.model(tensor: tensor))
    var found = ""
    do {
      _ = try OnnxFile(reading: folder.path + "/m.onnx")
    } catch let error as DiagnosticError {
      found = error.diagnostics.map(\.id).joined(separator: " ")
      #expect(error.description.contains("initializer w"))
    }
    #expect(found == external.id)
  }

  @Test func allErrorsAreToldAtOnce() {
    let bad = WireBuilder.integer(1, 3) + WireBuilder.integer(2, 1)
    let file =
      WireBuilder.integer(1, 9)
      + WireBuilder.block(
        7, WireBuilder.block(5, WireBuilder.text(8, "a") + bad) + WireBuilder.block(5, WireBuilder.text(8, "b") + bad))
      + WireBuilder.block(8, WireBuilder.integer(2, 20))
    #expect(SampleModels.problems(file) == ["onnx.contents", "onnx.contents"])
  }
}

/// A generator with a seed.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
