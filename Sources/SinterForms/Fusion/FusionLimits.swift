/// What fusion takes from the back end that schedules its result. The defaults are right for processors with vectors and caches.
package struct FusionLimits: Hashable, Sendable {
  /// Expressions of a body, beyond which nothing more is moved into it.
  package var bodyLength = 320
  /// Expressions of what finishes a contraction or a convolution in its kernel.
  package var epilogueLength = 128
  /// What it costs to read an element of memory, and to store one, in additions.
  package var accessCost = 1.0, storeCost = 2.0
  /// Members of a group of rows.
  package var groupSize = 16
  /// Steps further away than this from a group's first reduction do not join.
  package var groupReach = 48
  /// With fewer rows than this, only rows of at most `shortRow` elements are grouped: a row is one thread's work.
  package var rowsForThreads = 8.0
  package var shortRow = 16384.0
  /// Moves after which fusion stops, to find the one that changes results; all that apply by default.
  package var moves = Int.max

  package init() {}
}
