import SinterForms

/// What may be chosen about schedules.
package struct ScheduleOptions: Hashable, Sendable {
  /// Convolutions may be computed by Winograd's transforms where that is faster; results then err by 2e-6 to 6e-6 of the largest
  /// magnitude, a few times as much as the direct sums do.
  package var usesWinograd: Bool
  /// How exactly products and convolutions of f32 take their operands.
  package var math: ProductMath
  /// What tuning found for the values that products and convolutions compute; the cost model decides about all others.
  package var choices: [FormValueID: ScheduleChoice] = [:]

  package init(usesWinograd: Bool = true, math: ProductMath = .f32) {
    self.usesWinograd = usesWinograd
    self.math = math
  }
}

/// How exactly products and convolutions of f32 take their operands. Sums are f32 in any case.
package enum ProductMath: String, CaseIterable, Hashable, Sendable {
  /// As they are.
  case f32
  /// Weights are stored as bf16, in half the memory; what they are multiplied with is rounded to bf16 where the processor is faster by that.
  case bf16
}
