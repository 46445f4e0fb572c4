import Sinter
import SinterCore
import SinterIR
import Testing

/// Inputs for calibration in all the ways in which they may be written down, and what is wrong with others.
@Suite struct CalibrationDataTests {
  /// Inputs x: f32[n, 2, 3] and, where there are two, k: i64[4, 2].
  static func graph(ports: Int, batch: Dim = "n") -> Graph {
    var builder = GraphBuilder(name: "g")
    builder.output(builder.input(Fact(.f32, [batch, 2, 3]), named: "x"), named: "y")
    if ports > 1 { builder.output(builder.input(Fact(.i64, [4, 2]), named: "k"), named: "z") }
    return builder.graph
  }

  static func ramp(_ shape: [Int], from start: Int = 0) -> HostTensor {
    .f32(shape, (0..<shape.reduce(1, *)).map { Float(start + $0) })
  }

  static func ids(_ path: String, _ graph: Graph) -> [String] {
    do {
      _ = try CalibrationData(path, for: graph)
      return []
    } catch {
      return (error as? DiagnosticError)?.diagnostics.map(\.id) ?? ["\(error)"]
    }
  }

  @Test func archivesAreCutAlongTheirFirstAxis() throws {
    try withScratchFolder { folder in
      let path = "\(folder)/a.npz"
      // The input's own first axis, one place a run.
      try NpzWriter.write([("x", Self.ramp([5, 2, 3]))], to: path)
      let own = try CalibrationData(path, for: Self.graph(ports: 1))
      #expect(own.count == 5)
      #expect(try own.inputs(3)[0].shape == [1, 2, 3])
      #expect(try own.inputs(3)[0].array(of: Float.self) == (18..<24).map { Float($0) })
      // As many places as the input has.
      try NpzWriter.write([("x", Self.ramp([6, 2, 3]))], to: path)
      let wide = try CalibrationData(path, for: Self.graph(ports: 1, batch: 2))
      #expect(wide.count == 3)
      #expect(try wide.inputs(2)[0].shape == [2, 2, 3])
      #expect(try wide.inputs(2)[0].array(of: Float.self).first == 24)
      // An axis more, and two inputs.
      try NpzWriter.write(
        [("k", .i64([3, 4, 2], Array(0..<24))), ("x", Self.ramp([3, 7, 2, 3]))], to: path)
      let two = try CalibrationData(path, for: Self.graph(ports: 2))
      #expect(two.count == 3)
      #expect(try two.inputs(1).map(\.shape) == [[7, 2, 3], [4, 2]])
      #expect(try two.inputs(2)[1].integers == Array(16..<24))
    }
  }

  @Test func foldersHoldOneFileARun() throws {
    try withScratchFolder { folder in
      try NpyFile.write(Self.ramp([3, 2, 3]), to: "\(folder)/first.npy")
      try NpyFile.write(Self.ramp([2, 3], from: 100), to: "\(folder)/second.npy")
      try NpzWriter.write([("x", Self.ramp([2, 2, 3], from: 50))], to: "\(folder)/third.npz")
      let data = try CalibrationData(folder, for: Self.graph(ports: 1))
      #expect(data.count == 3)
      #expect(try (0..<3).map { try data.inputs($0)[0].shape } == [[3, 2, 3], [1, 2, 3], [2, 2, 3]])
      #expect(try data.inputs(2)[0].array(of: Float.self).first == 50)
    }
    try withScratchFolder { folder in
      try NpyFile.write(Self.ramp([3, 2, 3]), to: "\(folder)/x.npy")
      try NpyFile.write(.i64([3, 4, 2], Array(0..<24)), to: "\(folder)/k.npy")
      let data = try CalibrationData(folder, for: Self.graph(ports: 2))
      #expect(data.count == 3)
      #expect(try data.inputs(2).map(\.shape) == [[1, 2, 3], [4, 2]])
    }
  }

  @Test func allThatIsWrongIsToldAtOnce() throws {
    try withScratchFolder { folder in
      let path = "\(folder)/a.npz"
      #expect(Self.ids("\(folder)/nosuch", Self.graph(ports: 1)) == ["quantize.data"])
      #expect(Self.ids(folder, Self.graph(ports: 1)) == ["quantize.data"], "empty")
      // A name that is none, an input without array, and the wrong type.
      try NpzWriter.write([("y", Self.ramp([3, 2, 3])), ("x", .i64([3, 2, 3], Array(0..<18)))], to: path)
      #expect(Self.ids(path, Self.graph(ports: 2)) == ["quantize.port", "quantize.port", "quantize.type"])
      for shape in [[3, 2, 4], [3], [2, 3], [1, 1, 3, 2, 3, 1], []] {
        try NpzWriter.write([("x", Self.ramp(shape))], to: path)
        #expect(Self.ids(path, Self.graph(ports: 1)) == ["quantize.shape"], "\(shape)")
      }
      try NpzWriter.write([("x", Self.ramp([5, 2, 3]))], to: path)
      #expect(Self.ids(path, Self.graph(ports: 1, batch: 2)) == ["quantize.shape"], "no multiple")
      try NpzWriter.write([("x", Self.ramp([0, 2, 3]))], to: path)
      #expect(Self.ids(path, Self.graph(ports: 1)) == ["quantize.data"], "no samples")
      try NpzWriter.write([("x", Self.ramp([5, 2, 3])), ("k", .i64([3, 4, 2], Array(0..<24)))], to: path)
      #expect(Self.ids(path, Self.graph(ports: 2)) == ["quantize.count"])
    }
    try withScratchFolder { folder in
      try NpyFile.write(Self.ramp([3, 2, 4]), to: "\(folder)/first.npy")
      try NpyFile.write(.i64([1, 2, 3], Array(0..<6)), to: "\(folder)/second.npy")
      try NpzWriter.write([("z", Self.ramp([2, 2, 3]))], to: "\(folder)/third.npz")
      #expect(
        Self.ids(folder, Self.graph(ports: 1)) == ["quantize.shape", "quantize.type", "quantize.port", "quantize.port"])
    }
  }
}
