import SinterForms

/// What may be chosen about schedules.
package struct ScheduleOptions: Hashable, Sendable {
  /// Convolutions may be computed by Winograd's transforms where that is faster; results then err by 2e-6 to 6e-6 of the largest
  /// magnitude, a few times as much as the direct sums do.
  package var usesWinograd: Bool
  /// What tuning found for the values that products and convolutions compute; the cost model decides about all others.
  package var choices: [FormValueID: ScheduleChoice] = [:]

  package init(usesWinograd: Bool = true) { self.usesWinograd = usesWinograd }
}
