/// What the user may choose about schedules.
public struct ScheduleOptions: Hashable, Sendable {
  /// Convolutions of 3×3 taps may be computed by Winograd's transforms where that is faster; results then err by some 3e-6 of the largest
  /// magnitude, three to four times as much as the direct sums do.
  public var usesWinograd: Bool

  public init(usesWinograd: Bool = true) { self.usesWinograd = usesWinograd }
}
