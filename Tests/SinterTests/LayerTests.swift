import Foundation
import Sinter
import Testing

/// Layers and functions against what PyTorch computes from the same parameters and inputs, which `Tests/Peers/layer_fixtures.py` has stored: results,
/// and gradients of the sum of all results times cos(0), cos(1), …
@Suite struct LayerTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let mode: Trace.Mode
    /// What holds the parameters, and what it does.
    let make: @Sendable () -> (model: Any, run: ([Tensor]) -> [Tensor])
    var testDescription: String { name }

    init(_ name: String, mode: Trace.Mode = .evaluate, _ layer: @escaping @Sendable () -> some UnaryLayer) {
      self.name = name
      self.mode = mode
      make = {
        let layer = layer()
        return (layer, { [layer($0[0])] })
      }
    }

    init<Model>(
      _ name: String, _ model: @escaping @Sendable () -> Model,
      _ run: @escaping @Sendable (Model, [Tensor]) -> [Tensor]
    ) {
      self.name = name
      mode = .evaluate
      make = {
        let model = model()
        return (model, { run(model, $0) })
      }
    }

    init(_ name: String, _ function: @escaping @Sendable ([Tensor]) -> [Tensor]) {
      self.name = name
      mode = .evaluate
      make = { ((), function) }
    }
  }

  static let fixture = Result {
    try ParameterStore(
      reading: URL(filePath: #filePath).deletingLastPathComponent().path + "/Fixtures/layers.safetensors")
  }

  static func list(_ prefix: String, in store: ParameterStore) -> [HostTensor] {
    var found: [HostTensor] = []
    while let tensor = store["\(prefix)\(found.count)"] { found.append(tensor) }
    return found
  }

  static func spec(_ tensor: HostTensor) -> InputSpec {
    var spec = InputSpec.f32()
    spec.type = tensor.type
    return spec
  }

  /// Every stored case is one of these tests, and the other way round.
  @Test func casesAreThoseOfPyTorch() throws {
    let stored = Set(try Self.fixture.get().names.compactMap { $0.split(separator: "/").first.map(String.init) })
    let tested = Set(Self.cases.map(\.name))
    #expect(stored.subtracting(tested).sorted() == [])
    #expect(tested.subtracting(stored).sorted() == [])
  }

  @Test(arguments: cases) func equalsPyTorch(_ c: Case) throws {
    let store = try Self.fixture.get()
    let inputs = Self.list("\(c.name)/in", in: store), expected = Self.list("\(c.name)/out", in: store)
    let prefix = "\(c.name)/param/"
    var parameters = ParameterStore()
    for name in store.names where name.hasPrefix(prefix) && !name.hasSuffix("num_batches_tracked") {
      parameters[String(name.dropFirst(prefix.count))] = store[name]
    }
    let gradients = store.names.filter { $0.hasPrefix("\(c.name)/grad/") }
    func traced(withGradients: Bool) throws -> TracedModel {
      let (model, run) = c.make()
      let held = Dictionary(
        namedParameters(of: model).map { ($0.name, $0.parameter) }, uniquingKeysWith: { a, _ in a })
      return try trace(model, inputs.map(Self.spec), mode: c.mode) { tensors in
        let results = run(tensors)
        guard withGradients else { return results }
        let wanted = gradients.map { name -> Tensor in
          let short = String(name.dropFirst("\(c.name)/grad/".count))
          if short.hasPrefix("in"), let place = Int(short.dropFirst(2)) { return tensors[place] }
          return held[short].map { tensors[0].trace.tensor($0) } ?? tensors[0]
        }
        let parts = results.filter { $0.element.isFloat }.map { result -> Tensor in
          let shape = result.shape.compactMap(\.value)
          let weights = (0..<shape.reduce(1, *)).map { cos(Double($0)) }
          return (result * tensors[0].trace.constant(HostTensor(.f32, shape, doubles: weights))).sum()
        }
        let loss = parts.dropFirst().reduce(parts[0], +)
        return results + tensors[0].trace.gradients(of: loss, withRespectTo: wanted)
      }
    }
    var model = try traced(withGradients: false)
    var results = expected
    #expect(
      Set(model.parameters.map(\.name)).isSubset(of: Set(parameters.names)), "names are PyTorch's: \(parameters.names)")
    if !gradients.isEmpty {
      model = try traced(withGradients: true)
      results += gradients.compactMap { store[$0] }
    }
    // For Tests/Peers/test_layers.py, which runs what is exported in ONNX Runtime.
    if let folder = ProcessInfo.processInfo.environment["SINTER_LAYER_FILES"] {
      let plain = try traced(withGradients: false).bound(to: parameters)
      try plain.optimized().export("\(folder)/\(c.name).onnx")
    }
    try withScratchFolder { folder in
      let library = try model.bound(to: parameters).compile(to: "\(folder)/liblayer.so")
      let given = try library.run(list: inputs)
      #expect(given.count == results.count)
      let resultCount = results.count - gradients.count
      for (place, (given, expected)) in zip(given, results).enumerated() {
        let what = place < resultCount ? "result \(place)" : gradients[place - resultCount]
        #expect(
          given.shape == expected.shape && given.element == expected.element,
          "\(what): \(given.type), PyTorch has \(expected.type)")
        guard let a = given.doubles, let b = expected.doubles, a.count == b.count else {
          Issue.record("\(what) has other elements")
          continue
        }
        let worst =
          zip(a, b).map { x, y in
            x == y || (x.isNaN && y.isNaN) ? 0 : abs(x - y) / Swift.max(1, abs(y))
          }.max() ?? 0
        #expect(
          worst < (place < resultCount ? 1e-5 : 2e-5),
          "\(what) differs by \(worst): \(a.prefix(12)), PyTorch has \(b.prefix(12))")
      }
    }
  }
}
