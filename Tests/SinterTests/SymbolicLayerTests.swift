import Foundation
import Sinter
import Testing

/// The same layers traced for any sizes: results are those stored for the sizes at hand, and one library serves others too, a batch of none
/// among them.
@Suite struct SymbolicLayerTests {
  /// For each input its sizes, where -1 stands for the stored one.
  static let sizes: [String: [[Dim]]] = [
    "Linear.noBias": [["n", "m", -1]], "Embedding": [["n", "m"]], "Bilinear": [["n", -1], ["n", -1]],
    "Conv1d": [["n", -1, "w"]], "Conv2d": [["n", -1, "h", "w"]], "Conv2d.reflect": [["n", -1, "h", "w"]],
    "ConvTranspose2d": [["n", -1, "h", "w"]], "MaxPool2d.ceil": [["n", -1, "h", "w"]],
    "AvgPool2d.ceil": [["n", -1, "h", "w"]], "AdaptiveAvgPool2d": [["n", -1, -1, -1]],
    "AdaptiveAvgPool2d.one": [["n", -1, "h", "w"]], "GLU": [["n", -1]], "PReLU.channels": [["n", -1, "w"]],
    "BatchNorm1d": [["n", -1]], "InstanceNorm2d": [["n", -1, "h", "w"]], "LayerNorm": [["n", -1, -1]],
    "RMSNorm": [["n", "m", -1]], "GroupNorm": [["n", -1, "h", "w"]], "LocalResponseNorm": [["n", -1, "h", "w"]],
    "Upsample.nearest": [["n", -1, "h", "w"]], "Upsample.bilinear": [["n", -1, "h", "w"]],
    "PixelShuffle": [["n", -1, "h", "w"]], "RNN": [["t", "n", -1]], "RNN.relu": [["n", "t", -1]],
    "LSTM": [["t", "n", -1]], "LSTM.deep": [["n", "t", -1]],
    "LSTM.states": [["t", "n", -1], [2, "n", -1], [2, "n", -1]],
    "LSTM.lengths": [["n", "t", -1], ["n"]], "GRU": [["t", "n", -1], [2, "n", -1]], "LSTMCell.first": [["n", -1]],
    "GRUCell": [["n", -1], ["n", -1]], "MultiheadAttention": [["l", "n", -1], ["s", "n", -1], ["s", "n", -1]],
    "MultiheadAttention.masks": [["n", "l", -1], ["n", "l", -1], ["n", "l", -1], ["l", "l"], ["n", "l"]],
    "attention.causal": [["n", -1, "l", -1], ["n", -1, "l", -1], ["n", -1, "l", -1]],
    "TransformerEncoderLayer": [["l", "n", -1]], "TransformerEncoder": [["n", "l", -1]],
    "TransformerDecoderLayer": [["l", "n", -1], ["s", "n", -1], ["l", "l"]],
    "Transformer": [["n", "s", -1], ["n", "l", -1], ["l", "l"]], "cat": [["n", 3], ["n", 1]],
    "deviation": [["a", "b", -1]], "reductions": [["n", "m"]], "norm": [["n", "m"]], "cumsum": [["n", "m"]],
    "sort": [["n", "m"]], "flip": [["n", "m"]], "triangles": [["n", -1, -1]], "topk": [["n", "m"]],
    "repeat": [["n", "m"]], "elementwise": [["n", "m"]], "einsum": [["n", 3, 4], ["n", 4, 2]],
    "masked_fill": [["n", "m"]], "where": [["n", "m"], ["n", "m"]], "one_hot": [["n", "m"]], "pad": [["n", "m", -1]],
  ]

  @Test(arguments: sizes.keys.sorted()) func anySizesEqualPyTorch(_ name: String) throws {
    let store = try LayerTests.fixture.get()
    let c = try #require(LayerTests.cases.first { $0.name == name })
    let inputs = LayerTests.list("\(name)/in", in: store), expected = LayerTests.list("\(name)/out", in: store)
    let given = try #require(Self.sizes[name])
    let specs = zip(inputs, given).map { tensor, sizes -> InputSpec in
      var spec = LayerTests.spec(tensor)
      spec.type = TensorType(
        tensor.element, zip(sizes, tensor.shape).map { size, stored in size == -1 ? Dim(stored) : size })
      return spec
    }
    let (model, run) = c.make()
    var parameters = ParameterStore()
    let prefix = "\(name)/param/"
    for key in store.names where key.hasPrefix(prefix) && !key.hasSuffix("num_batches_tracked") {
      parameters[String(key.dropFirst(prefix.count))] = store[key]
    }
    let traced = try trace(model, specs, mode: c.mode) { run($0) }
    try withScratchFolder { folder in
      let library = try traced.bound(to: parameters).compile(to: "\(folder)/liblayer.so")
      let results = try library.run(list: inputs)
      #expect(results.map(\.shape) == expected.map(\.shape))
      for (result, expected) in zip(results, expected) {
        let worst =
          zip(result.doubles ?? [], expected.doubles ?? []).map { abs($0 - $1) / Swift.max(1, abs($1)) }.max() ?? 0
        #expect(worst < 2e-5, "\(name) differs by \(worst)")
      }
      // None and one along the axis `n`, where there is one: what comes out has that size as well, or the library says why not.
      guard given.joined().contains("n") else { return }
      for count in [0, 1] {
        let others = zip(inputs, given).map { tensor, sizes -> HostTensor in
          let shape = zip(tensor.shape, sizes).map { $1 == "n" ? count : $0 }
          let total = shape.reduce(1, *)
          let numbers =
            Array((tensor.doubles ?? []).prefix(total))
            + [Double](repeating: 1, count: Swift.max(0, total - tensor.count))
          return HostTensor(tensor.element, shape, doubles: numbers)
        }
        do {
          let results = try library.run(list: others)
          #expect(results.allSatisfy { $0.count >= 0 })
        } catch let error {
          #expect("\(error)".contains("must") || "\(error)".contains("index"), "\(error)")
        }
      }
    }
  }
}
