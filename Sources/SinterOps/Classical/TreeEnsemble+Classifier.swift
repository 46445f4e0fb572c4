import SinterCore
import SinterIR

extension TreeEnsemble {
  /// Each row's label, and the scores of all classes.
  ///
  /// Where all weights are of the first of two classes, their sum is the second one's score, and what the first one gets is not ONNX's to say:
  /// 1 less the score where that is a probability (no transform, and no weight is negative), else its negative, before the transform. Where
  /// all are of the second, the first one's score is 0.
  static var classifierRule: OnnxRule {
    OnnxRule("TreeEnsembleClassifier", domain: .ml) { node, builder in
      let labels = ClassLabels(
        numbers: node.ints("classlabels_int64s") ?? [], texts: node.strings("classlabels_strings") ?? [])
      let ids = Set(node.ints("class_ids") ?? [])
      let element = try node.comparedType(builder)
      var trees = try ListedTrees(node, role: "class", targetCount: max(labels.count, 1), element: element)
      let transform = try trees.transform
      func finished(_ label: ValueID, _ scores: ValueID, _ builder: inout GraphBuilder) throws -> [ValueID] {
        [label, try builder.cast(try builder.transformed(scores, by: transform), to: .f32)]
      }
      let isProbability = transform == .none && !(trees.op.weights?.doubles ?? []).contains { $0 < 0 }
      let limit = isProbability && labels.count == 2 ? 0.5 : 0
      if labels.count > 2 || labels.count == 2 && ids != [0] {
        let scores = try trees.scores("SUM", &builder, adding: trees.baseValues)
        if labels.count == 2, ids == [1] {
          let second = try builder.column(1, of: scores)
          return try finished(try builder.labels(labels, ofScore: second, above: limit), scores, &builder)
        }
        // A score of 0 stays 0 there, and is less than what becomes of a negative one.
        let compared = transform == .softmaxZero ? try builder.transformed(scores, by: transform) : scores
        return try finished(try builder.labels(labels, ofGreatest: compared), scores, &builder)
      }
      trees.op.targetCount = 1
      trees.op.targets = trees.op.targets.map { _ in 0 }
      let score = try trees.scores("SUM", &builder, adding: Array(trees.baseValues.suffix(1)))
      let label = try builder.labels(labels.orDefaults([0, 1]), ofScore: score, above: limit)
      if labels.count < 2 { return try finished(label, score, &builder) }
      let other =
        isProbability && trees.baseValues.count != 2
        ? try builder.add1(Binary(.subtract), [try builder.scalar(1, element), score])
        : try builder.add1(Unary(.negate), [score])
      return try finished(label, try builder.add1(Concat(axis: 1), [other, score]), &builder)
    }
  }
}
