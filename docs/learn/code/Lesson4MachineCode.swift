import Sinter

func machineCode() throws {
  // region: line
  let line = try trace((), [.f32("n", name: "x")], name: "line") { inputs -> Tensor in
    (2 * inputs[0] + 1).relu()
  }.initialized()
  try line.export("line.onnx")
  // endregion
}
