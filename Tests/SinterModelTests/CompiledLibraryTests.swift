import SinterCore
import SinterLLVM
import SinterModel
import Testing

/// Runs the program that the runtime's tests wrote by hand, linked as the compiler links its own.
struct CompiledLibraryTests {
  private func withLibrary(_ body: (CompiledLibrary) throws -> Void) throws {
    let tests = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
    let include = ["SinterRuntime", "SinterABI"].flatMap { ["-I", "\(tests)/../Sources/\($0)/include"] }
    let library = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let object = try RuntimeObject(cacheFolder: folder, usesText: true).path()
      let path = "\(folder)/libhand_written.so"
      let linked = try Subprocess.run(
        "cc", ["-shared", "-fPIC"] + include + ["\(tests)/SinterRuntimeTests/programs/program.c", object, "-o", path])
      #expect(linked.succeeded, "\(linked.output)")
      return try CompiledLibrary(path)
    }
    try body(library)
  }

  private func inputs(rows: Int, mode: Int = 0) -> [HostTensor] {
    [
      .f32([rows, 4], (0..<rows * 4).map { Float($0) }),
      .f32([rows, 4], (0..<rows * 4).map { Float($0 % 3) }),
      .f32([rows + 1], (0...rows).map { -5 * Float($0) }),
      .i64([], [mode]),
      HostTensor(.u4, [rows], integers: (0..<rows).map { Int64($0 % 16) }),
      HostTensor(strings: ["größer", ""], shape: [2]),
    ]
  }

  @Test func describesItsPorts() throws {
    try withLibrary { library in
      #expect(library.name == "hand_written")
      #expect(
        library.inputs.map(\.description) == [
          "x: f32[n, 4]", "y: f32[n, 4]", "bias: f32[n + 1]", "mode: i64[]", "mask: u4[n]", "names: string[2]",
        ])
      #expect(
        library.outputs.map(\.description) == [
          "sum: f32[n, 4]", "positive: i64[?]", "packed: u4[n]", "texts: string[2]",
        ])
    }
  }

  @Test(arguments: [1, 2, 5, 300], [1, 2])
  func runs(rows: Int, threads: Int) throws {
    try withLibrary { library in
      var outputs: [HostTensor] = []
      do {
        let session = try library.session(threads: threads)
        outputs = try session.run(inputs(rows: rows))
      }
      // Outputs outlive their session.
      let sum = (0..<rows * 4).map { (index: Int) -> Float in Float(index + index % 3 - 5 * (index / 4)) }
      #expect(outputs[0].shape == [rows, 4])
      #expect(outputs[0].array(of: Float.self) == sum)
      #expect(outputs[1].int64s == (0..<rows).filter { sum[$0 * 4] > 0 }.map { Int64($0) })
      #expect(outputs[2].int64s == (0..<rows).map { Int64($0 % 16) })
      #expect(outputs[3].strings == ["größer", ""])
    }
  }

  @Test func saysWhatIsWrong() throws {
    try withLibrary { library in
      let session = try library.session(threads: 1)
      var wrong = inputs(rows: 3)
      wrong[1] = .f32([2, 4], [Float](repeating: 0, count: 8))
      let mismatch = #expect(throws: DiagnosticError.self) { try session.run(wrong) }
      #expect(mismatch?.diagnostics.first?.id == "run.shape")
      #expect(
        mismatch?.diagnostics.first?.message
          == "input 'y': dimension 0 ('n') is 2, expected 3 as in dimension 0 of input 'x'")
      let failure = #expect(throws: DiagnosticError.self) { try session.run(inputs(rows: 8, mode: 1)) }
      #expect(failure?.diagnostics.first?.id == "run.data")
      let count = #expect(throws: DiagnosticError.self) { try session.run([]) }
      #expect(count?.diagnostics.first?.message == "hand_written takes 6 inputs, given 0")
      let none = #expect(throws: DiagnosticError.self) {
        try session.run(values: [.none] + inputs(rows: 3).dropFirst().map { .tensor($0) })
      }
      #expect(none?.diagnostics.first?.message == "input 'x' is empty, expected a tensor")
    }
  }

  @Test func refusesOtherFiles() {
    let missing = #expect(throws: DiagnosticError.self) { try CompiledLibrary("no-such-library.so") }
    #expect(missing?.diagnostics.first?.id == "library.load")
    let foreign = #expect(throws: DiagnosticError.self) {
      try Files.withTemporaryFolder { folder throws(DiagnosticError) in
        // The header of an ELF file, as far as it is looked at, for a processor whose number is a character of one byte.
        let head = "\u{7f}ELF\u{2}\u{1}\u{1}" + String(repeating: "\0", count: 9) + "\u{3}\0\u{16}\0"
        try Files.write(head, to: folder + "/a.so")
        _ = try CompiledLibrary(folder + "/a.so")
      }
    }
    #expect(foreign?.diagnostics.first?.id == "library.machine")
    #expect(foreign?.diagnostics.first?.message.contains("a library for s390x") ?? false)
    let other = #expect(throws: DiagnosticError.self) { try CompiledLibrary("/lib/x86_64-linux-gnu/libm.so.6") }
    #expect(other?.diagnostics.first?.id == "library.entry")
  }
}
