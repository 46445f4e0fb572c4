import SinterCore
import SinterForms
import TestSupport
import Testing

@Suite("Selections inside of selections")
struct NestedSelectTests {
  private func selects(_ body: Body) -> Int {
    body.exprs.count { if case .select = $0.node { true } else { false } }
  }

  private func simplified(_ build: (BodyBuilder, [Expr]) -> Expr) throws -> (before: Body, after: Body) {
    var lowering = Lowering(name: "selects")
    let x = lowering.input(TensorType(.f32, [4, 4]), named: "x")
    let result = try lowering.element([4, 4]) { b, i in
      _ = x
      return build(b, i)
    }
    lowering.output(result, named: "y")
    guard case .compute(_, .element(let form)) = lowering.program.steps[0] else {
      throw DiagnosticError(.bug, "test", "no element form")
    }
    let values = lowering.program.values
    return (form.body, form.body.withoutNestedSelects { values[$0].type.element })
  }

  /// What padding leaves when operators have moved into it.
  @Test func paddingLeavesOne() throws {
    let (before, after) = try simplified { b, i in
      let inside = i[0] < i[1]
      let zero = b.constant(0.0, .f32)
      var value = i[0].cast(to: .f32)
      for number in 1...5 {
        let clamped = b.select(value < b.constant(50.0, .f32), value, b.constant(50.0, .f32))
        value = b.select(inside, clamped * Double(number) + 0.25, zero)
      }
      return b.select(inside, value, b.constant(9.0, .f32))
    }
    #expect(selects(before) == 11)
    #expect(selects(after) == 6)
  }

  /// The other side of a condition is decided as well.
  @Test func bothSides() throws {
    let (_, after) = try simplified { b, i in
      let inside = i[0] < i[1]
      let (one, two) = (b.constant(1.0, .f32), i[0].cast(to: .f32))
      let inner = b.select(inside, one, two)
      return b.select(inside, inner + 1.0, inner * 3.0)
    }
    #expect(selects(after) == 1)
  }

  /// What would be there twice stays.
  @Test func neverGrows() throws {
    let (before, after) = try simplified { b, i in
      let inside = i[0] < i[1]
      var value = b.select(inside, i[0].cast(to: .f32), i[1].cast(to: .f32))
      for number in 1...20 { value = value * Double(number) + 0.5 }
      return b.select(inside, value, value * 2.0)
    }
    #expect(before == after)
  }

  @Test(arguments: 0..<20)
  func keepsTheMeaning(block: Int) throws {
    for seed in (block * 10)..<(block * 10 + 10) {
      var random = SeededGenerator(seed: UInt64(seed))
      func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
      var lowering = Lowering(name: "random")
      let x = lowering.input(TensorType(.f32, [5, 6]), named: "x")
      let result = try lowering.element([5, 6]) { b, i in
        let conditions = [i[0] < i[1], i[0] < b.constant(3, .i64), b.load(x.id, i) < b.constant(0.0, .f32)]
        var made = [b.load(x.id, i), i[0].cast(to: .f32), b.constant(0.5, .f32)]
        for _ in 0..<16 {
          let (p, q) = (made[number(0...(made.count - 1))], made[max(0, made.count - number(1...3))])
          switch number(0...4) {
          case 0: made.append(p + q)
          case 1: made.append(p * q)
          case 2: made.append(b.load(x.id, i, where: conditions[number(0...2)], otherwise: .float(2)) - q)
          default: made.append(b.select(conditions[number(0...2)], p, q))
          }
        }
        return made[made.count - 1]
      }
      lowering.output(result, named: "y")
      var program = lowering.program
      guard case .compute(let value, .element(let form)) = program.steps[0] else { continue }
      let input = HostTensor(.f32, [5, 6], doubles: (0..<30).map { Double($0 * 7 % 11) - 5 })
      let expected = try FormInterpreter(program).run([input])[0]
      let values = program.values
      let plain = form.body.withoutNestedSelects { values[$0].type.element }
      program.steps = [.compute(value, .element(ElementForm(body: plain)))]
      #expect(FormVerifier.check(program).map(\.message) == [], "seed \(seed)")
      #expect(try FormInterpreter(program).run([input])[0].doubles == expected.doubles, "seed \(seed)")
    }
  }
}
