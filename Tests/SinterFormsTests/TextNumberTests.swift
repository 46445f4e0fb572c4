import SinterCore
import Testing

@testable import SinterForms

/// Programs of text and the same ones of numbers.
@Suite struct TextNumberTests {
  private func program() throws -> FormProgram {
    var l = Lowering(name: "texts")
    let x = l.input(TensorType(.string, ["n"]), named: "x")
    let known = l.constant(HostTensor(strings: ["b", "", "é"], shape: [3]))
    _ = l.number(of: "zebra")
    let number = l.number(of: "b")
    let isKnown = try l.element(["n"]) { b, i in b.load(x.id, i).cast(to: .i64) .== b.constant(number, .i64) }
    let picked = try l.element(["n"]) { b, i in
      b.select(b.load(isKnown.id, i), b.load(known.id, [b.constant(2, .i64)]), b.load(x.id, i))
    }
    let named = try l.element([2]) { b, i in
      b.select(i[0] .== b.constant(0, .i64), b.constant(number, .i64), b.constant(0, .i64)).cast(to: .string)
    }
    let (final, collected) = try l.repetition(count: 3, carried: [picked], sliced: []) { l, current, _ in
      let next = l.call(.join, [current[0], x], gives: TensorType(.string, ["n"]))
      return ([next], [current[0]])
    }
    for (index, value) in ([isKnown, picked, named, x] + final + collected).enumerated() {
      l.output(value, named: "y\(index)")
    }
    return l.program
  }

  @Test(arguments: [0, 1, 4])
  func numbersMeanTheTexts(count: Int) throws {
    let program = try program()
    let numbered = program.numberingTexts()
    #expect(FormVerifier.check(program).isEmpty && FormVerifier.check(numbered).isEmpty)
    #expect(numbered.values.elements.allSatisfy { $0.type.element != .string })
    let input = HostTensor(strings: Array(["b", "e\u{301}", "é", ""][..<count]), shape: [count])
    let expected = try FormInterpreter(program).run([input])
    let computed = try FormInterpreter(numbered).run([input])
    #expect(expected.count == 6 && computed.count == 6)
    for (a, b) in zip(computed, expected) { #expect(a.hasSameContents(as: b), "\(a.strings), not \(b.strings)") }
    if count == 4 {
      #expect(expected[1].strings == ["é", "e\u{301}", "é", ""] && expected[2].strings == ["b", ""])
      #expect(expected[4].strings == ["ébbb", "e\u{301}e\u{301}e\u{301}e\u{301}", "éééé", ""])
    }
    let parsed = try FormProgram(parsing: numbered.description)
    #expect(parsed.description == numbered.description)
    for (a, b) in zip(try FormInterpreter(parsed).run([input]), expected) { #expect(a.hasSameContents(as: b)) }
  }

  @Test func textsAreBytes() {
    var table = TextTable()
    #expect(table.number(of: "") == 0 && table.number(of: "é") == 1 && table.number(of: "e\u{301}") == 2)
    #expect(table.number(of: "é") == 1 && table.count == 3 && table[2] == "e\u{301}" && table[7] == "")
    let composed = HostTensor(strings: ["é"], shape: [1])
    #expect(!composed.hasSameContents(as: HostTensor(strings: ["e\u{301}"], shape: [1])))
  }
}
