import Glibc
import SinterCore

/// A folder that goes away afterwards.
func withFolder(_ body: (String) throws -> Void) throws {
  var template = Array("/tmp/sinter-test-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw DiagnosticError(.bug, "test.folder", "no temporary folder") }
  let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  defer { Files.remove(path) }
  try body(path)
}

/// A C program that uses a library's header.
struct CProgram {
  let path: String

  init(_ source: String, header: String, in folder: String, linking objects: [String] = []) throws {
    path = folder + "/client"
    try Files.write("#include <dlfcn.h>\n#include <stdio.h>\n#include \"\(header)\"\n" + source, to: path + ".c")
    let flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", path + ".c"]
    let result = try Subprocess.run("cc", flags + objects + ["-o", path, "-ldl", "-lm", "-lpthread"])
    if !result.succeeded { throw DiagnosticError(.bug, "test.client", result.output) }
  }

  func run() throws -> Subprocess.Result { try Subprocess.run(path, []) }
}
