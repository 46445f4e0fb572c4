import SinterCore
import SinterForms
import SinterIR

/// How the losses of all samples become one.
public enum LossReduction: String, CaseIterable, Sendable { case none, sum, mean }

/// The negative of each sample's element at its target class, weighted by class. Inputs: x [n, classes, …], targets [n, …], weights
/// [classes]. Targets equal to `ignore_index` do not count.
public struct NegativeLogLikelihoodLoss: Primitive {
  public static let name = "NegativeLogLikelihoodLoss"
  public static let summary = "The negative of the element at each sample's target class, weighted."

  /// The target that does not count, which need not be a class; nil: all count.
  public var ignoreIndex: Int?
  /// What becomes of the samples' losses: nothing, their sum, or their mean by weight.
  public var reduction = LossReduction.mean

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.optionalInt("ignore_index", &ignoreIndex)
    list.choice("reduction", &reduction, default: .mean)
  }

  public static var onnx: [OnnxRule] { [.direct(NegativeLogLikelihoodLoss.self, since: 12)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 13) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (x, target) = (try inputs.tensor(0), try inputs.indices(1))
    try requireElement(x) { $0.isFloat }
    guard x.rank >= 2, target.rank == x.rank - 1 else {
      throw DiagnosticError(
        .user, "loss.shape", "x must be [n, classes, …] and the targets [n, …], but are \(x) and \(target)")
    }
    let samples = try obligations.equal(
      [x.shape[0]] + x.shape[2...], target.shape, "sizes of the samples of \(x) and of the targets \(target)")
    if inputs.has(2) { try obligations.matchChannels(inputs, 2, x.shape[1], "classes") }
    try inputs.requireKnown(1, "target", below: x.shape[1], ignoring: ignoreIndex)
    return [Fact(x.element, reduction == .none ? samples : [])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (x, target) = (try node.input(0), try node.input(1))
    let weight = node.has(2) ? try node.input(2) : nil
    let compute = x.element.computeType
    let classes = x.shape[1]

    let noClass = lowering.error("NegativeLogLikelihoodLoss: target %0 lies outside of %1 classes")

    /// The weight of a sample (0 where it is ignored), and its class where that is one.
    func sample(_ builder: BodyBuilder, _ index: [Expr]) -> (weight: Expr, label: Expr, counts: Expr) {
      var label = builder.load(target.id, index).cast(to: .i64)
      var counts = builder.bool(true)
      if let ignoreIndex {
        counts = label .!= builder.constant(ignoreIndex, .i64)
        label = builder.select(counts, label, builder.constant(0, .i64)).checked(
          below: builder.size(Dim.max(classes, 1)), error: noClass)
        counts = counts && label < builder.size(classes)
      } else {
        label = label.checked(below: builder.size(classes), error: noClass)
      }
      let own =
        weight.map { builder.load($0.id, [label], where: counts).cast(to: compute) } ?? builder.constant(1, compute)
      return (builder.select(counts, own, builder.constant(0, compute)), label, counts)
    }
    func loss(_ builder: BodyBuilder, _ index: [Expr]) -> Expr {
      let (weight, label, counts) = sample(builder, index)
      let value = builder.load(x.id, [index[0], label] + index[1...], where: counts).cast(to: compute)
      return -value * weight
    }
    if reduction == .none {
      return [try lowering.element(target.shape) { builder, index in loss(builder, index).cast(to: x.element) }]
    }
    let sum = try lowering.reduce(.sum, [], over: target.shape) { builder, _, inner in loss(builder, inner) }
    if reduction == .sum { return [try lowering.cast(sum, to: x.element)] }
    let total = try lowering.reduce(.sum, [], over: target.shape) { builder, _, inner in sample(builder, inner).weight }
    let countsAll = weight == nil && ignoreIndex == nil
    return [
      try lowering.element([]) { builder, _ in
        let (loss, count) = (builder.load(sum.id, []), builder.load(total.id, []))
        // A plain mean of nothing is zero, as that of a reduction is.
        return (countsAll ? builder.select(count > 0, loss / count, loss) : loss / count).cast(to: x.element)
      }
    ]
  }

  public static var examples: [OperatorExample] {
    let symbolic = OperatorExample(
      NegativeLogLikelihoodLoss(),
      [
        .random(TensorType(.f32, ["n", "c", "h"]), -3...0), .random(TensorType(.i64, ["m", "g"]), 0...4),
        .random(TensorType(.f32, ["w"]), 0.5...2),
      ], sizes: [Symbol("n"): 3, Symbol("c"): 4, Symbol("h"): 2, Symbol("m"): 3, Symbol("g"): 2, Symbol("w"): 4])
    let plain = OperatorExample(
      NegativeLogLikelihoodLoss(),
      [.random(TensorType(.f32, ["n", 4]), -3...0), .random(TensorType(.i64, ["n"]), 0...4)],
      sizes: [Symbol("n"): 5])
    return [symbolic, plain]
      + LossReduction.allCases.map { reduction in
        var op = NegativeLogLikelihoodLoss()
        op.reduction = reduction
        op.ignoreIndex = reduction == .none ? nil : 1
        return OperatorExample(
          op,
          [
            .random(TensorType(.f32, ["n", 4, 2]), -3...0), .random(TensorType(.i64, ["n", 2]), 0...4),
            .random(TensorType(.f32, [4]), 0.5...2),
          ], sizes: [Symbol("n"): 3])
      }
  }
}

/// The negative log-likelihood loss of the logarithmic softmax over classes. A second result is that logarithm.
public struct SoftmaxCrossEntropyLoss: Composite {
  public static let name = "SoftmaxCrossEntropyLoss"
  public static let summary = "Cross entropy of softmax scores and target classes."

  /// The target that does not count, which need not be a class; nil: all count.
  public var ignoreIndex: Int?
  /// What becomes of the samples' losses: nothing, their sum, or their mean by weight.
  public var reduction = LossReduction.mean

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.optionalInt("ignore_index", &ignoreIndex)
    list.choice("reduction", &reduction, default: .mean)
  }

  public static var onnx: [OnnxRule] {
    [
      // ONNX defines it by a reshape that cannot tell its sizes where there are no samples or classes.
      OnnxRule.direct(SoftmaxCrossEntropyLoss.self, since: 12).requiring { inputs, obligations in
        let x = try inputs.tensor(0)
        try obligations.atLeast(x.shape[0] * x.shape[1], 1, "number of samples times classes of \(x)")
      }
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 13) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let scores = try builder.add1(Softmax(.logarithmic, axis: 1), [try inputs.value(0)])
    var loss = NegativeLogLikelihoodLoss()
    loss.ignoreIndex = ignoreIndex
    loss.reduction = reduction
    let result = try builder.add1(loss, [scores, try inputs.value(1)] + (inputs.has(2) ? [inputs.id(2)] : []))
    return [result, scores]
  }

  public static var examples: [OperatorExample] {
    LossReduction.allCases.map { reduction in
      var op = SoftmaxCrossEntropyLoss()
      op.reduction = reduction
      return OperatorExample(
        op, [.random(TensorType(.f32, ["n", 4]), -3...3), .random(TensorType(.i64, ["n"]), 0...4)],
        outputs: reduction == .sum ? 2 : 1, sizes: [Symbol("n"): 3])
    }
  }
}

extension NegativeLogLikelihoodLoss: Differentiable {
  /// −weight at each sample's target class, 0 at others; for the mean, over the sum of the weights.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let (x, g) = (try node.input(0), try node.gradient())
    let target = try node.input(1).cast(to: .i64)
    let isTarget = try x.positions(along: 1)
      .applying(Reshape(), x.integers([1, -1] + (try x.shape.dropFirst(2).map { _ in 1 })))
      .compare(.equal, try target.unsqueezed([1]))
    var weight = try x.number(1)
    if node.has(2) {
      weight = try node.input(2).applying(
        Reshape(), x.integers([1, -1] + (try x.shape.dropFirst(2).map { _ in 1 })))
    }
    var weights = try weight.expanded(like: x).kept(where: isTarget)
    if let ignoreIndex {
      let ignored = try target.compare(.equal, target.tape.constant(.i64([], [ignoreIndex])))
      weights = try weights.dropped(where: try ignored.unsqueezed([1]))
    }
    var scale = try -g
    switch reduction {
    case .none: scale = try scale.unsqueezed([1])
    case .sum: break
    case .mean: scale = try scale / weights.sum(Array(0..<(try x.rank)), keepsAxes: false)
    }
    guard node.wants(2) else { return [try weights * scale, nil, nil] }
    // A class' weight multiplies the scores of its samples; of a mean it is a part of the divisor as well.
    var counted = try x.zeros() + 1.0
    counted = try counted.kept(where: isTarget)
    if let ignoreIndex {
      let ignored = try target.compare(.equal, target.tape.constant(.i64([], [ignoreIndex])))
      counted = try counted.dropped(where: try ignored.unsqueezed([1]))
    }
    let score = try reduction == .mean ? x + node.output : x
    let axes = try (0..<x.rank).filter { $0 != 1 }
    return [try weights * scale, nil, try (counted * score * scale).sum(axes).reshaped(like: node.input(2))]
  }
}
