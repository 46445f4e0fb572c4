import Foundation
import Sinter
import SinterCore
import Testing

/// Two steps on two numbers, each of which moves one: (a · b − 1)² by plain descent, with momentum for the second.
private struct Pair {
  var a = Parameter([1], initializer: .constant(0.5)), b = Parameter([1], initializer: .constant(0.25))

  func product(_ x: Tensor) -> Tensor { x * x.trace.tensor(a) * x.trace.tensor(b) }

  func steps() throws -> AlternatingSteps {
    func step(_ name: String, _ optimizer: some Optimizer) throws -> CompiledStep {
      try trainingStep(self, [.f32(1)], optimizer: optimizer, trainable: { $0 == name }) { inputs in
        ((product(inputs[0]) - 1).square().sum(), [])
      }.compile()
    }
    return try AlternatingSteps([
      "first": step("a", SGD(learningRate: 0.1)), "second": step("b", SGD(learningRate: 0.1, momentum: 0.5)),
    ])
  }
}

@Suite struct AlternatingStepsTests {
  private let one = HostTensor.f32([1], [1])

  private func number(_ state: AlternatingState, _ name: String) throws -> Double {
    try #require(state[name]?.doubles?.first)
  }

  @Test("each step sees what the other did, as the same descent in f64 does")
  func values() throws {
    let steps = try Pair().steps()
    var state = steps.initialState(seed: 1)
    var (a, b, buffer) = (0.5, 0.25, 0.0)
    for turn in 0..<6 {
      let first = try steps("first", &state, one)
      #expect(abs((first["loss"] ?? .nan) - (a * b - 1) * (a * b - 1)) < 1e-6, "turn \(turn)")
      a -= 0.1 * 2 * (a * b - 1) * b
      let second = try steps("second", &state, one)
      #expect(abs((second["loss"] ?? .nan) - (a * b - 1) * (a * b - 1)) < 1e-6, "turn \(turn)")
      let gradient = 2 * (a * b - 1) * a
      buffer = turn == 0 ? gradient : 0.5 * buffer + gradient
      b -= 0.1 * buffer
      #expect(abs(try number(state, "a") - a) < 1e-6, "turn \(turn)")
      #expect(abs(try number(state, "b") - b) < 1e-6, "turn \(turn)")
    }
    #expect(abs(try number(state, "second:b.momentum_buffer") - buffer) < 1e-5)
    #expect(state.steps(of: "first") == 6 && state.steps(of: "second") == 6)
    #expect(state.parameters.names == ["a", "b"])
  }

  @Test("what is frozen in a step gets no gradient")
  func frozen() throws {
    func nodes(_ trainable: @escaping (String) -> Bool) throws -> Int {
      let pair = Pair()
      return try trainingStep(pair, [.f32(1)], optimizer: SGD(), trainable: trainable) {
        ((pair.product($0[0]) - 1).square().sum(), [])
      }.graph.order.count
    }
    #expect(try nodes { $0 == "a" } < nodes { _ in true })
  }

  @Test("a run goes on from a file bit by bit")
  func checkpoint() throws {
    let path = FileManager.default.temporaryDirectory.path + "/alternating-\(UUID().uuidString).safetensors"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let steps = try Pair().steps()
    var state = steps.initialState(seed: 1)
    try steps("first", &state, one)
    try steps("second", &state, one)
    try state.save(path)
    var other = try steps.state(reading: path)
    for _ in 0..<2 {
      for name in steps.names {
        let (a, b) = (try steps(name, &state, one), try steps(name, &other, one))
        #expect(a["loss"]?.bitPattern == b["loss"]?.bitPattern)
      }
    }
    #expect(try number(state, "b").bitPattern == number(other, "b").bitPattern)
    #expect(other.steps(of: "second") == 3)

    var store = try ParameterStore(reading: path)
    store["second:b.momentum_buffer"] = nil
    store["c"] = .f32([1], [0])
    try store.save(path)
    let error = #expect(throws: DiagnosticError.self) { try steps.state(reading: path) }
    #expect(error?.diagnostics.map(\.id).sorted() == ["checkpoint.missing", "checkpoint.unknown"])
  }

  @Test("one parameter may have another name in each step")
  func names() throws {
    struct Outer { var inner: Pair }
    let pair = Pair(), outer = Outer(inner: pair)
    let first = try trainingStep(pair, [.f32(1)], optimizer: SGD(learningRate: 0.1), trainable: { $0 == "a" }) {
      (pair.product($0[0]).sum(), [])
    }.compile()
    let second = try trainingStep(
      outer, [.f32(1)], optimizer: SGD(learningRate: 0.1), trainable: { $0 == "inner.b" }
    ) { (outer.inner.product($0[0]).sum(), []) }.compile()
    let steps = try AlternatingSteps(["first": first, "second": second])
    var state = steps.initialState()
    try steps("first", &state, one)
    let loss = try steps("second", &state, one)["loss"] ?? .nan
    #expect(abs(loss - (0.5 - 0.025) * 0.25) < 1e-7)
    #expect(state.parameters["inner.a"]?.doubles == state.parameters["a"]?.doubles)
  }

  @Test("mistakes are told by name")
  func mistakes() throws {
    func step(_ pair: Pair) throws -> CompiledStep {
      try trainingStep(pair, [.f32(1)], optimizer: SGD()) { (pair.product($0[0]).sum(), []) }.compile()
    }
    let pair = Pair()
    let (one, other) = (try step(pair), try step(Pair()))
    let different = #expect(throws: DiagnosticError.self) { try AlternatingSteps(["x": one, "y": other]) }
    #expect(different?.diagnostics.first?.id == "alternating.parameter")
    #expect(different?.diagnostics.first?.message.contains("another parameter a") ?? false)
    let twice = #expect(throws: DiagnosticError.self) { try AlternatingSteps(["x": one, "x": one]) }
    #expect(twice?.diagnostics.first?.id == "alternating.name")
    let steps = try AlternatingSteps(["x": one])
    var state = steps.initialState()
    let unknown = #expect(throws: DiagnosticError.self) { try steps("z", &state, self.one) }
    #expect(unknown?.diagnostics.first?.id == "alternating.step")
  }
}
