import Sinter

func onnxFiles() throws {
  // region: export
  let net = Sequential(Linear(4, 8), Tanh(), Linear(8, 3), Softmax(-1))
  let model = try trace(net, .f32("batch", 4, name: "features"), name: "iris")
    .initialized(seed: 7)
  try model.export("iris.onnx")
  // endregion
}
