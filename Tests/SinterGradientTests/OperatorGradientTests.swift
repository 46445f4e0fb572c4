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
    "MatMulNBits": "it does not compute in f64; PackedWeightTests has its gradient",
  ]

  /// What messages say of the examples that have no gradient.
  static let refused: [String: String] = [
    "Attention": "not known ahead of time", "Col2Im": "must be known ahead of time", "Conv": "channels must be axis 1",
    "DFT": "must be known ahead of time", "Reduce": "must be known ahead of time",
    "Resize": "keep_aspect_ratio_policy", "Slice": "must be known ahead of time",
    "Tile": "must be known ahead of time", "GroupQueryAttention": "must be known ahead of time",
  ]

  /// Operators without a gradient, and why. All others have a rule or an expansion, or take or give no floats.
  static let withoutGradient: [String: String] = [
    "BitCast": "bits are no numbers", "CosineWindow": "made of an integer", "MelWeightMatrix": "made of integers",
    "PairwiseCoupling": "a search of its own, in a trained model",
    "DynamicQuantizeLSTM": "its weights are bytes", "GatherBlockQuantized": "its data are bytes",
    "UnpackedBlocks": "its weights are bytes",
    "Float8MatMul": "made of a MatMul when a graph is compiled, after its gradient", "QLinearBinary": "bytes to bytes",
    "QLinearGlobalAveragePool": "bytes to bytes", "DynamicQuantizeLinear": "gives bytes",
    "QuantizeLinear": "gives bytes", "Requantize": "gives bytes", "Multinomial": "gives integers",
    "NGramRepeatBlock": "sets scores to what is given", "TfIdfVectorizer": "counts integers",
  ]

  /// Every operator that takes floats, or texts and integers of which it makes floats, is differentiated or named.
  @Test(arguments: OpTable.standard.all.map { Case(type: $0) })
  func hasAGradientOrAReason(_ item: Case) throws {
    let has =
      item.type is any Differentiable.Type || item.type is any Composite.Type || item.type is any ControlFlow.Type
    let isNamed = Self.withoutGradient[item.type.name] != nil
    #expect(!(has && isNamed), "has a gradient by now: take it out of the list")
    if has || isNamed { return }
    for example in item.type.examples {
      let facts = example.inputs.map { input -> Fact? in
        switch input {
        case .absent: nil
        case .constant(let tensor): Fact(constant: tensor)
        case .given(let tensor): Fact(.tensor(tensor.type))
        case .random(let type, _): Fact(.tensor(type))
        }
      }
      var builder = GraphBuilder(name: "example")
      let inputs = facts.enumerated().map { index, fact in fact.map { builder.input($0, named: "x\(index)") } }
      guard let results = try? builder.add(example.op, inputs, outputs: example.outputCount) else { continue }
      let takesFloats = facts.contains { $0?.type.tensor?.element.isFloat ?? false }
      let givesFloats = results.contains { builder.fact($0).type.tensor?.element.isFloat ?? false }
      #expect(!(takesFloats && givesFloats), "give it a rule, or a reason why it has none")
    }
  }

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
        let reason = Self.refused[item.type.name] ?? ""
        #expect(
          !reason.isEmpty && error.diagnostics.allSatisfy { $0.message.contains(reason) },
          "example \(index): \(error.diagnostics.map(\.message))")
        continue
      }
      tried += 1
      try check.expectAgreement("example \(index)")
    }
    // What only computes on integers has no gradient to try.
    let computesFloats = item.type is any Differentiable.Type && !(item.type is any PiecewiseConstant.Type)
    #expect(tried > 0 || !computesFloats, "none of \(item.type.examples.count) examples could be tried")
  }

  /// Weights whose sizes only a run knows pad by a computed number, and are summed in another order than the examples' are.
  @Test func causalConvolutionsByOpenWeightsAgree() throws {
    func random(_ shape: [Dim]) -> OperatorExample.Input { .random(TensorType(.f32, shape), -1...1) }
    let example = OperatorExample(
      CausalConvWithState(), [random(["n", "c", 6]), random(["c", 1, "k"]), random(["c"])], outputs: 2,
      sizes: [Symbol("n"): 2, Symbol("c"): 3, Symbol("k"): 4])
    try #require(try GradientCheck(example)).expectAgreement("open weights")
  }
}

extension GradientCheck {
  /// An operator's example in f64. Nil where the operator does not compute in f64, or has no float that it could be differentiated in.
  ///
  /// - Parameter order: 2 for the gradients of its gradients.
  init?(_ example: OperatorExample, order: Int = 1) throws {
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
    var results = example.op is BatchNormalization ? Array(outputs.prefix(1)) : outputs
    if order == 2 {
      guard
        let check = try GradientCheck(builder, results, tensors, varied: varied, sizes: example.sizes)
      else { return nil }
      (results, tensors) = (check.backward.outputs.map(\.value), check.inputs)
      builder = GraphBuilder(check.backward.withoutOutputs())
    }
    try self.init(builder, results, tensors, varied: varied, sizes: example.sizes)
  }
}

extension Graph {
  /// The same values and nodes, of which others may be outputs.
  fileprivate func withoutOutputs() -> Graph {
    var copy = self
    copy.outputs = []
    return copy
  }
}
