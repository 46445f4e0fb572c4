import SinterCore
import SinterGradient
import SinterIR
import SinterOps
import Testing

/// Libraries of gradients whose rules build with many operators, against the interpreter.
@Suite struct CompiledGradientTests {
  static let types: [any Operator.Type] = [
    AffineGrid.self, Attention.self, CenterCropPad.self, Col2Im.self, Compress.self, Conv.self, Cumulative.self,
    DFT.self, DeformConv.self, DepthToSpace.self, Det.self, Einsum.self, GatherND.self, GridSample.self,
    GroupNormalization.self, Inverse.self, LRN.self, LpPool.self, MaxUnpool.self, NegativeLogLikelihoodLoss.self,
    OneHot.self, Pad.self, Resize.self, ReverseSequence.self, RoiAlign.self, RotaryEmbedding.self, STFT.self,
    ScatterElements.self, ScatterND.self, Slice.self, SpaceToDepth.self, TensorScatter.self, TopK.self, Unique.self,
  ]

  @Test(arguments: types.map { OperatorGradientTests.Case(type: $0) })
  func agreesWithTheInterpreter(_ item: OperatorGradientTests.Case) throws {
    var tried = 0
    for (index, example) in item.type.examples.enumerated() {
      do {
        guard let check = try GradientCheck(example) else { continue }
        tried += 1
        // Places of samples are f32.
        let tolerance = item.type is Resize.Type ? 1e-6 : 1e-12
        try ControlFlowGradientTests.expectCompiled(check, example.sizes, "example \(index)", within: tolerance)
      } catch let error as DiagnosticError
        where error.diagnostics.allSatisfy({
          $0.message.contains(OperatorGradientTests.refused[item.type.name] ?? "no reason")
        })
      {
        // A case that is refused by name.
        continue
      }
    }
    #expect(tried > 0)
  }
}
