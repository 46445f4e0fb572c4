import SinterIR

/// The orders in which passes run. Each list is read from top to bottom.
public enum Pipelines {
  /// What every graph goes through before it is lowered.
  public static let optimize: [Pass] = [
    // Sizes first: many operators become simpler once they are known.
    .shapeArithmetic,
    // Before constants are folded: weights that are bytes stay what they are.
    .keepBytes,
    .constantFolding,
    .identities,
    .deadCode,
    .commonSubexpressions,
    // Spelled-out operators are found before anything changes their spelling.
    .recognize,
    // Before weights and layout: what is inside a composite takes part in both.
    .expandComposites,
    // First of all that works on weights: what is dropped need not be computed.
    .trimWindows,
    .foldIntoWeights,
    // After the weights: a batch normalization that went into them needs no channels-last form.
    .channelsLast,
    // Expansion and layout leave constants to be computed, and twins.
    .shapeArithmetic,
    .constantFolding,
    .identities,
    .commonSubexpressions,
    .deadCode,
  ]

  /// For export to other tools: nothing that their formats have no word for.
  public static let simplify: [Pass] = [
    .shapeArithmetic,
    .portableFolding,
    .identities,
    .spelledShapes,
    .commonSubexpressions,
    .deadCode,
  ]

  /// Before weights are quantized: they become constants of the layers that they belong to, and all else stays as it was written.
  public static let prepareQuantization: [Pass] = [
    .constantFolding,
    .foldNormalization,
    .deadCode,
  ]

  /// All passes, for the command line and the documentation.
  public static var all: [Pass] {
    var seen: Set<String> = []
    return (optimize + simplify + prepareQuantization).filter { seen.insert($0.name).inserted }
  }
}
