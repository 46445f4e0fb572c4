import SinterCore
import SinterForms
import SinterIR

/// The boxes of each class that are left when, from the best score down, those that overlap a chosen one too much are dropped.
///
/// Inputs: boxes [batch, boxes, 4], scores [batch, classes, boxes], how many to choose at most in a class, the greatest overlap, the least score.
/// Each row of the result is a batch, a class and a box.
public struct NonMaxSuppression: Primitive {
  public static let name = "NonMaxSuppression"
  public static let summary = "The best boxes of each class that do not overlap too much."

  /// Whether boxes are (x center, y center, width, height), not two corners (y, x, y, x).
  public var boxesHaveCenters = false

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.bool("center_point_box", &boxesHaveCenters, default: false)
  }

  public static var onnx: [OnnxRule] { [.direct(NonMaxSuppression.self, since: 10)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 11) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let (boxes, scores) = (try inputs.tensor(0), try inputs.tensor(1))
    guard boxes.rank == 3, scores.rank == 3, boxes.shape[2].value ?? 4 == 4 else {
      throw DiagnosticError(
        .user, "nms.shape",
        "boxes must be [batch, boxes, 4] and scores [batch, classes, boxes], but are \(boxes) and \(scores)")
    }
    _ = try obligations.equal(boxes.shape[2], 4, "coordinates of a box and their number")
    _ = try obligations.equal(boxes.shape[0], scores.shape[0], "batches of boxes and of scores")
    _ = try obligations.equal(boxes.shape[1], scores.shape[2], "numbers of boxes and of their scores")
    for (index, name) in [(2, "max_output_boxes_per_class"), (3, "iou_threshold"), (4, "score_threshold")]
    where inputs.has(index) {
      try obligations.scalar(try inputs.tensor(index), name)
    }
    if !inputs.has(2) || inputs.integers(2)?.first == 0 { return [Fact(.i64, [0, 3])] }
    return [Fact(.i64, [inputs.freshSize(result: 0, axis: 0), 3])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let (boxes, scores) = (try node.input(0), try node.input(1))
    let result = try node.output().shape
    let perClass = Array(scores.shape.prefix(2))
    let count = scores.shape[2]
    func scalar(_ builder: BodyBuilder, _ input: Int, _ absent: Double) throws -> Expr {
      guard node.has(input) else { return builder.constant(absent, .f32) }
      let operand = try node.input(input)
      return builder.load(operand.id, operand.shape.map { _ in builder.constant(0, .i64) }).cast(to: .f32)
    }
    if result[0] == 0 { return [try lowering.element(result) { builder, _ in builder.constant(0, .i64) }] }

    // From the best score down, one box of each class an iteration. `kept` is by place in that order.
    let order = try lowering.sort(scores.shape, axis: 2, count: count, descending: true) { builder, index in
      builder.load(scores.id, index).cast(to: .f32)
    }
    let none = try lowering.element(scores.shape) { builder, _ in builder.constant(0, .i32) }
    let first = try lowering.element([]) { builder, _ in builder.constant(0, .i64) }
    let (final, _) = try lowering.repetition(count: count, carried: [first, none], sliced: []) { lowering, current, _ in
      let (iteration, kept) = (current[0], current[1])
      let place = { (builder: BodyBuilder) in builder.load(iteration.id, []) }
      let overlaps = try lowering.reduce(.maximum, perClass, over: [count]) { builder, index, inner in
        let mine = builder.load(order.id, index + [place(builder)])
        let other = builder.load(order.id, index + inner)
        let overlap = overlap(builder, boxes, index[0], mine, other)
        let counts = builder.load(kept.id, index + inner) .!= builder.constant(0, .i32)
        return (counts && (overlap > (try scalar(builder, 3, 0)))).cast(to: .i32)
      }
      let chosen = try lowering.reduce(.sum, perClass, over: [count]) { builder, index, inner in
        builder.load(kept.id, index + inner)
      }
      let next = try lowering.element(scores.shape) { builder, index in
        let at = Array(index.prefix(2))
        let box = builder.load(order.id, at + [place(builder)])
        var isKept = builder.load(overlaps.id, at) .== builder.constant(0, .i32)
        isKept = isKept && (builder.load(chosen.id, at).cast(to: .f32) < (try scalar(builder, 2, 0)))
        if node.has(4) {
          isKept = isKept && (builder.load(scores.id, at + [box]).cast(to: .f32) > (try scalar(builder, 4, 0)))
        }
        return builder.select(index[2] .== place(builder), isKept.cast(to: .i32), builder.load(kept.id, index))
      }
      let after = try lowering.element([]) { builder, _ in place(builder) + builder.constant(1, .i64) }
      return ([after, next], [])
    }
    let kept = final[1]
    let rows = try lowering.selected(scores.type.count, size: result[0], "number of chosen boxes") { builder, place in
      builder.load(kept.id, Reshaping.delinearize(builder, place, scores.shape)) .!= builder.constant(0, .i32)
    }
    return [
      try lowering.element(result) { builder, index in
        let at = Reshaping.delinearize(builder, builder.load(rows.id, [index[0]]), scores.shape)
        let box = builder.load(order.id, at)
        let isFirst = index[1] .== builder.constant(0, .i64)
        return builder.select(isFirst, at[0], builder.select(index[1] .== builder.constant(1, .i64), at[1], box))
      }
    ]
  }

  /// The intersection of two boxes over their union; zero where they do not meet.
  private func overlap(_ builder: BodyBuilder, _ boxes: Operand, _ batch: Expr, _ a: Expr, _ b: Expr) -> Expr {
    func part(_ box: Expr, _ which: Int) -> Expr {
      builder.load(boxes.id, [batch, box, builder.constant(which, .i64)]).cast(to: .f32)
    }
    /// The least and greatest coordinate along an axis.
    func span(_ box: Expr, _ axis: Int) -> (low: Expr, high: Expr) {
      if boxesHaveCenters {
        let (center, half) = (part(box, 1 - axis), part(box, 3 - axis) * 0.5)
        return (center - half, center + half)
      }
      let (x, y) = (part(box, axis), part(box, axis + 2))
      return (x.minimum(y), x.maximum(y))
    }
    let zero = builder.constant(0, .f32)
    var (shared, areaA, areaB) = (builder.constant(1, .f32), builder.constant(1, .f32), builder.constant(1, .f32))
    for axis in 0..<2 {
      let (p, q) = (span(a, axis), span(b, axis))
      shared = shared * (p.high.minimum(q.high) - p.low.maximum(q.low)).maximum(zero)
      areaA = areaA * (p.high - p.low)
      areaB = areaB * (q.high - q.low)
    }
    return builder.select(shared > 0, shared / (areaA + areaB - shared), zero)
  }

  public static var examples: [OperatorExample] {
    let boxes = OperatorExample.Input.random(TensorType(.f32, [1, "n", 4]), 0...1)
    let scores = OperatorExample.Input.random(TensorType(.f32, [1, 2, "n"]), 0...1)
    let sizes = [Symbol("n"): 4]
    return [
      OperatorExample(NonMaxSuppression(), [boxes, scores], sizes: sizes),
      OperatorExample(
        NonMaxSuppression(),
        [boxes, scores, .given(.i64([1], [2])), .given(.f32([1], [0.5])), .given(.f32([1], [0.1]))], sizes: sizes),
    ]
  }
}
