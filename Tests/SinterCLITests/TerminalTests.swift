import Foundation
import Sinter
import Testing

/// What a command says on a terminal, and what in a pipe.
@Suite struct TerminalTests {
  /// Runs the command with a pseudo-terminal of so many columns as its output, which shows results and errors together.
  private static func onTerminal(
    _ arguments: [String], columns: UInt16 = 80, environment: [String: String] = [:]
  ) throws -> (status: Int32, text: String) {
    let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    try #require(terminal >= 0)
    defer { close(terminal) }
    // TIOCSPTLCK and TIOCGPTN, which Swift does not see: the other end is unlocked, and asked for its number.
    var (locked, number): (Int32, Int32) = (0, 0)
    try #require(ioctl(terminal, 0x4004_5431, &locked) == 0 && ioctl(terminal, 0x8004_5430, &number) == 0)
    let end = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    try #require(end >= 0)
    var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    try #require(ioctl(end, UInt(TIOCSWINSZ), &size) == 0)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandTests.binary)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.filter { $0.key != "NO_COLOR" }
      .merging(["TERM": "xterm"]) { $1 }.merging(environment) { $1 }
    let handle = FileHandle(fileDescriptor: end, closeOnDealloc: false)
    (process.standardInput, process.standardOutput, process.standardError) = (FileHandle.nullDevice, handle, handle)
    try process.run()
    close(end)
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    // Once nobody holds the other end, reading fails.
    while case let count = read(terminal, &chunk, chunk.count), count > 0 { bytes += chunk[..<count] }
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n"))
  }

  @Test func errorsAreColouredWhereATerminalHasColour() throws {
    try CommandTests.withModel { folder, _ in
      let arguments = ["check", "\(folder)/none.onnx"]
      let coloured = try Self.onTerminal(arguments)
      #expect(coloured.status == 1)
      #expect(coloured.text.hasPrefix("sinter: \u{1b}[1;31merror:\u{1b}[0m "), "\(coloured.text)")
      for environment in [["NO_COLOR": "1"], ["TERM": "dumb"]] {
        let plain = try Self.onTerminal(arguments, environment: environment).text
        #expect(plain.hasPrefix("sinter: error: ") && !plain.contains("\u{1b}"), "\(plain)")
      }
      let piped = try CommandTests.run(arguments).errors
      #expect(piped.hasPrefix("sinter: error: ") && !piped.contains("\u{1b}"))
    }
  }

  @Test func compileSaysWhereItsLibraryRuns() throws {
    try CommandTests.withModel { folder, model in
      let arguments = ["compile", model, "-o", "\(folder)/libtiny.so"]
      let shown = try Self.onTerminal(arguments)
      #expect(shown.status == 0 && shown.text.contains("libtiny.so: 1 kernels"), "\(shown.text)")
      #expect(shown.text.contains("made for processors like this one") && shown.text.contains("--cpu"))
      let named = try Self.onTerminal(arguments + ["--cpu", "x86-64-v2"])
      #expect(named.status == 0 && !named.text.contains("like this one"), "\(named.text)")
      #expect(try Self.onTerminal(arguments + ["--quiet"]).text.isEmpty)
    }
  }

  /// In a pipe, how far the work is is told only where it is asked for, in lines.
  @Test func progressIsToldInAPipeWhereItIsAskedFor() throws {
    try CommandTests.withModel { folder, model in
      let arguments = ["compile", model, "-o", "\(folder)/libtiny.so"]
      let silent = try CommandTests.run(arguments)
      #expect(silent.status == 0 && silent.errors.isEmpty && silent.output.isEmpty)
      let told = try CommandTests.run(arguments + ["--verbose"]).errors
      #expect(told.contains("compile kernels: 1 of 1") && told.contains(" ms  link\n"), "\(told)")
      #expect(!told.contains("\r") && !told.contains("\u{1b}"))
      let tuned = try CommandTests.run(arguments + ["--tune", "--verbose"]).errors
      #expect(tuned.contains("tune"), "\(tuned)")
    }
  }

  @Test func tablesFitTheTerminal() throws {
    struct Net: UnaryLayer {
      var first = Linear(4, 30), second = Linear(30, 4)
      func forward(_ x: Tensor) -> Tensor { second(first(x).tanh()).sigmoid().softmax(-1) }
    }
    try CommandTests.withModel { folder, _ in
      let model = "\(folder)/net.onnx"
      try trace(Net(), .f32("n", 4, name: "x")).initialized(seed: 1).export(model)
      for (arguments, columns) in [(["inspect", model], 48), (["profile", model, "--runs", "2", "--no-peaks"], 60)] {
        let wide = try CommandTests.run(arguments).output
        #expect(wide.split(separator: "\n").contains { $0.count > columns }, "\(wide)")
        let shown = try Self.onTerminal(arguments, columns: UInt16(columns))
        #expect(shown.status == 0)
        // The bar of a command that takes long is written over and erased.
        let lines = shown.text.split(separator: "\n").map { $0.split(separator: "\u{1b}[K").last ?? "" }
        #expect(lines.count > 4 && lines.allSatisfy { $0.count <= columns }, "\(shown.text)")
      }
    }
  }

  /// A limit of what files may hold ends a command with a sentence, and leaves nothing behind.
  @Test func filesBeyondTheLimitAreToldAndRemoved() throws {
    try CommandTests.withModel { folder, _ in
      let (model, temporary) = ("\(folder)/wide.onnx", "\(folder)/temporary")
      try trace(Linear(256, 256), .f32("n", 256, name: "x")).initialized(seed: 1).export(model)
      try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
      for (command, output) in [
        ("compile", "out/lib.so"), ("export", "out/e.onnx"), ("opt", "out/o.sinter"), ("view", "out/v.html"),
      ] {
        try FileManager.default.createDirectory(atPath: "\(folder)/out", withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        // In blocks of 512 bytes, or of 1024: less than the weights in either.
        process.arguments = [
          "-c", "ulimit -f 40; exec \"$@\"", "sh", CommandTests.binary, command, model, "-o", "\(folder)/\(output)",
        ]
        process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": temporary]) { $1 }
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 1, "\(command): \(text)")
        #expect(text.hasPrefix("sinter: error: ") && text.contains("File too large"), "\(command): \(text)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/out").isEmpty, "\(command)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary).isEmpty, "\(command)")
      }
    }
  }
}
