import SinterCore
import Testing

@Suite("Minima, maxima, joint sizes and places")
struct DimExtremaTests {
  private let a: Dim = "a", b: Dim = "b", c: Dim = "c", n: Dim = "n"

  @Test func whatIsCommonStandsOutside() {
    #expect(Dim.min(a + c, b + c) == Dim.min(a, b) + c)
    #expect(Dim.max(a + 5, b + 7) == Dim.max(a, b + 2) + 5)
    #expect(Dim.max(6 * a, 4 * b) == 2 * Dim.max(3 * a, 2 * b))
    #expect(Dim.max(n - 3, 0) + 3 == Dim.max(n, 3))
    #expect(Dim.max(a - b, 0) + b == Dim.max(a, b))
    #expect(3 * Dim.min(a, b) + n == Dim.min(3 * a + n, 3 * b + n))
  }

  @Test func whatCannotDecideIsGone() {
    #expect(Dim.max(n, 0) == n && Dim.min(n, -1) == -1 && Dim.max(n, n + 2) == n + 2)
    #expect(Dim.min(Dim.min(a, b), b + 1) == Dim.min(a, b))
    #expect(Dim.max(a, Dim.min(a, b)) == a && Dim.min(a, Dim.max(a, b)) == a)
    #expect(Dim.max(a, Dim.min(b, Dim.max(a, c))) == Dim.max(a, Dim.min(b, c)))
    #expect(Dim.min(Dim.max(b, c), Dim.max(a, b)) == Dim.max(b, Dim.min(a, c)))
    #expect(
      Dim.min(Dim.max(n, 2), a + 3) == Dim.max(Dim.min(n, a + 3), 2) || Dim.min(Dim.max(n, 2), a + 3).terms.count == 1)
    #expect(Dim.min(a, Dim(.max)) == a && Dim.max(a, Dim(.min)) == a && Dim.max(a - Dim(.max), 0) == 0)
  }

  /// What stacks of pools make: the size of one stands within that of the next.
  @Test func quotientsOfQuotientsStayShort() {
    #expect(Dim.max(a, b) / 3 == Dim.max(a / 3, b / 3))
    #expect((Dim.min(a, b + 4) - 3) / 2 == Dim.min((a + 1) / 2 - 2, (b + 1) / 2))
    #expect(Dim.min((n + 3) / 4, n / 4) == n / 4 && Dim.max(n / 2, n / 4) == n / 2)
    let steps: [(Dim) -> Dim] = [
      { Dim.max(($0 - 2) / 2 + 1, Dim.min($0, 1)) }, { Dim.max(($0 - 3) / 2 + 1, Dim.min(Dim.max($0 - 1, 0), 1)) },
      { Dim.min(($0 - 2) / 2 + 1, ($0 - 1) / 2 + 1) }, { ($0 - 1) / 3 + 1 },
    ]
    for step in steps {
      let size = (0..<12).reduce(n) { size, _ in step(size) }
      #expect("\(size)".count < 100, "\(size)")
      for value in 0..<99 {
        let expected = (0..<12).reduce(value) { value, _ in step(Dim(value)).value ?? -1 }
        #expect(size.evaluated { _ in value } == expected, "\(size) at \(value)")
      }
    }
    let mixed = (0..<24).reduce(n) { size, at in steps[at % steps.count](size) }
    #expect("\(mixed)".count < 200, "\(mixed)")
  }

  /// An index may be negative, so that nothing is known of it.
  @Test func indicesAreNotSizes() {
    #expect(Dim.max("#i", 0).evaluated { _ in -4 } == 0)
    #expect(Dim.place("#i", in: n).evaluated { $0.name == "n" ? 10 : -4 } == 6)
  }

  /// Any way to nest the same sizes gives the same size.
  @Test func theOrderOfConstructionDoesNotMatter() {
    var random = SplitMix64(seed: 21)
    for round in 0..<300 {
      let members = (0..<5).map { _ in
        DimExpression.random(
          &random, depth: 2, symbols: ["a", "b", "c"], functions: [.sum, .difference, .quotient, .product]
        ).dim
      }
      for function in [Dim.min, Dim.max, Dim.joint] {
        var results: Set<Dim> = []
        for _ in 0..<4 {
          var rest = members + [members[round % 5]]
          while rest.count > 1 {
            let x = rest.remove(at: Int(random.next() % UInt64(rest.count)))
            let y = rest.remove(at: Int(random.next() % UInt64(rest.count)))
            rest.append(function(x, y))
          }
          results.insert(rest[0])
        }
        #expect(results.count == 1, "\(members): \(results)")
      }
    }
  }

  /// A hundred steps with three symbols stay as short as one can write them.
  @Test func nestingDoesNotMakeLonger() {
    var random = SplitMix64(seed: 22)
    for round in 0..<60 {
      var nested: Dim = a
      for _ in 0..<100 {
        let symbol = [a, b, c][Int(random.next() % 3)]
        // Sums and products move all alike, so they may stand anywhere.
        let other = round % 3 == 0 ? symbol : symbol + Dim(Int(random.next() % 4))
        switch random.next() % (round % 2 == 0 ? 2 : 3) {
        case 0: nested = Dim.min(nested, other)
        case 1: nested = Dim.max(other, nested)
        default: nested = Dim.max(Dim.min(nested, other), Dim.min(other, b))
        }
      }
      #expect("\(nested)".count < 200, "\(nested)")
      #expect(Dim(parsing: "\(nested)") == nested)
      var joint: Dim = a
      for _ in 0..<100 { joint = Dim.joint([a, b, c, 1][Int(random.next() % 4)], joint) }
      #expect("\(joint)".count < 30, "\(joint)")
    }
    var mixed: Dim = a
    for step in 0..<100 {
      let symbol = [b, c, a][step % 3]
      mixed = step % 2 == 0 ? Dim.max(mixed, symbol) : step % 4 == 1 ? Dim.min(mixed, symbol) : Dim.joint(mixed, mixed)
    }
    #expect("\(mixed)".count < 200, "\(mixed)")
  }

  /// What would be too long as one maximum of minima is left as it is nested.
  @Test func whatDoesNotFitOneFormIsStillRight() throws {
    var product = Dim.max("x0", "y0")
    for at in 1..<9 { product = Dim.min(product, Dim.max(Dim(symbol: "x\(at)"), Dim(symbol: "y\(at)"))) }
    #expect(Dim(parsing: "\(product)") == product && product.substituting { Dim($0) } == product)
    #expect("\(product)".count < 1000, "\(product)")
    var random = SplitMix64(seed: 23)
    for _ in 0..<100 {
      var values: [String: Int] = [:]
      for at in 0..<9 { (values["x\(at)"], values["y\(at)"]) = (Int(random.next() % 20), Int(random.next() % 20)) }
      let expected = try (0..<9).map { max(try #require(values["x\($0)"]), try #require(values["y\($0)"])) }.min()
      #expect(product.evaluated { values[$0.name] } == expected)
    }
    var sum = Dim(symbol: "x0")
    for at in 1..<50 { sum = Dim.max(sum, Dim(symbol: "x\(at)")) }
    #expect(Dim(parsing: "\(sum)") == sum)
    #expect(sum.evaluated { Int($0.name.dropFirst()) } == 49)
  }

  // MARK: Joint sizes

  @Test func jointSizesAreWrittenInOneWay() {
    #expect(Dim.joint(a, 1) == a && Dim.joint(1, 1) == 1 && Dim.joint(a, a) == a && Dim.joint(a, b) == Dim.joint(b, a))
    #expect(Dim.joint(a, 4) == 4 && Dim.joint(0, a) == 0 && Dim.joint(a + 2, b) == a + 2)
    #expect(Dim.joint(Dim.joint(a, b), Dim.joint(c, a)) == Dim.joint(a, Dim.joint(b, c)))
    #expect("\(Dim.joint(c, Dim.joint(b, a)))" == "joint(a, b, c)")
    #expect(Dim.joint(Dim.joint(a, b), c + 3) == c + 3)
    for (x, y) in [(1, 1), (1, 7), (7, 1), (7, 7), (0, 1), (1, 0), (0, 0)] {
      #expect(Dim.joint(a, b).evaluated { $0.name == "a" ? x : y } == (x == 1 ? y : x))
    }
  }

  // MARK: Places

  @Test func placesCountFromTheEndOnlyWhereNegative() {
    #expect(Dim.place(a, in: n) == a && Dim.place(-a - 1, in: n) == n - a - 1 && Dim.place(-3, in: 10) == 7)
    #expect(Dim.place(-n, in: n) == 0)
    #expect("\(Dim.place(a - 1, in: n))" == "place(a - 1, n)")
    for size in 0...5 {
      for k in 0...7 {
        let values = { (symbol: Symbol) in symbol.name == "n" ? size : k }
        for (index, number) in [
          (-a, -k), (a - 1, k - 1), (a - n, k - size), (n - 2 * a, size - 2 * k), (a, k), (-a - 1, -k - 1),
        ] {
          let wrapped = number < 0 ? number + size : number
          #expect(Dim.place(index, in: n).evaluated(values) == wrapped, "\(index) of \(size), a = \(k)")
          let clamped = Dim.place(index, in: n, from: 0, to: n)
          #expect(clamped.evaluated(values) == max(0, min(wrapped, size)), "\(index) of \(size), a = \(k): \(clamped)")
          let last = Dim.place(index, in: n, from: -1, to: n - 1)
          #expect(last.evaluated(values) == max(-1, min(wrapped, size - 1)), "\(index) of \(size), a = \(k): \(last)")
          #expect(clamped.isNonNegative() && (n - clamped).isNonNegative(), "\(clamped)")
        }
      }
    }
  }

  @Test func theEndsOfIntegersNameTheEndsOfAxes() {
    #expect(Dim.place(Dim(.max), in: n, from: 0, to: n) == n)
    #expect(Dim.place(Dim(.min), in: n, from: 0, to: n) == 0)
    #expect(Dim.place(Dim(.min), in: n, from: -1, to: n - 1) == -1)
    #expect(Dim.place(-a, in: n, from: 0, to: n) == Dim.max(Dim.place(-a, in: n), 0))
  }
}
