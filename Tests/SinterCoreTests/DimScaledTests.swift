import SinterCore
import Testing

@Suite("Sizes times a number of 32 bits")
struct DimScaledTests {
  static let factors: [Float] = [0.25, 0.6, 0.8571429, 1.2857143, 1.7, 3.3333333, 0.1, 77.0 / 64, 2, 1.5, 0.5, 3]

  /// As runtimes compute it: one multiplication of floats.
  @Test(arguments: factors) func areTheProductRoundedDown(factor: Float) {
    let size = Dim.scaled("h", by: factor)
    for number in Array(0...3000) + [65535, 100_000, 217_886, 1 << 20] where Float(number) * factor < 0x1p23 {
      let expected = Int((Float(number) * factor).rounded(.down))
      #expect(size.evaluated { _ in number } == expected, "\(number) by \(factor)")
      #expect(Dim.scaled(Dim(number), by: factor) == Dim(expected))
    }
  }

  @Test func sevenByNineSevenths() {
    #expect(Dim.scaled(7, by: 9 / 7) == 9)
    #expect(Dim.scaled(-7, by: 9 / 7) == -9)
    #expect(Dim.scaled(Dim(Int.max), by: 1.7).isOverflow)
    #expect(Dim.scaled("h", by: 0) == 0)
  }

  @Test func wholeAndHalfFactorsAreQuotients() {
    #expect(Dim.scaled("h", by: 2) == 2 * Dim("h"))
    #expect(Dim.scaled("h", by: 1) == "h")
    #expect(Dim.scaled("h", by: 1.5) == 3 * Dim("h") / 2)
  }

  @Test(arguments: factors) func arePrintedParsedAndSubstituted(factor: Float) {
    let size = Dim.scaled(Dim("h") + 1, by: factor) * 2 + 3
    #expect(Dim(parsing: size.description) == size, "\(size)")
    #expect(size.substituting { _ in nil } == size)
    #expect(size.substituting { _ in 6 } == Dim.scaled(7, by: factor) * 2 + 3)
    #expect(size == Dim.scaled(Dim("h") + 1, by: factor) * 2 + 3)
  }

  @Test func boundsFollowTheSize() {
    let size = Dim.scaled("h", by: 1.7)
    #expect(size.bounds() == DimBounds(0, nil))
    #expect(size.bounds([Symbol("h"): 2...10]) == DimBounds(3, 17))
    #expect(size.symbols == [Symbol("h")])
    #expect(Dim(parsing: "scaled(h, nan)") == nil && Dim(parsing: "scaled(h, -1)") == nil)
  }
}
