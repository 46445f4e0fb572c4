import Sinter

// region: net
struct Digits: UnaryLayer {
  var hidden = Linear(64, 32)
  var out = Linear(32, 10)

  func forward(_ x: Tensor) -> Tensor { out(hidden(x).relu()) }
}
// endregion

func quantization() throws {
  // region: data
  func digits(_ part: String) throws -> TensorDataset {
    let images = try IdxFile.read("digits/\(part)-images-idx3-ubyte")
    let labels = try IdxFile.read("digits/\(part)-labels-idx1-ubyte")
    return try TensorDataset(
      .f32([images.shape[0], 64], images.array(of: UInt8.self).map { Float($0) / 16 }),
      .i64(labels.shape, labels.array(of: UInt8.self).map { Int($0) }))
  }
  // endregion

  // region: train
  let step = try trainingStep(
    Digits(), .f32(32, 64), .i64(32), optimizer: Adam(learningRate: 1e-2), loss: crossEntropy
  ).compile()
  var state = step.initialState(seed: 123)
  try step.fit(&state, digits("train"), epochs: 8, batch: 32)
  try trace(Digits(), .f32("n", 64, name: "image"), name: "digits")
    .bound(to: state.parameters).export("digits.onnx")
  // endregion
}
