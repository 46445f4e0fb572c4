import Foundation
import Testing

/// Passes of other programs among the compiler's. The lessons test one that is made with `PassPlugin`.
@Suite struct PluginTests {
  /// A shell script as a plug-in: its pass hands back what it is given, after `edit`.
  private static func script(_ folder: String, edit: String) throws -> String {
    let path = "\(folder)/passes"
    try """
    #!/bin/sh
    if [ "$1" = passes ]; then printf 'rename\\tGives the graph another name.\\n'; exit 0; fi
    \(edit)
    """.write(toFile: path, atomically: false, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    return path
  }

  @Test func aProgramsPassesRunAmongTheOthers() throws {
    try CommandTests.withModel { folder, model in
      let edit = "sed 's/graph \"Tiny\"/graph \"Renamed\"/' \"$3\" > \"$4\""
      let program = try Self.script(folder, edit: edit)
      let outcome = try CommandTests.sinter("opt", model, "--plugin", program, "--passes", "fold,rename,drop-dead")
      #expect(outcome.status == 0 && outcome.output.hasPrefix("graph \"Renamed\""), "\(outcome.errors)")
      let unknown = try CommandTests.sinter("opt", model, "--plugin", program, "--passes", "fold,other")
      #expect(unknown.status == 2 && unknown.errors.contains("rename"), "\(unknown.errors)")
    }
  }

  @Test func whatAProgramGetsWrongIsTold() throws {
    try CommandTests.withModel { folder, model in
      for (edit, part) in [
        ("echo no idea; exit 3", "no idea"), ("exit 0", "the pass rename"), ("echo nonsense > \"$4\"", "out.sinter"),
      ] {
        let program = try Self.script(folder, edit: edit)
        let outcome = try CommandTests.sinter("opt", model, "--plugin", program, "--passes", "rename")
        #expect(outcome.status == 1 && outcome.errors.contains(part), "\(outcome.errors)")
        #expect(outcome.errors.hasPrefix("sinter: error: "))
      }
      let absent = try CommandTests.sinter("opt", model, "--plugin", "\(folder)/absent", "--passes", "fold")
      #expect(absent.status == 1 && absent.errors.contains("absent"), "\(absent.errors)")
      let alone = try CommandTests.sinter("opt", model, "--plugin", "\(folder)/absent")
      #expect(alone.status == 2 && alone.errors.contains("--passes"), "\(alone.errors)")
    }
  }
}
