import SinterCore
import SinterGradient
import SinterIR
import SinterOps
import TestSupport
import Testing

/// The gradient of every operator that has one, on its examples, against central differences in f64.
@Suite struct OperatorGradientTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var type: any Operator.Type
    var testDescription: String { type.name }
  }

  static let differentiable = OpTable.standard.all.filter { $0 is any Differentiable.Type || $0 is any Composite.Type }
    .filter { untried[$0.name] == nil }.map { Case(type: $0) }

  /// Operators without an example that differences can judge, and why.
  static let untried: [String: String] = [
    "StopGradient": "its gradient is none by definition",
    "CastLike": "its examples give integers", "Compare": "its results are truth values",
    "Constant": "it has no inputs", "KeyedUniform": "its numbers follow from integers",
  ]

  @Test(arguments: differentiable)
  func agreesWithDifferences(_ item: Case) throws {
    var tried = 0
    for (index, example) in item.type.examples.enumerated() {
      let check: GradientCheck
      do {
        guard let found = try GradientCheck(example) else { continue }
        check = found
      } catch let error as DiagnosticError where error.diagnostics.allSatisfy({ $0.kind == .limit }) {
        // A case that is refused by name.
        continue
      }
      tried += 1
      try check.expectAgreement("example \(index)")
    }
    // What only computes on integers has no gradient to try.
    let computesFloats = item.type is any Differentiable.Type
    #expect(tried > 0 || !computesFloats, "none of \(item.type.examples.count) examples could be tried")
  }
}

extension GradientCheck {
  /// An operator's example in f64. Nil where the operator does not compute in f64, or has no float that it could be differentiated in.
  init?(_ example: OperatorExample) throws {
    var builder = GraphBuilder(name: "trial")
    var generator = SeededGenerator(seed: 11)
    var values = [ValueID?](repeating: nil, count: example.inputs.count)
    var tensors: [HostTensor] = []
    var varied: [Varied] = []
    func wide(_ tensor: HostTensor) -> HostTensor {
      guard tensor.element.isFloat else { return tensor }
      return HostTensor(.f64, tensor.shape, doubles: tensor.doubles ?? [])
    }
    for (index, input) in example.inputs.enumerated() {
      switch input {
      case .absent: continue
      case .constant(let tensor): values[index] = builder.constant(wide(tensor))
      case .given(let tensor):
        values[index] = builder.input(Fact(.tensor(wide(tensor).type)), named: "x\(index)")
        tensors.append(wide(tensor))
      case .random(let type, let range):
        let shape = try type.shape.map { try #require($0.evaluated { example.sizes[$0] }) }
        let element = type.element.isFloat ? ElementType.f64 : type.element
        let tensor = HostTensor.uniform(element, shape, in: range, &generator)
        let value = builder.input(Fact(.tensor(TensorType(element, type.shape))), named: "x\(index)")
        values[index] = value
        if element == .f64, tensor.count > 0 {
          varied.append(Varied(name: "input \(index)", place: tensors.count, value: value))
        }
        tensors.append(tensor)
      }
    }
    guard let outputs = try? builder.add(example.op, values, outputs: example.outputCount) else { return nil }
    let results = example.op is BatchNormalization ? Array(outputs.prefix(1)) : outputs
    try self.init(builder, results, tensors, varied: varied, sizes: example.sizes)
  }
}
