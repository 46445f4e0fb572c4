import SinterCore
import Testing

@Suite("Sizes")
struct DimTests {
  static let sizes = ["a", "b", "c"]

  private static func random(_ count: Int, depth: Int, seed: UInt64, symbols: [String] = sizes) -> [DimExpression] {
    var random = SplitMix64(seed: seed)
    return (0..<count).map { _ in DimExpression.random(&random, depth: depth, symbols: symbols) }
  }

  // MARK: Meaning

  /// What the rules make of an expression means what the expression means, for sizes and for indices that may be negative.
  @Test(arguments: 1...4)
  func rulesKeepTheMeaning(depth: Int) {
    let symbols = ["a", "b", "c", "#i"]
    var random = SplitMix64(seed: UInt64(depth))
    var compared = 0
    for expression in Self.random(3000, depth: depth, seed: UInt64(10 + depth), symbols: symbols) {
      let dim = expression.dim
      for _ in 0..<12 {
        let values = DimExpression.randomValues(&random, symbols: symbols)
        guard let expected = expression.value(values) else { continue }
        compared += 1
        let value = dim.evaluated { values[$0.name] }
        #expect(value == expected, "\(expression) = \(dim) at \(values)")
        if value != expected { return }
      }
    }
    #expect(compared > 5000)
  }

  @Test func whatIsPrintedReadsBackAsAnEqualSize() {
    for expression in Self.random(4000, depth: 4, seed: 1) {
      let dim = expression.dim
      #expect(
        Dim(parsing: "\(dim)") == dim, "\(expression) = \(dim), read as \(String(describing: Dim(parsing: "\(dim)")))")
    }
  }

  @Test func replacingSymbolsByThemselvesChangesNothing() {
    for expression in Self.random(4000, depth: 4, seed: 2) {
      let dim = expression.dim
      #expect(dim.substituting { Dim($0) } == dim, "\(expression) = \(dim) became \(dim.substituting { Dim($0) })")
    }
  }

  @Test func substitutionMeansEvaluationAtTheReplacement() {
    let symbols = Self.sizes
    var random = SplitMix64(seed: 3)
    for expression in Self.random(2000, depth: 3, seed: 4) {
      let replacement = DimExpression.random(&random, depth: 2, symbols: symbols)
      let values = DimExpression.randomValues(&random, symbols: symbols)
      // A symbol is replaced by what is a size.
      guard let inner = replacement.value(values), inner >= 0, replacement.dim.isNonNegative() else { continue }
      var changed = values
      changed["a"] = inner
      guard let expected = expression.value(changed) else { continue }
      let replaced = expression.dim.substituting { $0.name == "a" ? replacement.dim : nil }
      #expect(
        replaced.evaluated { values[$0.name] } == expected,
        "\(expression) with a = \(replacement) at \(values): \(replaced)")
    }
  }

  @Test func aSizeLiesWithinItsBounds() {
    let symbols = ["a", "b", "c", "#i"]
    var random = SplitMix64(seed: 5)
    for expression in Self.random(6000, depth: 4, seed: 6, symbols: symbols) {
      let dim = expression.dim
      let lower = Int(random.next() % 4)
      let ranges = [Symbol("a"): lower...(lower + Int(random.next() % 3)), Symbol("#i"): -2...3]
      let (open, closed) = (dim.bounds(), dim.bounds(ranges))
      let isNonNegative = dim.isNonNegative(ranges)
      for _ in 0..<8 {
        var values = DimExpression.randomValues(&random, symbols: symbols)
        for (symbol, range) in ranges {
          values[symbol.name] = range.lowerBound + Int(random.next() % UInt64(range.count))
        }
        guard let value = expression.value(values) else { continue }
        for bounds in [open, closed] {
          #expect(
            (bounds.lower ?? value) <= value && value <= (bounds.upper ?? value), "\(dim) at \(values) in \(bounds)")
        }
        #expect(!isNonNegative || value >= 0, "\(dim) at \(values)")
      }
    }
  }

  @Test func boundsSeeThroughWhatStandsBesideAMaximum() {
    let (a, b): (Dim, Dim) = ("a", "b")
    #expect((Dim.max(a, b) - a).bounds() == DimBounds(0, nil))
    #expect((Dim.min(a, b) - a).bounds() == DimBounds(nil, 0))
    #expect((Dim.max(3 * a + 2, b) - b).isNonNegative())
    #expect(Dim.max(3 * a - b, 0).isNonNegative())
    #expect((a / b).bounds() == DimBounds(0, nil))
    #expect((a % 4).bounds() == DimBounds(0, 3))
    #expect(((a + 3) / 4 - a / 4).bounds() == DimBounds(0, 1) && (2 * (a / 4) - (a + 8) / 4 + b).bounds().lower == -2)
    #expect(((a + b) / 7 - b / 7).isNonNegative() && !(a / 4 - (a + 1) / 4).isNonNegative())
    #expect((a - a / 2).isNonNegative() && (a / 2 - a / 4).isNonNegative() && !(a / 2 - a / 3 - 1).isNonNegative())
    #expect(Dim.joint(a, b).bounds([Symbol("a"): 0...4, Symbol("b"): 1...9]) == DimBounds(0, 9))
    #expect(Dim("#i").bounds() == DimBounds(nil, nil))
  }

  // MARK: Laws

  @Test func sizesAreARing() {
    let dims = Self.random(900, depth: 3, seed: 7).map(\.dim)
    for at in stride(from: 0, to: dims.count, by: 3) {
      let (x, y, z) = (dims[at], dims[at + 1], dims[at + 2])
      let note = Comment(rawValue: "\(x); \(y); \(z)")
      #expect(x + y == y + x, note)
      #expect((x + y) + z == x + (y + z), note)
      #expect(x + 0 == x && x * 1 == x && x * 0 == 0, note)
      #expect(x - x == 0 && -(-x) == x && x - y == x + -y, note)
      #expect(x * y == y * x, note)
      #expect((x * y) * z == x * (y * z), note)
      #expect(x * (y + z) == x * y + x * z, note)
    }
  }

  @Test func divisionTakesOutWhatItCan() {
    let (n, m): (Dim, Dim) = ("n", "m")
    #expect((6 * n + 4) / 2 == 3 * n + 2)
    #expect((n * m) / n == m && (2 * n * m + n) / n == 2 * m + 1)
    #expect((n + m) / (n + m) == 1 && (2 * n + 2 * m) / (n + m) == 2)
    #expect(n / 2 / 3 == n / 6)
    #expect((2 * n + m / 3) / 2 == n + m / 6)
    #expect((n - 2) / 2 + 1 == n / 2 && (n + 5) / 2 == (n + 1) / 2 + 2 && (n - 1) % 2 == (n + 1) % 2)
    #expect((n / 2 + 1) / 2 == (n + 2) / 4 && ((n - 1) / 3 + 1) / 5 == (n + 2) / 15)
    #expect((64 * n * m + 64 * m) / (256 * m) == (n + 1) / 4 && (6 * n) / (4 * m) == (3 * n) / (2 * m))
    #expect((2 * n + 1) / 4 == n / 2 && (-n) / 4 == -((n + 3) / 4) && (n + (-n) % 4) / 4 == (n + 3) / 4)
    #expect((4 - n % 4) % 4 + n == 4 * ((n + 3) / 4) && (n % 6 + m) % 3 == (n + m) % 3)
    #expect((6 * n + 5) % 3 == 2 && (n * m) % n == 0)
    #expect(n / -1 == -n && n % -1 == 0)
  }

  @Test func whatDividesByZeroHasNoValue() {
    for dim in [Dim(5) / 0, Dim(0) / 0, Dim(5) % 0, Dim("n") / 0, Dim("n") % 0] {
      #expect(dim.value == nil && dim.evaluated { _ in 3 } == nil && !dim.isOverflow, "\(dim)")
      #expect(Dim(parsing: "\(dim)") == dim)
    }
    #expect((Dim("n") / "m").evaluated { $0.name == "n" ? 4 : 0 } == nil)
    #expect((Dim("n") + "m").evaluated { $0.name == "n" ? 4 : nil } == nil)
  }

  @Test func exactQuotientsAreExact() {
    var random = SplitMix64(seed: 8)
    let dims = Self.random(600, depth: 2, seed: 9).map(\.dim)
    for x in dims {
      let y = dims[Int(random.next() % UInt64(dims.count))]
      if let quotient = (x * y).exactQuotient(by: y) {
        #expect(quotient * y == x * y, "\(x * y) by \(y) is \(quotient)")
      }
      if let quotient = x.exactQuotient(by: y) { #expect(quotient * y == x, "\(x) by \(y) is \(quotient)") }
    }
  }

  // MARK: Text

  @Test(arguments: [
    "batch", "past + 1", "2*h - 1", "-n + 3", "min(4, n)", "max(a*n, b)", "mod(n + 1, 3)", "joint(a, b)",
    "place(n - 1, n)",
    "overflow()", "floor(n / (-2))", "-9223372036854775808", "n - 9223372036854775808", "-9223372036854775808*n",
    "max(a, b, c)",
  ])
  func textIsReadAsItIsWritten(text: String) throws {
    #expect(try "\(#require(Dim(parsing: text)))" == text)
  }

  @Test(arguments: [
    "", "1 +", "9223372036854775808", "-9223372036854775809", "min(n)", "min(n,)", "min()", "mod(a, b, c)",
    "place(a, b, c)",
    "overflow(1)", "huge(a, b)", "a b", "(a",
  ])
  func textThatIsNoSizeIsRefused(text: String) {
    #expect(Dim(parsing: text) == nil)
  }

  /// Sums multiplied by themselves over and over neither take long nor lose their meaning.
  @Test func longProductsStayShort() {
    let sum = (0..<12).reduce(Dim(0)) { $0 + Dim(Symbol("s\($1)")) } - Dim(Symbol("t"))
    var product = sum
    var value: Int? = 3
    for _ in 0..<5 {
      product = product * product + 1
      value = value.map { $0 * $0 + 1 }
      #expect(product.evaluated { $0 == Symbol("t") ? 9 : 1 } == value)
      #expect(Dim(parsing: "\(product)") == product)
      #expect(product.substituting { Dim($0) } == product)
      #expect(product.bounds().lower.map { $0 <= value ?? 0 } ?? true)
    }
    let replaced = product.substituting { $0 == Symbol("t") ? sum * sum : Dim($0) }
    #expect(replaced.evaluated { $0 == Symbol("t") ? 9 : 1 } == product.evaluated { $0 == Symbol("t") ? 9 : 1 })
    #expect(product.terms.count < 600)
  }
}
