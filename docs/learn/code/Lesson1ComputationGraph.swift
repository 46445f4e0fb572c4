import Sinter

func computationGraph() throws {
  // region: numbers
  let x = tensor(3.0, requiresGradient: true)
  let y = 2 * x * x + 2
  try y.backward()
  print(y)
  print(x.grad!)
  // endregion

  // region: symbols
  let square = try trace((), [.f32(name: "x")], name: "square") { inputs -> Tensor in
    let x = inputs[0]
    return 2 * x * x + 2
  }.initialized()
  print(square.graph)
  // endregion

  // region: run
  let library = try square.compile(to: "libsquare.so")
  print(try library.run(.f32([], [3]))[0].array(of: Float.self))
  try square.export("square.onnx")
  // endregion

  // region: gradient
  let slope = try trace((), [.f32(name: "x")], name: "slope", outputs: ["y", "dy_dx"]) { inputs -> [Tensor] in
    let x = inputs[0]
    let y = 2 * x * x + 2
    return [y] + y.gradients(withRespectTo: x)
  }.initialized()
  try slope.export("slope.onnx")
  print(try slope.compile(to: "libslope.so").run(.f32([], [3])).map { $0.array(of: Float.self)[0] })
  // endregion
}
