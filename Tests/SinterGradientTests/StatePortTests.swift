import Foundation
import Sinter
import SinterCore
import SinterIR
import SinterModel
import SinterONNX
import SinterOps
import Testing

/// Libraries that keep the state of training themselves, beside steps whose state the caller hands on.
@Suite struct StatePortTests {
  struct Net: UnaryLayer {
    var conv = Conv2d(1, 4, kernel: 3, padding: 1)
    var norm = BatchNorm2d(4), drop = Dropout(0.25), maximum = MaxPool2d(2), mean = AvgPool2d(2)
    var fc = Linear(4 * 2 * 2, 3)
    func forward(_ x: Tensor) -> Tensor { fc(drop(mean(maximum(norm(conv(x)).relu())).flatten(from: 1))) }
  }

  static func step(_ optimizer: some Optimizer = Adam(learningRate: 0.01)) throws -> TrainingStep {
    try trainingStep(
      Net(), .f32("n", 1, 8, 8), .i64("n"), optimizer: optimizer, loss: crossEntropy, metrics: ["accuracy": accuracy])
  }

  static func samples(_ index: Int) -> (HostTensor, HostTensor) {
    let pixels = (0..<(5 * 64)).map { Float(($0 * 37 + index * 101) % 97) / 97 - 0.5 }
    return (.f32([5, 1, 8, 8], pixels), .i64([5], (0..<5).map { ($0 + index) % 3 }))
  }

  static func inFolder(_ body: (String) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.path + "/states-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
  }

  @Test func aLibraryThatKeepsItsStateTrainsAsTheStepDoes() throws {
    let traced = try Self.step()
    let run = try traced.compile()
    var state = run.initialState(seed: 3)
    let kept = try traced.keepingState(state)
    // The text form says what the states are.
    let read = try Graph(parsing: kept.graph.description, operators: .standard) { hash in
      kept.graph.states.map(\.initial).first { "#\(hash)" == TensorText.describe($0) }
    }
    #expect(read.states.map(\.input) == kept.graph.states.map(\.input))
    #expect(read.states.map(\.output) == kept.graph.states.map(\.output))
    try GraphVerifier.verify(read)
    // So does an ONNX file.
    let imported = try OnnxImporter(operators: .standard).graph(of: OnnxExporter().file(of: kept.graph))
    #expect(imported.states.map(\.input) == kept.graph.states.map(\.input))
    #expect(imported.states.map(\.output) == kept.graph.states.map(\.output))
    #expect(zip(imported.states, kept.graph.states).allSatisfy { $0.initial.rawBytes == $1.initial.rawBytes })

    try Self.inFolder { folder in
      try kept.compile(to: folder + "/libtrain.so")
      let library = try CompiledLibrary(folder + "/libtrain.so")
      #expect(library.inputs.map(\.name) == ["input", "target", "learning_rate"])
      #expect(library.outputs.map(\.name) == ["loss", "accuracy"])
      #expect(library.states.map(\.name) == traced.state.map(\.name) + ["step", "random_key"])
      let session = try library.session(threads: 2)
      func train(_ session: Session, _ index: Int) throws -> [Double] {
        let (x, y) = Self.samples(index)
        return try session.run([x, y, .f32([], [0.01])]).map { $0.doubles?.first ?? .nan }
      }
      func expectSame() throws {
        for entry in traced.state {
          #expect(try session.state(entry.name).rawBytes == state[entry.name]?.rawBytes, "\(entry.name)")
        }
      }
      try expectSame()
      for index in 0..<4 {
        let (x, y) = Self.samples(index)
        let expected = try run(&state, x, y, learningRate: 0.01)
        #expect(try train(session, index) == [expected["loss"], expected["accuracy"]])
      }
      try expectSame()
      #expect(try session.state("step").integers == [4])

      // A run that fails changes nothing: a label that is no class.
      let (x, _) = Self.samples(4)
      #expect(throws: DiagnosticError.self) { try session.run([x, .i64([5], [0, 1, 2, 7, 0]), .f32([], [0.01])]) }
      try expectSame()

      // What one session saves another goes on with, bit by bit.
      try session.saveState(to: folder + "/state.safetensors")
      let second = try library.session(threads: 1)
      try second.restoreState(from: folder + "/state.safetensors")
      #expect(try train(second, 4) == train(session, 4))
      #expect(try second.state("fc.weight").rawBytes == session.state("fc.weight").rawBytes)
      let stored = try ParameterStore(reading: folder + "/state.safetensors")
      #expect(Set(stored.names) == Set(library.states.map(\.name)))

      // By hand.
      try second.setState("fc.bias", to: .f32([3], [1, 2, 3]))
      #expect(try second.state("fc.bias").array(of: Float.self) == [1, 2, 3])
      let wrong = #expect(throws: DiagnosticError.self) { try second.setState("fc.bias", to: .f32([4], [1, 2, 3, 4])) }
      #expect(wrong?.diagnostics[0].message.contains("state 'fc.bias': dimension 0 is 4, expected 3") == true)
      let unknown = #expect(throws: DiagnosticError.self) { try second.state("fc.scale") }
      #expect(unknown?.diagnostics[0].message.contains("no state named 'fc.scale'") == true)
    }
  }

  @Test func filesOfOtherModelsAreRefusedWithAllThatDiffers() throws {
    try Self.inFolder { folder in
      let traced = try Self.step(SGD(learningRate: 0.1, momentum: 0.9))
      let state = try traced.compile().initialState(seed: 1)
      try traced.keepingState(state).compile(to: folder + "/libtrain.so")
      let session = try CompiledLibrary(folder + "/libtrain.so").session()
      let before = try session.state("fc.weight").rawBytes
      let path = folder + "/state.safetensors"
      try session.saveState(to: path)
      let whole = try Data(contentsOf: URL(filePath: path))

      var other = try ParameterStore(reading: path)
      other["fc.weight"] = .f32([3, 4], [Float](repeating: 0, count: 12))
      other["fc.scale"] = .f32([1], [1])
      other["fc.bias"] = .i64([3], [0, 0, 0])
      try other.save(folder + "/other.safetensors")
      let error = #expect(throws: DiagnosticError.self) {
        try session.restoreState(from: folder + "/other.safetensors")
      }
      let told = error?.diagnostics[0].message ?? ""
      #expect(told.contains("3 of its tensors differ"))
      for part in ["'fc.weight' has another shape", "'fc.scale' is no state", "'fc.bias' has another element type"] {
        #expect(told.contains(part), "\(told)")
      }
      // Cut anywhere, or not such a file at all.
      for count in [0, 4, 8, 40, whole.count / 2, whole.count - 1] {
        try whole.prefix(count).write(to: URL(filePath: path))
        #expect(throws: DiagnosticError.self) { try session.restoreState(from: path) }
      }
      try Data(repeating: 0x7b, count: 4096).write(to: URL(filePath: path))
      #expect(throws: DiagnosticError.self) { try session.restoreState(from: path) }
      #expect(throws: DiagnosticError.self) { try session.restoreState(from: folder + "/none.safetensors") }
      #expect(throws: DiagnosticError.self) { try session.saveState(to: folder + "/none/state.safetensors") }
      #expect(try session.state("fc.weight").rawBytes == before)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).allSatisfy { !$0.hasSuffix(".partial") })
    }
  }

  @Test func stateOfAnotherStepIsRefusedByName() throws {
    let momentum = try Self.step(SGD(learningRate: 0.1, momentum: 0.9))
    let state = try Self.step().compile().initialState()
    let error = #expect(throws: DiagnosticError.self) { try momentum.keepingState(state) }
    let told = error?.diagnostics.map(\.message) ?? []
    #expect(told.contains { $0.contains("no fc.weight.momentum_buffer, which is f32[3, 16]") })
    #expect(told.contains { $0.contains("fc.weight.exp_avg, which is not of this step") })
  }

  /// A program in C trains, saves, and goes on in another session; it needs the library, its headers and nothing else.
  @Test func aProgramInCTrains() throws {
    try Self.inFolder { folder in
      let traced = try Self.step()
      try traced.keepingState(traced.compile().initialState(seed: 2)).compile(
        to: folder + "/libtrain.so", header: true, name: "train")
      try trace(Net(), .f32("n", 1, 8, 8)).initialized().compile(to: folder + "/libuse.so")
      let source = URL(filePath: #filePath).deletingLastPathComponent().path + "/programs/train.c"
      let built = try Subprocess.run(
        "cc",
        [
          "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-I", folder, source, "-o", folder + "/train",
          "-ldl", "-lm",
        ])
      #expect(built.succeeded, "\(built.output)")
      let result = try Subprocess.run(folder + "/train", [folder])
      #expect(result.succeeded, "\(result.output)")
    }
  }
}

extension HostTensor {
  fileprivate var rawBytes: [UInt8] { bytes.withBytes { Array($0) } }
}
