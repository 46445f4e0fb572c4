/// What may be chosen about schedules.
public struct ScheduleOptions: Hashable, Sendable {
  /// Convolutions may be computed by Winograd's transforms where that is faster; results then err by some 3e-6 of the largest
  /// magnitude, three to four times as much as the direct sums do.
  public var usesWinograd: Bool
  /// What tuning found for the values that products and convolutions compute; the cost model decides about all others.
  package var choices: [FormValueID: ScheduleChoice] = [:]

  public init(usesWinograd: Bool = true) { self.usesWinograd = usesWinograd }
}
