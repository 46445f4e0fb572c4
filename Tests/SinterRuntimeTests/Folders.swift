/// Where the sources lie, found from this file.
enum Folders {
  static let tests = parent(#filePath)
  static let programs = tests + "/programs"
  static let package = parent(parent(tests))
  static let runtime = package + "/Sources/SinterRuntime/runtime"
  static let includes = [
    "-I", package + "/Sources/SinterRuntime/include", "-I", package + "/Sources/SinterABI/include",
  ]

  private static func parent(_ path: String) -> String {
    path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
  }
}
