import Sinter
import SinterIR
import Testing

private struct Wrong: UnaryLayer {
  var first = Linear(4, 8)
  var second = Linear(9, 2)
  var conv = Conv2d(3, 4, kernel: 3)
  func forward(_ x: Tensor) -> Tensor { conv(second(first(x))) }
}

private struct Shared: UnaryLayer {
  var fc: Linear
  var same: Linear
  init() {
    fc = Linear(4, 4)
    same = fc
  }
  func forward(_ x: Tensor) -> Tensor { same(fc(x)) }
}

private struct Block: UnaryLayer {
  var body = Sequential(Linear(4, 6), ReLU(), Linear(6, 2))
  var norm = BatchNorm1d(2)
  func forward(_ x: Tensor) -> Tensor { norm(body(x)) }
}

@Suite struct TraceTests {
  @Test func parametersHavePyTorchsNames() throws {
    let traced = try trace(Block(), .f32("n", 4))
    #expect(
      traced.parameters.map(\.name) == [
        "body.0.weight", "body.0.bias", "body.2.weight", "body.2.bias", "norm.weight", "norm.bias", "norm.running_mean",
        "norm.running_var",
      ])
  }

  @Test func sharedHandlesAreOneParameter() throws {
    #expect(try trace(Shared(), .f32(1, 4)).parameters.map(\.name) == ["fc.weight", "fc.bias"])
  }

  @Test func mistakesNameLayerAndLine() throws {
    do {
      _ = try trace(Wrong(), .f32("n", 4))
      Issue.record("the sizes do not fit")
    } catch let error as DiagnosticError {
      #expect(error.diagnostics.count == 1)
      let text = error.description
      #expect(text.contains("8") && text.contains("9"))
      #expect(text.contains("layer second") && text.contains("TraceTests.swift:"))
    }
  }

  @Test func missingAndMisshapenParametersAreAllListed() throws {
    let traced = try trace(Block(), .f32("n", 4))
    var store = ParameterStore(initializing: traced.parameters, seed: 1)
    store["body.0.bias"] = nil
    store["body.2.weight"] = .f32([3], [1, 2, 3])
    do {
      _ = try traced.bound(to: store)
      Issue.record("two parameters do not fit")
    } catch let error as DiagnosticError {
      #expect(error.diagnostics.map(\.id) == ["parameters.missing", "parameters.shape"])
    }
  }

  @Test func nodesCarryLayerPaths() throws {
    let graph = try trace(Block(), .f32("n", 4)).graph
    let paths = Set(graph.order.compactMap { graph.nodes[$0].origin.first?.path })
    #expect(paths.isSuperset(of: ["body.0", "body.2", "norm"]))
  }
}
