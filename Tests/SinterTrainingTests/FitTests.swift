import Foundation
import Sinter
import Testing

/// Runs of training: resumed, ended early, gone wrong, shown.
@Suite struct FitTests {
  struct Net: UnaryLayer {
    var fc1 = Linear(4, 8), norm = BatchNorm1d(8), drop = Dropout(0.25), fc2 = Linear(8, 3)
    func forward(_ x: Tensor) -> Tensor { fc2(drop(norm(fc1(x)).relu())) }
  }

  static func data(_ count: Int, seed: UInt64 = 1) throws -> TensorDataset {
    var random = SampleRandom(seed: seed)
    let x = (0..<(4 * count)).map { _ in Float(random.uniform(-1, 1)) }
    let labels = (0..<count).map { row in x[4 * row] > 0.3 ? 2 : x[4 * row + 1] > 0 ? 1 : 0 }
    return try TensorDataset(.f32([count, 4], x), .i64([count], labels))
  }

  static func step(_ optimizer: some Optimizer = Adam(learningRate: 0.01)) throws -> CompiledStep {
    try trainingStep(
      Net(), .f32("n", 4), .i64("n"), optimizer: optimizer, loss: crossEntropy, metrics: ["accuracy": accuracy]
    ).compile()
  }

  static func same(_ a: TrainingState, _ b: TrainingState) -> Bool {
    a.steps == b.steps && a.epochs == b.epochs
      && a.parameters.names.allSatisfy { name in
        guard let x = a[name], let y = b[name] else { return false }
        return x.hasSameContents(as: y)
      }
      && ["fc1.weight.exp_avg", "fc2.bias.exp_avg_sq"].allSatisfy { a[$0]!.hasSameContents(as: b[$0]!) }
  }

  /// A run that is stopped inside of an epoch and goes on from its checkpoint ends with the same bits and the same history.
  @Test func checkpointsGoOnInsideEpochs() throws {
    let step = try Self.step(), data = try Self.data(90)
    let loader = DataLoader(data, batch: 8, order: .shuffled(seed: 5))
    #expect(loader.count == 12)
    var whole = step.initialState(seed: 3)
    let history = try step.fit(&whole, loader, epochs: 3)
    #expect(history.epochs.map(\.number) == [1, 2, 3])
    #expect(history.epochs.last!.training["loss"]! < history.epochs[0].training["loss"]!)
    for stop in [2, 5] {
      try withScratchFolder { folder in
        let path = "\(folder)/run.safetensors"
        // The eighteenth step is the sixth of the second epoch; something goes wrong behind it.
        var part = step.initialState(seed: 3)
        let failing = DataLoader(Failing(base: data, at: 22 * 8), batch: 8, order: .shuffled(seed: 5))
        let told = message {
          try step.fit(&part, failing, epochs: 3, checkpoints: Checkpoints(path, epochs: stop, steps: 6))
        }
        #expect(told.contains("nothing more to read"))
        #expect(part.epochs == 1 && part.steps == 12, "the state is that of the last complete epoch")
        var resumed = try step.state(reading: path)
        #expect(resumed.epochs == 1 && resumed.steps == 18)
        let rest = try step.fit(&resumed, loader, epochs: 2)
        #expect(Self.same(resumed, whole))
        let numbers = rest.epochs.map { [$0.training["loss"], $0.training["accuracy"]] }
        #expect(numbers == history.epochs[1...].map { [$0.training["loss"], $0.training["accuracy"]] })
        // In the middle of an epoch, nothing but the same order can be resumed.
        var other = try step.state(reading: path)
        let refused = message { try step.fit(&other, DataLoader(data, batch: 9, order: .shuffled(seed: 5)), epochs: 1) }
        #expect(
          refused.contains(
            "after batch 6 of epoch 2, with 90 samples shuffled by seed 5, batches of 8, seed 0 for samples, but the loader has 90 samples shuffled by seed 5, batches of 9,"
          ), "\(refused)")
        // Whatever makes another order is told.
        for (loader, told) in [
          (DataLoader(data, batch: 8), "90 samples as given"),
          (DataLoader(data, batch: 8, order: .shuffled(seed: 5), dropLast: true), "batches of 8 without a last part"),
          (DataLoader(data, batch: 8, order: .shuffled(seed: 5), seed: 1), "seed 1 for samples"),
          (DataLoader(data, batch: 8, order: .subset(Array(0..<90), seed: 5)), "90 of a subset (hash "),
          (
            DataLoader(data, batch: 8, order: .weighted(Array(repeating: 1, count: 90), count: 90, seed: 5)),
            "by weights"
          ),
        ] {
          let refused = message { try step.fit(&other, loader, epochs: 1) }
          #expect(refused.contains(told), "\(refused)")
        }
      }
    }
  }

  /// Gives so many samples and then an error.
  final class Failing: Dataset, @unchecked Sendable {
    private let lock = NSLock()
    private var left: Int
    let base: TensorDataset
    init(base: TensorDataset, at: Int) { (self.base, left) = (base, at) }
    var count: Int { base.count }
    func sample(_ index: Int, random: inout SampleRandom) throws -> [HostTensor] {
      let isLeft = lock.withLock {
        left -= 1
        return left >= 0
      }
      guard isLeft else { throw DiagnosticError(.user, "test", "nothing more to read") }
      return try base.sample(index, random: &random)
    }
  }

  @Test func earlyStoppingKeepsTheBest() throws {
    let step = try Self.step(), data = try Self.data(40)
    // What validation says is made up: it is best in the third epoch.
    let values = [5.0, 4, 1, 2, 1, 3, 9, 9]
    func run(_ state: inout TrainingState, _ checkpoints: Checkpoints?, epochs: Int = 8) throws -> TrainingHistory {
      try step.fit(
        &state, data, epochs: epochs, batch: 10, stopping: EarlyStopping("made", patience: 3), checkpoints: checkpoints,
        validate: { ["made": values[$0.epochs]] })
    }
    var third = step.initialState(seed: 1)
    try step.fit(&third, data, epochs: 3, batch: 10)
    var state = step.initialState(seed: 1)
    let history = try run(&state, nil)
    #expect(history.epochs.count == 6 && Self.same(state, third))
    // Stopped after the fourth epoch and resumed, it knows what was best.
    try withScratchFolder { folder in
      let checkpoints = Checkpoints("\(folder)/run.safetensors")
      var first = step.initialState(seed: 1)
      _ = try run(&first, checkpoints, epochs: 4)
      #expect(Self.same(first, third))
      var resumed = try step.state(reading: checkpoints.path)
      #expect(resumed.epochs == 4)
      #expect(try run(&resumed, checkpoints).epochs.map(\.number) == [5, 6])
      #expect(Self.same(resumed, third))
    }
    // A state that was never fitted has no best epoch, whatever file of another run lies there.
    try withScratchFolder { folder in
      let checkpoints = Checkpoints("\(folder)/run.safetensors")
      var first = step.initialState(seed: 1)
      _ = try run(&first, checkpoints, epochs: 4)
      var fresh = step.initialState(seed: 2)
      try step.fit(
        &fresh, data, epochs: 0, batch: 10, stopping: EarlyStopping("made"), checkpoints: checkpoints,
        validate: { _ in ["made": 9] })
      #expect(Self.same(fresh, step.initialState(seed: 2)))
    }
    // A value that is no number is worse than any.
    var odd = step.initialState(seed: 1)
    try step.fit(
      &odd, data, epochs: 3, batch: 10, stopping: EarlyStopping("made"),
      validate: { ["made": $0.epochs == 0 ? .nan : Double($0.epochs)] })
    #expect(odd.epochs == 2)
    // Accuracies should rise.
    var rising = step.initialState(seed: 1)
    let up = try step.fit(
      &rising, data, epochs: 8, batch: 10, stopping: EarlyStopping("made", patience: 2, goal: .largest),
      validate: { ["made": values[$0.epochs]] })
    #expect(up.epochs.count == 3 && rising.epochs == 1)
    #expect(
      message { try step.fit(&rising, data, epochs: 1, batch: 10, stopping: EarlyStopping("made")) }.contains(
        "as validate"))
    let unknown = message {
      try step.fit(&rising, data, epochs: 1, batch: 10, stopping: EarlyStopping("made"), validate: { _ in ["loss": 1] })
    }
    #expect(unknown.contains("gives no made; it gives loss"))
  }

  struct Logarithm: UnaryLayer {
    var scale = Linear(4, 3), inner = LogLayer()
    func forward(_ x: Tensor) -> Tensor { inner(scale(x)).exp() }
  }
  struct LogLayer: UnaryLayer {
    var shift = Linear(3, 3)
    func forward(_ x: Tensor) -> Tensor { shift(x.log()) }
  }

  @Test func lossesThatAreNoNumbersAreTracedBack() throws {
    let step = try trainingStep(Logarithm(), .f32("n", 4), .i64("n"), optimizer: SGD(), loss: crossEntropy).compile()
    var state = step.initialState(seed: 2)
    let told = message { try step.fit(&state, try Self.data(20), epochs: 1, batch: 10) }
    #expect(
      told.contains(
        "the loss of step 1 (epoch 1) is nan: the first result that is no number comes from Log, f32[n, 3]"), "\(told)")
    #expect(told.contains("layer inner") && told.contains("FitTests.swift"), "\(told)")
    #expect(state.steps == 0)
    // Where the data are no numbers, they are named.
    let net = try Self.step()
    var other = net.initialState()
    let x = HostTensor.f32([2, 4], [1, 2, 3, 4, 5, .nan, 7, 8])
    let data = message { try net.fit(&other, try TensorDataset(x, .i64([2], [0, 1])), epochs: 1, batch: 2) }
    #expect(data.contains("'input' is nan at element 5, in row 1, before the step computes anything"), "\(data)")
  }

  @Test func aFullDiskKeepsTheLastEpoch() throws {
    let step = try Self.step()
    var state = step.initialState()
    let told = message {
      try step.fit(&state, try Self.data(20), epochs: 3, batch: 10, checkpoints: Checkpoints("/dev/full"))
    }
    #expect(told.contains("/dev/full cannot be written: No space left on device"))
    #expect(state.epochs == 1 && state.steps == 2)
  }

  @Test func historiesAreFiles() throws {
    let step = try Self.step()
    var state = step.initialState()
    let history = try step.fit(
      &state, try Self.data(20), epochs: 2, batch: 10, validate: { _ in ["loss": 0.5, "gap": 1] })
    try withScratchFolder { folder in
      try history.save("\(folder)/h.csv")
      #expect(
        history.csv.hasPrefix("epoch,learning_rate,accuracy,loss,validation_gap,validation_loss,seconds\n1,0.01,"))
      #expect(try TrainingHistory(reading: "\(folder)/h.csv").epochs == history.epochs)
      try "epoch,learning_rate,loss,seconds\n1,0.1,x,3\n".write(
        toFile: "\(folder)/x.csv", atomically: true, encoding: .utf8)
      #expect(message { try TrainingHistory(reading: "\(folder)/x.csv") }.contains("line 2 must have 4 numbers"))
    }
  }

  final class Lines: @unchecked Sendable {
    private let lock = NSLock()
    private var all = ""
    var text: String { lock.withLock { all } }
    func add(_ text: String) { lock.withLock { all += text } }
  }

  @Test func progressIsALineOnATerminalAndPlainInAPipe() throws {
    let step = try Self.step(), data = try Self.data(20)
    let (pipe, terminal) = (Lines(), Lines())
    var state = step.initialState()
    try step.fit(
      &state, data, epochs: 2, batch: 10, display: ProgressDisplay(isTerminal: false) { pipe.add($0) },
      validate: { _ in ["loss": 0.25] })
    let lines = pipe.text.split(separator: "\n")
    #expect(lines.count == 2 && !pipe.text.contains("\r"))
    #expect(
      lines[0].wholeMatch(
        of: /epoch 1\/2: loss [0-9.]+, accuracy [0-9.]+, validation loss 0\.25, [0-9.]+ samples\/s, [0-9.e-]+ s/)
        != nil, "\(lines[0])")
    // Three more epochs of a run that has done two.
    try step.fit(
      &state, data, epochs: 3, batch: 10, display: ProgressDisplay(isTerminal: true, width: 200) { terminal.add($0) })
    #expect(
      terminal.text.firstMatch(
        of: /\repoch 3\/5  1\/2  loss [0-9.]+  accuracy [0-9.]+  [0-9.]+ samples\/s  [0-9]+:[0-9]{2} left\u{1b}\[K/)
        != nil, "\(terminal.text)")
    #expect(terminal.text.contains("epoch 5/5: "))
    #expect(terminal.text.hasSuffix(" s\n") && !terminal.text.hasSuffix("\n\n"))
    let narrow = Lines()
    try step.fit(
      &state, data, epochs: 1, batch: 10, display: ProgressDisplay(isTerminal: true, width: 12) { narrow.add($0) })
    #expect(narrow.text.contains("\repoch 6/6  1\u{1b}[K"))
  }

  @Test func evaluationIsThatOfUse() throws {
    let step = try Self.step(), data = try Self.data(90)
    var state = step.initialState(seed: 1)
    try step.fit(&state, data, epochs: 2, batch: 10)
    let evaluation = try evaluation(Net(), .f32("n", 4), .i64("n"), loss: crossEntropy, metrics: ["accuracy": accuracy])
    let one = try evaluation(state.parameters, data, batch: 90)
    let many = try evaluation(state.parameters, data, batch: 40, workers: 1)
    for name in ["loss", "accuracy"] {
      #expect(abs(one[name]! - many[name]!) < 1e-5, "batches of other sizes count by samples")
    }
    // Against the model, bound and run.
    let scores = try withScratchFolder { folder in
      try trace(Net(), .f32("n", 4)).bound(to: state.parameters).compile(to: "\(folder)/n.so").run(data.tensors[0])[0]
    }.array(of: Float.self)
    let labels = try #require(data.tensors[1].integers)
    let right = (0..<90).count { row in scores[(3 * row)..<(3 * row + 3)].max() == scores[3 * row + labels[row]] }
    #expect(abs(one["accuracy"]! - Double(right) / 90) < 1e-6)
    #expect(message { try evaluation(ParameterStore(), data) }.split(separator: "\n").count == 8)
    // A mistake is told with the line of who asked.
    let here = #line + 2
    let told = message {
      _ = try Sinter.evaluation(Net(), .f32(2, 4), .i64(2), loss: { scores, _ in scores.matmul(scores) })
    }
    #expect(told.contains("FitTests.swift:\(here)"), "\(told)")
  }

  @Test func wrongBatchesAreRefused() throws {
    let step = try Self.step()
    var state = step.initialState()
    #expect(
      message { try step.fit(&state, try Self.data(5), epochs: 1, batch: 6) }.contains(
        "5 samples, fewer than a batch of 6"))
    #expect(message { try step.fit(&state, try Self.data(5), epochs: 1, batch: 0) }.contains("a batch of 0"))
    #expect(try step.fit(&state, try Self.data(5), epochs: 0, batch: 5).epochs.isEmpty)
  }
}
