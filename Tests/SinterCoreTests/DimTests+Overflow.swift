import SinterCore
import Testing

/// No arithmetic wraps or traps: what no 64-bit integer holds is `overflow`.
@Suite("Sizes beyond 64 bits")
struct DimOverflowTests {
  static let ends: [Int] = [.min, .min + 1, -(1 << 32), -3, -1, 0, 1, 2, 3, 1 << 32, .max - 1, .max]

  private func checked(_ result: (partialValue: Int, overflow: Bool)) -> Dim {
    result.overflow ? .overflow : Dim(result.partialValue)
  }

  @Test func arithmeticOfNumbersIsExactOrOverflows() {
    for x in Self.ends {
      #expect(-Dim(x) == checked((0).subtractingReportingOverflow(x)))
      for y in Self.ends {
        #expect(Dim(x) + Dim(y) == checked(x.addingReportingOverflow(y)), "\(x) + \(y)")
        #expect(Dim(x) - Dim(y) == checked(x.subtractingReportingOverflow(y)), "\(x) - \(y)")
        #expect(Dim(x) * Dim(y) == checked(x.multipliedReportingOverflow(by: y)), "\(x) * \(y)")
        #expect(Dim.min(Dim(x), Dim(y)) == Dim(min(x, y)) && Dim.max(Dim(x), Dim(y)) == Dim(max(x, y)))
        guard y != 0 else { continue }
        let (quotient, remainder) = Int128(x).quotientAndRemainder(dividingBy: Int128(y))
        let isBelow = remainder != 0 && (remainder < 0) != (y < 0)
        let floor = isBelow ? quotient - 1 : quotient
        #expect(Dim(x) / Dim(y) == Int(exactly: floor).map { Dim($0) } ?? .overflow, "\(x) / \(y)")
        #expect((Dim(x) % Dim(y)).value == Int(Int128(x) - floor * Int128(y)), "\(x) % \(y)")
      }
    }
  }

  /// Every operation, on sums and products with coefficients and constants at the ends of what there is.
  @Test func nothingTraps() {
    var dims: [Dim] = Self.ends.map { Dim($0) }
    for x in Self.ends {
      dims += [
        Dim(x) * "n", Dim(x) * "n" + Dim(x), Dim("n") + Dim(x), Dim(x) * "n" * "m" - "n",
        Dim("n") / Dim(x == 0 ? 5 : x),
      ]
    }
    for a in dims {
      #expect(Dim(parsing: "\(a)") == a, "\(a)")
      _ = a.ceilDivided(by: 2)
      for b in dims {
        let results = [
          a + b, a - b, a * b, a / b, a % b, Dim.min(a, b), Dim.max(a, b), Dim.joint(a, b), Dim.place(a, in: b),
          a.exactQuotient(by: b) ?? 0,
        ]
        for (index, result) in results.enumerated() {
          _ = (result.bounds(), result.isNonNegative(), result.evaluated { _ in .max }, result.evaluated { _ in .min })
          #expect(Dim(parsing: "\(result)") == result, "operation \(index) of \(a) and \(b): \(result)")
        }
      }
    }
  }

  @Test func overflowAbsorbsAll() {
    let big = Dim(.max) * "n"
    let over = big + big
    #expect(over.isOverflow && over == .overflow && !big.isOverflow && !Dim("n").isOverflow)
    for x in [Dim(0), 1, "n", over, Dim("n") * "m" + 3] {
      let results = [
        x + over, over + x, x - over, over - x, x * over, over * x, x / over, over / x, x % over, over % x, -over,
        Dim.min(x, over), Dim.max(over, x), Dim.joint(x, over), Dim.place(over, in: x), Dim.place(x, in: over),
        over.ceilDivided(by: x), over.substituting { _ in x }, ("n" as Dim + 1).substituting { _ in over },
      ]
      for (index, result) in results.enumerated() {
        #expect(result.isOverflow, "operation \(index) of \(x): \(result)")
      }
    }
    #expect(over.value == nil && over.evaluated { _ in 0 } == nil && over.symbols.isEmpty)
    #expect(over.bounds() == DimBounds(nil, nil) && !over.isNonNegative() && !over.isConstant)
    #expect("\(over)" == "overflow()" && Dim(parsing: "overflow()") == over && Dim(parsing: "n + overflow()") == over)
  }

  @Test func evaluationThatOverflowsHasNoValue() {
    #expect((Dim("n") * "n").evaluated { _ in 1 << 32 } == nil)
    #expect((Dim("n") + "m").evaluated { _ in .max } == nil)
    #expect((2 * Dim("n")).evaluated { _ in .max } == nil)
    #expect((-Dim("#i")).evaluated { _ in .min } == nil)
    #expect((Dim("#i") / Dim("#j")).evaluated { $0.name == "#i" ? .min : -1 } == nil)
    #expect((Dim("#i") % Dim("#j")).evaluated { $0.name == "#i" ? .min : -1 } == 0)
  }

  @Test func sumsThatComeBackAreExact() {
    // (n - 1)·(n + 1) has n and -n, and the products of the greatest numbers cancel likewise.
    let (x, y) = (Dim(1 << 62) * "n" - "m", Dim("n") + "m")
    #expect(!(x * y).isOverflow)
    #expect(Dim(.min) - Dim(.min) == 0 && Dim(-1) - Dim(.min) == Dim(.max))
    #expect((Dim(.min) * "n") - (Dim(.min) * "n") == 0)
  }

  @Test func aTypeWithAnEmptyAxisHasNoElements() {
    let long = Dim(1 << 40)
    #expect(TensorType(.f32, [long, long, 0]).count == 0)
    #expect(TensorType(.f32, [long, long, "n"]).count.isOverflow)
    #expect(TensorType(.f32, [long, 3, "n"]).count == 3 * long * "n")
  }
}
