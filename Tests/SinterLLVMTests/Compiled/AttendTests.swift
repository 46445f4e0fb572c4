import SinterCore
import SinterForms
import Testing

@testable import SinterLLVM

/// Attention as machine code, at the sizes of real models and at odd ones.
@Suite struct AttendTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var heads: Int, rows: Dim, keys: Dim, depth: Int
    var sizes: [Symbol: Int] = [:]
    var isCausal = false
    var testDescription: String { "\(heads) \(rows)x\(keys)x\(depth) \(sizes.map { "\($0.key.name)=\($0.value)" })" }
  }

  static let cases: [Case] = [
    Case(heads: 3, rows: 49, keys: 49, depth: 32), Case(heads: 2, rows: 197, keys: 197, depth: 64),
    Case(heads: 2, rows: 128, keys: 128, depth: 64), Case(heads: 12, rows: 1, keys: 257, depth: 64),
    Case(heads: 1, rows: 70, keys: 1030, depth: 40, isCausal: true),
    Case(heads: 2, rows: "s", keys: "t", depth: 64, sizes: [Symbol("s"): 37, Symbol("t"): 611], isCausal: true),
    Case(heads: 2, rows: "s", keys: "t", depth: 64, sizes: [Symbol("s"): 1, Symbol("t"): 300]),
    Case(heads: 2, rows: "s", keys: "s", depth: 80, sizes: [Symbol("s"): 300], isCausal: true),
  ]

  static func program(_ c: Case) throws -> FormProgram {
    let (heads, depth) = (Dim(c.heads), Dim(c.depth))
    var l = Lowering(name: "attend")
    let q = l.input(TensorType(.f32, [c.rows, heads, depth]), named: "q")
    let k = l.input(TensorType(.f32, [heads, c.keys, depth]), named: "k")
    let v = l.input(TensorType(.f32, [c.keys, heads, depth]), named: "v")
    let attended = try l.attend(
      batch: [heads], rows: [c.rows], keys: c.keys, depth: depth, columns: depth, accumulate: .f32, emptyIsZero: false,
      query: { b, batch, row, depth in b.load(q.id, row + batch + [depth]) },
      key: { b, batch, key, depth in b.load(k.id, batch + [key, depth]) },
      score: { b, product, index in
        let scaled = product * 0.3
        return c.isCausal ? b.select(index[2] <= index[1], scaled, b.constant(-.infinity, .f32)) : scaled
      },
      value: { b, batch, column, key in b.load(v.id, [key] + batch + [column]) })
    l.output(attended, named: "y")
    return l.program
  }

  @Test(arguments: cases) func equalsInterpreter(_ c: Case) throws {
    #expect(try CompiledProgram.error(try Self.program(c), sizes: c.sizes) < 1e-5)
  }

  @Test func runsOnOlderProcessors() throws {
    let program = try Self.program(Case(heads: 2, rows: 19, keys: 53, depth: 20))
    let target = try #require(Target(named: "x86-64-v3"))
    #expect(try CompiledProgram.error(program, machine: .x86_64_v3, target: target) < 1e-5)
  }
}
