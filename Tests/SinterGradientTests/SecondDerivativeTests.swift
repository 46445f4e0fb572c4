import SinterCore
import SinterGradient
import SinterIR
import SinterOps
import Testing

/// Gradients of gradients against central differences, for operators whose rules build with many others.
@Suite struct SecondDerivativeTests {
  static let smooth: [any Operator.Type] = [
    Attention.self, AveragePool.self, BatchNormalization.self, Binary.self, Concat.self, Conv.self, ConvTranspose.self,
    Cumulative.self, DFT.self, Det.self, Einsum.self, Elu.self, Gather.self, Gelu.self, Gemm.self, GridSample.self,
    GroupNormalization.self, Inverse.self, LRN.self, LayerNormalization.self, LpPool.self, MatMul.self, Pad.self,
    RMSNormalization.self, RNN.self, Reduce.self, Resize.self, Slice.self, Softmax.self, SwiGLU.self, TopK.self,
    Unary.self, Where.self,
  ]

  @Test(arguments: smooth.map { OperatorGradientTests.Case(type: $0) })
  func agreeWithDifferences(_ item: OperatorGradientTests.Case) throws {
    var tried = 0
    for (index, example) in item.type.examples.enumerated() where tried < 3 {
      do {
        guard let check = try GradientCheck(example, order: 2) else { continue }
        tried += 1
        try check.expectAgreement("example \(index)", within: 1e-5)
      } catch let error as DiagnosticError where error.diagnostics.allSatisfy({ $0.kind == .limit }) {
        // A case that is refused by name.
        continue
      }
    }
    #expect(tried > 0)
  }
}
