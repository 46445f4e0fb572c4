import SinterCore
import SinterForms
import SinterIR
import Testing

@Suite("Forms of constants")
struct ConstantFormTests {
  /// y = x · Σ w over the rows of w, and the widened weights themselves.
  private func program() throws -> FormProgram {
    var lowering = Lowering(name: "constants")
    let w = lowering.constant(HostTensor(.i8, [3, 2], values: [Int8](arrayLiteral: 1, -2, 3, 100, 100, 100)))
    let x = lowering.input(TensorType(.i32, [2]), named: "x")
    let sums = try lowering.reduce(.sum, [2], over: [3]) { b, outer, inner in
      b.load(w.id, inner + outer).cast(to: .i32)
    }
    let wide = try lowering.element([3, 2]) { b, i in b.load(w.id, i).cast(to: .i32) }
    lowering.output(try lowering.element([2]) { b, i in b.load(x.id, i) * b.load(sums.id, i) }, named: "y")
    lowering.output(wide, named: "wide")
    return lowering.program
  }

  @Test func sumsAreComputedAheadOfTime() throws {
    // 8 bytes of sums are more than 6 of weights.
    #expect(ConstantForms.folded(try program()).steps.count == 3)
    var lowering = Lowering(name: "constants")
    let w = lowering.constant(HostTensor(.i8, [40, 2], values: (0..<80).map { Int8($0) }))
    let x = lowering.input(TensorType(.i32, [2]), named: "x")
    let sums = try lowering.reduce(.sum, [2], over: [40]) { b, outer, inner in
      b.load(w.id, inner + outer).cast(to: .i32)
    }
    lowering.output(try lowering.element([2]) { b, i in b.load(x.id, i) * b.load(sums.id, i) }, named: "y")
    let folded = ConstantForms.folded(lowering.program)
    #expect(folded.steps.count == 1)
    #expect(folded.values[sums.id].constant?.array(of: Int32.self) == [1560, 1600])
    #expect(FormVerifier.check(folded).isEmpty)
    let input = HostTensor(.i32, [2], values: [Int32](arrayLiteral: 2, -3))
    #expect(try FormInterpreter(folded).run([input])[0].array(of: Int32.self) == [3120, -4800])
  }

  @Test func whatCallersReadAndWhatFailsStays() throws {
    var lowering = Lowering(name: "constants")
    let indices = lowering.constant(.i64([4], [0, 1, 7, 2]))
    let table = lowering.constant(.i64([3], [5, 6, 7]))
    let error = lowering.error("index %0 is not below %1")
    let picked = try lowering.element([4]) { b, i in
      b.load(table.id, [b.load(indices.id, i).checked(below: b.constant(3, .i64), error: error)])
    }
    lowering.output(try lowering.element([4]) { b, i in b.load(picked.id, i) + b.constant(1, .i64) }, named: "y")
    let folded = ConstantForms.folded(lowering.program)
    #expect(folded.steps.count == 2)
  }

  /// Texts have the numbers of the whole program.
  @Test func textsKeepTheirNumbers() throws {
    var lowering = Lowering(name: "texts")
    let (numbers, _) = lowering.numbers(of: ["first", "second"])
    let words = lowering.constant(HostTensor(strings: ["third", "second", "first"], shape: [3]))
    let isSecond = try lowering.element([3]) { b, i in
      b.select(
        b.load(words.id, i).cast(to: .i64) .== b.constant(numbers[1], .i64), b.constant(1, .i64), b.constant(0, .i64)
      ).cast(to: .bool)
    }
    lowering.output(try lowering.element([3]) { b, i in b.load(isSecond.id, i).cast(to: .i64) }, named: "y")
    let program = lowering.program.numberingTexts()
    let folded = ConstantForms.folded(program)
    #expect(folded.steps.count < program.steps.count)
    #expect(try FormInterpreter(folded).run([])[0].integers == [0, 1, 0])
    let unnumbered = ConstantForms.folded(lowering.program)
    #expect(try FormInterpreter(unnumbered).run([])[0].integers == [0, 1, 0])
  }
}
