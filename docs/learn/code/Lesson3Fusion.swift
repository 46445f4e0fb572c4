import Sinter

// region: net
struct Block: UnaryLayer {
  var up = Linear(64, 256)
  var down = Linear(256, 64)
  var norm = LayerNorm(64)

  func forward(_ x: Tensor) -> Tensor {
    norm(x + down(up(x).gelu()))
  }
}
// endregion

func fusion() throws {
  // region: export
  try trace(Block(), .f32("n", 64, name: "x"), name: "block").initialized().export("block.onnx")
  // endregion

  // region: twice
  let twice = try trace((), [.f32("n", 64, name: "x"), .f32(64, 64, name: "w")], name: "twice") { inputs -> [Tensor] in
    let product = inputs[0].matmul(inputs[1])
    return [product.relu(), product.sum(0)]
  }.initialized()
  try twice.export("twice.onnx")
  // endregion
}
