import Foundation
import Sinter
import Testing

@Suite struct SafetensorsTests {
  @Test func roundTrips() throws {
    var store = ParameterStore()
    store["a.weight"] = .f32([2, 3], [1, 2, 3, 4, 5, 6])
    store["steps"] = .i64([], [7])
    try withScratchFolder { folder in
      try store.save("\(folder)/p.safetensors")
      let read = try ParameterStore(reading: "\(folder)/p.safetensors")
      #expect(read.names == ["a.weight", "steps"])
      #expect(read["a.weight"]?.array(of: Float.self) == [1, 2, 3, 4, 5, 6])
      #expect(read["steps"]?.integers == [7])
    }
  }

  static let damaged: [(String, String)] = [
    ("", "bytes"), ("abc", "bytes"), ("\u{08}\0\0\0\0\0\0\0not json", "JSON"),
    ("\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}{}", "header"),
  ]

  @Test(arguments: damaged) func damagedFilesGiveErrors(_ contents: String, _ word: String) throws {
    try withScratchFolder { folder in
      try Data(contents.utf8).write(to: URL(fileURLWithPath: "\(folder)/x.safetensors"))
      do {
        _ = try ParameterStore(reading: "\(folder)/x.safetensors")
        Issue.record("the file is damaged")
      } catch let error as DiagnosticError {
        #expect(error.description.contains(word))
      }
    }
  }

  @Test func rangesThatLieAreAllListed() throws {
    let header =
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,800]},"b":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#
    var data = Data(withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) })
    data += Data(header.utf8) + Data(count: 8)
    try withScratchFolder { folder in
      try data.write(to: URL(fileURLWithPath: "\(folder)/x.safetensors"))
      do {
        _ = try ParameterStore(reading: "\(folder)/x.safetensors")
        Issue.record("two tensors are wrong")
      } catch let error as DiagnosticError {
        #expect(error.diagnostics.count == 2)
      }
    }
  }
}
