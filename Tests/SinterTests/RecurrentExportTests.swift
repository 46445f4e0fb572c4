import Sinter
import SinterIR
import SinterONNX
import Testing

/// What becomes of recurrent layers in use: PyTorch's order of gates costs nothing, and the file says what the layer was made with.
@Suite struct RecurrentExportTests {
  struct Net: Layer {
    var lstm = LSTM(3, 4, layers: 2, bidirectional: true)
    var gru = GRU(8, 5)
    var rnn = RNN(5, 2, nonlinearity: .relu)
    func callAsFunction(_ x: Tensor) -> Tensor { rnn(gru(lstm(x).0).0).0 }
  }

  @Test func gatesAreInOrderBeforeTheModelRuns() throws {
    let net = Net()
    let model = try trace(net, [.f32("steps", "batch", 3)]) { net($0[0]) }.initialized(seed: 1)
    try withScratchFolder { folder in
      try model.optimized().export("\(folder)/net.onnx")
      let file = try OnnxFile(reading: "\(folder)/net.onnx")
      let types = file.graph.nodes.map(\.operatorType)
      #expect(Set(types).isDisjoint(with: ["Split", "Concat", "Slice", "Unsqueeze"]), "\(types)")
      let sizes = file.graph.nodes.flatMap { node in
        node.attributes.compactMap { attribute -> String? in
          attribute.name == "hidden_size" ? "\(node.operatorType) \(attribute.value)" : nil
        }
      }
      #expect(sizes == ["LSTM int(4)", "LSTM int(4)", "GRU int(5)", "RNN int(2)"], "\(sizes)")
    }
  }
}
