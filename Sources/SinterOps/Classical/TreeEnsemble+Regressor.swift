import SinterCore
import SinterIR

extension TreeEnsemble {
  static var regressorRule: OnnxRule {
    OnnxRule("TreeEnsembleRegressor", domain: .ml) { node, builder in
      let trees = try ListedTrees(
        node, role: "target", targetCount: node.int("n_targets") ?? 1, element: try node.comparedType(builder))
      let aggregate = node.string("aggregate_function") ?? "SUM"
      let scores = try trees.scores(aggregate, &builder, adding: trees.baseValues)
      return [try builder.cast(try builder.transformed(scores, by: try trees.transform), to: .f32)]
    }
  }
}
