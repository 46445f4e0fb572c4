import Foundation
import Sinter
import SinterCore
import Testing

/// Files of text as NumPy writes them.
@Suite struct NpyTextTests {
  /// A file with a header, and what comes behind it.
  private static func write(_ description: String, _ shape: String, _ bytes: [UInt8], to path: String) throws {
    let header = "{'descr': '\(description)', 'fortran_order': False, 'shape': \(shape), }\n"
    var file: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0]
    file += Array(header.utf8) + bytes
    try Data(file).write(to: URL(filePath: path))
  }

  @Test func textsSurvive() throws {
    try withScratchFolder { folder in
      for tensor in [
        HostTensor(strings: ["a", "größer", "", "😀e\u{301}"], shape: [2, 2]), HostTensor(strings: [""], shape: []),
        HostTensor(strings: [], shape: [0, 3]),
      ] {
        try NpyFile.write(tensor, to: "\(folder)/t.npy")
        #expect(try NpyFile.read("\(folder)/t.npy").hasSameContents(as: tensor), "\(tensor.strings)")
      }
    }
  }

  @Test func numpysOwnAreRead() throws {
    try withScratchFolder { folder in
      try Self.write("|S3", "(2,)", Array("ab\0xyz".utf8), to: "\(folder)/s.npy")
      #expect(try NpyFile.read("\(folder)/s.npy").strings == ["ab", "xyz"])
      try Self.write("<U2", "(2,)", [0x41, 0, 0, 0, 0, 0, 0, 0, 0, 0xf6, 1, 0, 0x42, 0, 0, 0], to: "\(folder)/u.npy")
      #expect(try NpyFile.read("\(folder)/u.npy").strings == ["A", "\u{1f600}B"])
    }
  }

  @Test(arguments: [
    ("<U0", "(9,)"), ("<U2", "(3,)"), ("|S999999999999", "(1,)"), ("<U268435455", "(140737488355327,)"), ("O", "(1,)"),
    ("<U-1", "(1,)"),
  ])
  func wrongFilesAreRefused(description: String, shape: String) throws {
    try withScratchFolder { folder in
      try Self.write(description, shape, [UInt8](repeating: 0, count: 16), to: "\(folder)/w.npy")
      #expect(throws: DiagnosticError.self) { try NpyFile.read("\(folder)/w.npy") }
    }
  }
}
