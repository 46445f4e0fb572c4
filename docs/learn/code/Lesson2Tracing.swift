import Sinter

// region: net
struct Classifier: UnaryLayer {
  var hidden = Linear(2, 4)
  var drop = Dropout(0.5)
  var out = Linear(4, 3)

  func forward(_ x: Tensor) -> Tensor {
    print("forward runs on", x)
    return out(drop(hidden(x).relu()))
  }
}
// endregion

func tracing() throws {
  // region: trace
  let model = try trace(Classifier(), .f32("n", 2))
  print(model.graph)
  // endregion

  // region: modes
  func operators(_ mode: Trace.Mode) throws -> [String] {
    let graph = try trace(Classifier(), .f32("n", 2), mode: mode).graph
    return graph.order.map { type(of: graph.nodes[$0].op).name }
  }
  print(try operators(.evaluate))
  print(try operators(.train))
  // endregion

  // region: choice
  let steps = try trace((), [.f32("n", name: "x")], name: "steps") { inputs -> Tensor in
    let x = inputs[0]
    return (x > 0).where(x, 0.1 * x)
  }.initialized()
  print(try steps.compile(to: "libsteps.so").run(.f32([3], [-10, 0, 10]))[0].array(of: Float.self))
  // endregion

  // region: mistakes
  do {
    _ = try trace((), [.f32("n", 2, name: "x")]) { inputs -> Tensor in
      let x = inputs[0]
      let product = x.matmul(zeros(3, 4))
      let sum = x + zeros(7)
      return product.sum() + sum.sum()
    }
  } catch {
    print(error)
  }
  // endregion

  try model.initialized(seed: 1).export("classifier.onnx")
}
