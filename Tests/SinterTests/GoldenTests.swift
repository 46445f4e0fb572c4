import Foundation
import Sinter
import SinterForms
import SinterIR
import SinterKernelIR
import SinterLLVM
import SinterOps
import Testing

/// Files that hold a graph and what becomes of it: the graph after all passes, its fused forms, its kernels. `SINTER_BLESS=1` writes the
/// expectations anew.
@Suite struct GoldenTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Goldens")
  static let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()

  @Test func goldensAreThere() { #expect(Self.files.count >= 4) }

  @Test(arguments: files) func stagesAreAsWritten(_ name: String) throws {
    let path = Self.folder.appendingPathComponent(name)
    let written = try String(contentsOf: path, encoding: .utf8)
    let marker = "\n--- optimized\n"
    let source = String(written.components(separatedBy: marker)[0])
    let graph = try Graph(parsing: source, operators: .standard)
    var compiler = Compiler(for: try Target.named("x86-64-v3"))
    let optimized = try compiler.optimize(graph)
    let forms = try compiler.fuse(compiler.lower(optimized))
    let kernels = try compiler.schedule(forms)
    let made =
      [
        source.trimmingCharacters(in: .newlines), "--- optimized", optimized.description, "--- forms",
        forms.description,
        "--- kernels", kernels.description,
      ].map { $0.trimmingCharacters(in: .newlines) }.joined(separator: "\n") + "\n"
    if Flags.fromEnvironment().bless {
      try made.write(to: path, atomically: true, encoding: .utf8)
      return
    }
    #expect(made == written, "\(name) differs; SINTER_BLESS=1 swift test --filter GoldenTests writes it anew")

    // Whatever is dumped can be parsed back.
    #expect(try Graph(parsing: optimized.description, operators: .standard).description == optimized.description)
    #expect(try FormProgram(parsing: forms.description).description == forms.description)
    #expect(try KernelProgram(parsing: kernels.description).description == kernels.description)
  }
}
