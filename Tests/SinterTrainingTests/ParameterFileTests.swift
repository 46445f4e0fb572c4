import Foundation
import Sinter
import Testing

/// Files of parameters: PyTorch's and safetensors.
@Suite struct ParameterFileTests {
  static let files = [
    "plain", "plain_legacy", "protocol5", "nested", "nested_legacy", "views", "views_legacy", "types",
    "unreached_legacy",
  ]

  @Test(arguments: files + ["script"]) func checkpointsOfPyTorchAreRead(_ name: String) throws {
    let expected = try ParameterStore(reading: fixture("torch/\(name).safetensors"))
    let read = try ParameterStore(reading: fixture("torch/\(name).pt"))
    #expect(!expected.names.isEmpty)
    for key in expected.names {
      let (given, wanted) = (read[key], try #require(expected[key]))
      #expect(given?.hasSameContents(as: wanted) == true, "\(key): \(given?.type.description ?? "missing")")
    }
    // Beyond them there may be numbers of an optimizer's groups and a script's flags, but no tensors.
    for key in read.names where expected[key] == nil { #expect(read[key]?.shape == [], "\(key)") }
  }

  /// Headers whose length begins with the bytes of a pickle's protocol.
  @Test(arguments: [640, 896, 1152, 1408, 640 + 65_536]) func safetensorsAreNotTakenForPickles(_ length: Int) throws {
    try withScratchFolder { folder in
      let path = "\(folder)/x.safetensors"
      var store = ParameterStore()
      store["a"] = .f32([2], [1, 2])
      try store.save(path)
      // The name makes up what is missing.
      let header = Int(try Data(contentsOf: URL(filePath: path))[0])
      var wide = ParameterStore()
      let name = String(repeating: "a", count: 1 + length - header)
      wide[name] = .f32([2], [1, 2])
      try wide.save(path)
      #expect(
        Array(try Data(contentsOf: URL(filePath: path))[..<2]) == [UInt8(length & 255), UInt8(length >> 8 & 255)])
      #expect(try ParameterStore(reading: path)[name]?.doubles == [1, 2])
    }
  }

  @Test func partsOfACheckpoint() throws {
    let nested = try ParameterStore(reading: fixture("torch/nested.pt"))
    #expect(
      nested.part("model").names.contains("conv.weight") && nested["optimizer.param_groups.0.lr"]?.doubles == [0.001])
    // Tied tensors are one piece of memory.
    let views = try ParameterStore(reading: fixture("torch/views.pt"))
    let places = ["base", "tied", "row"].map { views[$0]!.bytes.withBytes { $0.baseAddress! } }
    #expect(places[0] == places[1] && places[2] - places[0] == 12 * 4)
  }

  @Test func otherFilesAreRefusedByName() throws {
    for (file, word) in [
      ("module", "an object of __main__.Net"), ("sparse", "_rebuild_sparse_tensor"), ("texts", "holds no tensors"),
    ] { #expect(message { try ParameterStore(reading: fixture("torch/\(file).pt")) }.contains(word)) }
    try withScratchFolder { folder in
      func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(filePath: "\(folder)/x.pt")) }
      func told() -> String { message { try ParameterStore(reading: "\(folder)/x.pt") } }
      var tar = [UInt8](repeating: 0, count: 512)
      tar.replaceSubrange(257..<262, with: Array("ustar".utf8))
      try write(tar)
      #expect(told().contains("tar format of PyTorch before 0.1.10"))
      try write(
        [0x80, 2] + Array("cos\nsystem\nX".utf8) + [4, 0, 0, 0] + Array("true".utf8) + [0x85] + Array("R.".utf8))
      #expect(told().contains("an object of os.system"))
      try write([0x80, 2] + Array("N.".utf8))
      #expect(told().contains("not one of torch.save"))
      try write([0x80, 2, UInt8(ascii: "P")])
      #expect(told().contains("opcode 50"))
      // Tuples within tuples without an end.
      try write([0x80, 2, UInt8(ascii: ")")] + [UInt8](repeating: 0x85, count: 3_000_000) + [UInt8(ascii: ".")])
      #expect(told().contains("not one of torch.save"))
      try FileManager.default.copyItem(atPath: fixture("data/stored.npz"), toPath: "\(folder)/y.pt")
      #expect(message { try ParameterStore(reading: "\(folder)/y.pt") }.contains("without data.pkl"))
    }
  }

  /// Whatever byte is wrong or missing, there is an error or a store, never a trap.
  @Test(arguments: ["plain", "nested_legacy", "views"]) func damagedCheckpointsGiveErrors(_ name: String) throws {
    let whole = try Data(contentsOf: URL(filePath: fixture("torch/\(name).pt")))
    try withScratchFolder { folder in
      let path = "\(folder)/x.pt"
      for length in stride(from: 0, to: whole.count - 1, by: 37) {
        try whole.prefix(length).write(to: URL(filePath: path))
        #expect(throws: DiagnosticError.self, "\(length)") { try ParameterStore(reading: path) }
      }
      var random = SampleRandom(seed: 4)
      for _ in 0..<1500 {
        var data = whole
        for _ in 0...random.integer(below: 3) {
          data[random.integer(below: data.count)] = UInt8(random.integer(below: 256))
        }
        try data.write(to: URL(filePath: path))
        do { _ = try ParameterStore(reading: path) } catch let error as DiagnosticError {
          #expect(error.description.contains(path))
        }
      }
    }
  }

  struct Net: UnaryLayer {
    var conv = Conv2d(1, 2, kernel: 3), norm = BatchNorm2d(2), fc = Linear(4, 3)
    func forward(_ x: Tensor) -> Tensor { fc(norm(conv(x)).relu().flatten(from: 1)) }
  }

  /// A trained network under PyTorch's names. `Tests/Peers/test_parameters.py` has PyTorch load what this leaves behind.
  @Test func parametersHavePyTorchsNames() throws {
    let step = try trainingStep(
      Net(), .f32("n", 1, 4, 3), .i64("n"), optimizer: SGD(learningRate: 0.1), loss: crossEntropy
    ).compile()
    var state = step.initialState(seed: 2)
    var random = SampleRandom(seed: 2)
    let x = HostTensor.f32([5, 1, 4, 3], (0..<60).map { _ in Float(random.uniform(-1, 1)) })
    for _ in 0..<3 { try step(&state, x, .i64([5], [0, 1, 2, 0, 1])) }
    let store = state.parametersForPyTorch
    let plain = try ParameterStore(reading: fixture("torch/plain.safetensors"))
    #expect(Set(store.names) == Set(plain.names))
    for name in plain.names { #expect(store[name]?.type == plain[name]?.type, "\(name)") }
    #expect(store["norm.num_batches_tracked"]?.integers == [3])
    try withScratchFolder { scratch in
      let folder = ProcessInfo.processInfo.environment["SINTER_TEST_OUTPUT"] ?? scratch
      try store.save("\(folder)/net.safetensors")
      var result = ParameterStore()
      result["x"] = x
      result["y"] = try trace(Net(), .f32("n", 1, 4, 3)).bound(to: store).compile(to: "\(scratch)/n.so").run(x)[0]
      try result.save("\(folder)/case.safetensors")
    }
  }

  @Test func safetensorsKeepAllTypes() throws {
    let types = try ParameterStore(reading: fixture("torch/types.safetensors"))
    for name in ["float16", "bfloat16", "float8_e4m3fn", "complex64", "uint64", "bool"] {
      #expect(types[name] != nil, "\(name)")
    }
    try withScratchFolder { folder in
      try types.save("\(folder)/x.safetensors")
      let again = try ParameterStore(reading: "\(folder)/x.safetensors")
      #expect(Set(again.names) == Set(types.names))
      for name in types.names { #expect(again[name]?.hasSameContents(as: types[name]!) == true, "\(name)") }
    }
  }

  /// Five gigabytes, of which nothing is read but the header and the last elements.
  @Test func largeFilesStayMapped() throws {
    try withScratchFolder { folder in
      let path = "\(folder)/large.safetensors"
      let size = 5 << 30
      let header =
        #"{"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[\#(size / 2)],"data_offsets":[0,\#(size)]},"b":{"dtype":"F16","shape":[2],"data_offsets":[\#(size),\#(size + 4)]}}"#
      var data = Data(withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) })
      data += Data(header.utf8)
      try data.write(to: URL(filePath: path))
      truncate(path, data.count + size + 4)
      let store = try ParameterStore(reading: path)
      #expect(store["a"]?.shape == [size / 2] && store["a"]?.element == .bf16)
      #expect(store["b"]?.doubles == [0, 0])
      truncate(path, data.count + size + 3)
      #expect(message { try ParameterStore(reading: path) }.contains("tensor b: the range"))
    }
  }

  static let headers: [(String, String)] = [
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, "impossible"),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,0]}}"#, "impossible"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, "does not lie"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, "does not lie"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,99999999999999999999]}}"#, "header"),
    (#"{"a":{"dtype":"F32","shape":["x"],"data_offsets":[0,4]}}"#, "header"),
    (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}}"#, "takes 12 bytes, but the range has 4"),
    (#"["a"]"#, "no JSON object"), (#"{"a":3}"#, "header"),
  ]

  @Test(arguments: headers) func wrongHeadersAreRefused(_ header: String, _ word: String) throws {
    try withScratchFolder { folder in
      var data = Data(withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) })
      data += Data(header.utf8) + Data(count: 8)
      try data.write(to: URL(filePath: "\(folder)/x.safetensors"))
      #expect(message { try ParameterStore(reading: "\(folder)/x.safetensors") }.contains(word))
    }
  }
}
