import SinterCore
import Testing

@testable import SinterCPU

@Suite("What is known of index arithmetic")
struct IndexBoundsTests {
  private let simplifier = IndexSimplifier(extents: [Symbol("#i"): "n", Symbol("#j"): 7])

  @Test func signsAndEndsFollowFromExtents() {
    #expect(simplifier.isNonNegative("#i") && simplifier.isNonNegative(Dim("n") - 1 - "#i"))
    #expect(!simplifier.isNonNegative(Dim("#i") - 1) && !simplifier.isNonNegative("#k"))
    #expect(simplifier.upper(3 * Dim("#i") + "#j") == 3 * Dim("n") + 3 && simplifier.lower(Dim("#j") / 2) == 0)
    #expect(simplifier.isNonNegative(Dim.max(Dim("#i") - 4, "#j") - "#j"))
  }

  /// A search through all of it would take longer with each level, several times as long.
  @Test func sizesWithinSizesComeToAnEnd() {
    var size: Dim = "n"
    for level in 0..<40 {
      let other = Dim(symbol: "m\(level)")
      size = (Dim.max((size - 3) / Dim(symbol: "s\(level)"), other) * other + size) / 5
    }
    #expect(!simplifier.isNonNegative(size - "#i"))
    #expect(simplifier.isNonNegative(Dim("n") - 1 - "#i"))
  }
}
