import SinterCore
import SinterForms
import TestSupport
import Testing

@Suite("Text form and verifier of forms")
struct FormTextTests {
  @Test(arguments: 0..<40)
  func randomProgramsRoundTrip(seed: Int) throws {
    var maker = RandomForms(seed: seed, isSymbolic: seed % 2 == 1)
    let program = try maker.program(steps: 12)
    for version in [program, Fusion.fuse(program).program] {
      #expect(FormVerifier.check(version).map(\.description) == [], "seed \(seed)")
      let text = version.description
      let parsed = try FormProgram(parsing: text)
      #expect(parsed.description == text, "seed \(seed)")
    }
  }

  /// One of each of what random programs do not hold.
  @Test func allFormsRoundTrip() throws {
    var l = Lowering(name: "all \"forms\"")
    l.setRange(1...64, of: Symbol("batch"))
    l.origin = ["layer 1", "node /a"]
    let number = l.error("index %0")
    let x = l.input(TensorType(.f32, ["batch", 4, 8, 8]), named: "x")
    let w = l.constant(HostTensor(.f32, [4, 1, 3, 3], doubles: (0..<36).map { Double($0) }), named: "w")
    let text = l.constant(HostTensor(strings: ["a\n", "b"], shape: [2]))
    let y = l.convolve(
      x, w, result: ["batch", 4, 8, 8], window: [3, 3], strides: [1, 1], dilations: [1, 1], padsBegin: [1, 1],
      groups: 4,
      channelsLast: false, accumulate: .f32)
    let order = try l.sort(y.shape, axis: 3, count: 2, descending: true) { b, i in b.load(y.id, i) }
    let z = try l.scatter(
      TensorType(.f32, [4]), domain: [2], combine: .sum, base: { b, _ in b.constant(-.infinity, .f32) },
      update: { b, i in
        (
          [i[0].checked(below: b.size("batch"), error: number)],
          b.load(w.id, [i[0]] + i + i + i, where: i[0] < b.size("batch"))
        )
      })
    let same = try l.element([2]) { b, i in b.load(text.id, i) .== b.load(text.id, [b.constant(0, .i64)]) }
    let (final, collected) = try l.repetition(count: "batch", carried: [z], sliced: [y], reversed: true) {
      l, current, slice in
      let next = try l.element([4]) { b, i in
        b.load(current[0].id, i) + b.load(slice[0].id, i + [b.constant(0, .i64), b.constant(1, .i64)])
      }
      return ([next], [next])
    }
    _ = l.number(of: "known \"text\"")
    let called = l.call(.parse, [text], [0, Int64(number)], gives: TensorType(.i64, [2]))
    let attended = try l.attend(
      batch: ["batch"], rows: [4], keys: "batch", depth: 8, columns: 8, accumulate: .f32, emptyIsZero: true,
      query: { b, batch, row, depth in b.load(x.id, batch + row + [b.constant(0, .i64), depth]) },
      key: { b, batch, key, depth in b.load(x.id, [key, b.constant(1, .i64), depth, b.constant(2, .i64)]) },
      score: { b, product, index in b.select(index[2] <= index[1], product * 0.5, b.constant(-.infinity, .f32)) },
      value: { b, batch, column, key in b.load(x.id, [key, b.constant(3, .i64), column, b.constant(4, .i64)]) })
    for (index, value) in ([order, same, called, attended] + final + collected).enumerated() {
      l.output(value, named: "y\(index)")
    }
    let program = l.program
    #expect(FormVerifier.check(program).map(\.description) == [])
    let printed = program.description
    let parsed = try FormProgram(parsing: printed) { _ in program.values[w.id].constant }
    #expect(parsed.description == printed)
  }

  struct Mistake: Sendable {
    let step: String
    let message: String
  }

  @Test(arguments: [
    Mistake(
      step: "%1: f32[2] = element body { $0 = axis 1: i64 $1 = load %0[$0]: f32 result $1 }",
      message: "internal error: %1: element: $0: axis 1 of 1"),
    Mistake(
      step: "%1: f64[2] = element body { $0 = axis 0: i64 $1 = load %0[$0]: f32 result $1 }",
      message: "internal error: %1: element: the results are [f32], expected [f64]"),
    Mistake(
      step: "%1: f32[2] = element body { $0 = axis 0: i64 $1 = load %2[$0]: f32 result $1 }",
      message: "internal error: %1: reads %2, which is not computed before"),
    Mistake(
      step: "%1: f32[2] = element body { $0 = axis 0: i64 $1 = load %0[$0]: f32 $2 = add $0, $1: f32 result $2 }",
      message: "internal error: %1: element: $2: add of i64 and f32 as f32"),
    Mistake(
      step: "%1: f32[2] = scan sum axis 3 body { $0 = axis 0: i64 $1 = load %0[$0]: f32 result $1 }",
      message: "internal error: %1: axis 3 of f32[2] does not exist"),
  ])
  func mistakesAreFound(_ mistake: Mistake) throws {
    let text = """
      forms "wrong" {
        input %0 "x": f32[2]
        \(mistake.step)
        %2: f32[2] = element body { $0 = constant 0.0: f32 result $0 }
        output "y" %1
      }
      """
    let program = try FormProgram(parsing: text)
    #expect(FormVerifier.check(program).map(\.description) == [mistake.message])
  }

  @Test func parserTellsWhere() {
    let error = #expect(throws: DiagnosticError.self) {
      try FormProgram(parsing: "forms \"x\" {\n  %0: f32[2] = sum\n}")
    }
    #expect(error?.description == "error: there is no form 'sum' (line 2, column 19)")
  }
}
