import SinterCore
import TestSupport
import Testing

@testable import SinterForms
@testable import SinterCPU

/// Products of which each element needs a column in each of several groups.
@Suite("Products with groups of columns")
struct ColumnGroupTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var groups: Int, extent: Int, depth: Int
    /// The rows: known, or a symbol with this value.
    var rows: Int
    var isSymbolic = false
    var testDescription: String { "\(isSymbolic ? "rows=" : "")\(rows) x \(groups)·\(extent) x \(depth)" }
  }

  static let cases: [Case] = [(2, 32, 9), (3, 20, 5), (4, 7, 7), (4, 40, 12), (3, 3, 6), (5, 33, 3)].flatMap {
    groups, extent, depth in
    [1, 3, 14].map { Case(groups: groups, extent: extent, depth: depth, rows: $0) }
      + [Case(groups: groups, extent: extent, depth: depth, rows: 5, isSymbolic: true)]
  }

  /// x · w + bias, then the sum of the first group and of the product of all others at each place.
  private func gates(
    _ l: inout Lowering, _ x: Operand, _ w: Operand, _ bias: Operand, _ c: Case
  ) throws -> (first: Operand, second: Operand) {
    let rows = x.shape[0]
    let product = try l.contract(
      batch: [], m: [rows], n: [Dim(c.groups * c.extent)], k: [Dim(c.depth)], accumulate: .f32,
      lhs: { b, _, m, k in b.load(x.id, m + k) }, rhs: { b, _, n, k in b.load(w.id, n + k) })
    let sum = try l.element(product.shape) { b, i in b.load(product.id, i) + b.load(bias.id, [i[1]]) }
    func gate(_ b: BodyBuilder, _ i: [Expr], _ number: Int) -> Expr {
      b.load(sum.id, [i[0], i[1] + b.constant(number * c.extent, .i64)])
    }
    let first = try l.element([rows, Dim(c.extent)]) { b, i in
      var result = gate(b, i, 1)
      for number in 2..<Swift.max(c.groups, 2) { result = result * gate(b, i, number) }
      return (gate(b, i, 0) + result).unary(.tanh)
    }
    let second = try l.element(first.shape) { b, i in
      b.load(first.id, i) * 0.5 + gate(b, i, c.groups - 1).unary(.exp)
    }
    return (first, second)
  }

  /// Weights so small that iterations do not amplify differences.
  private func weights(_ c: Case) -> HostTensor {
    let values = noise([c.groups * c.extent, c.depth], seed: 3).array(of: Float.self)
    return .f32([c.groups * c.extent, c.depth], values.map { $0 / Float(c.depth) })
  }

  private func check(_ program: FormProgram, _ inputs: [HostTensor]) throws -> FormProgram {
    let fused = Fusion.fuse(program).program
    try FormVerifier.verify(fused)
    let (given, expected) = (try FormInterpreter(fused).run(inputs), try FormInterpreter(program).run(inputs))
    for (a, b) in pairs(given, expected) {
      #expect(a.element == b.element && a.shape == b.shape)
      let (x, y) = (try #require(a.doubles), try #require(b.doubles))
      #expect(pairs(x, y).allSatisfy { abs($0 - $1) <= 1e-5 * Swift.max(1, abs($1)) })
    }
    try checkSchedules(of: fused, inputs, tolerance: 1e-4)
    return fused
  }

  @Test(arguments: cases) func oneKernel(_ c: Case) throws {
    var l = Lowering(name: "gates")
    let x = l.input(TensorType(.f32, [c.isSymbolic ? "rows" : Dim(c.rows), Dim(c.depth)]), named: "x")
    let bias = l.input(TensorType(.f32, [Dim(c.groups * c.extent)]), named: "bias")
    let w = l.constant(weights(c))
    let (first, second) = try gates(&l, x, w, bias, c)
    l.output(first, named: "first")
    l.output(second, named: "second")
    let fused = try check(l.program, [noise([c.rows, c.depth]), noise([c.groups * c.extent], seed: 2)])
    #expect(fused.steps.count == 1)
    if c.extent >= 16 {
      #expect(try Scheduler.schedule(fused, for: .x86_64_v4).steps.count == 1)
    }
  }

  /// What the group gives is carried to the next iteration, once in place and once read by the product.
  @Test(arguments: cases.filter { $0.groups < 5 }, [false, true]) func iterations(_ c: Case, reversed: Bool) throws {
    var l = Lowering(name: "iterations")
    let c = Case(groups: c.groups, extent: c.extent, depth: c.extent, rows: c.rows, isSymbolic: c.isSymbolic)
    let shape: [Dim] = [c.isSymbolic ? "rows" : Dim(c.rows), Dim(c.extent)]
    let start = l.input(TensorType(.f32, shape), named: "start")
    let bias = l.input(TensorType(.f32, ["iterations", Dim(c.groups * c.extent)]), named: "bias")
    let w = l.constant(weights(c))
    let (final, collected) = try l.repetition(
      count: "iterations", carried: [start, start], sliced: [bias], reversed: reversed
    ) { l, carried, slices in
      let (first, second) = try gates(&l, carried[0], w, slices[0], c)
      let kept = try l.element(first.shape) { b, i in b.load(second.id, i) * 0.1 + b.load(carried[1].id, i) * 0.5 }
      return ([first, kept], [second])
    }
    for (number, value) in (final + collected).enumerated() { l.output(value, named: "y\(number)") }
    _ = try check(l.program, [noise([c.rows, c.extent]), noise([3, c.groups * c.extent], seed: 2)])
  }

  /// A product that something else reads, or whose columns are read elsewhere, is computed by itself.
  @Test func productsThatOthersRead() throws {
    let c = Case(groups: 2, extent: 16, depth: 4, rows: 3)
    for isShifted in [false, true] {
      var l = Lowering(name: "others")
      let x = l.input(TensorType(.f32, [3, 4]), named: "x")
      let w = l.constant(noise([32, 4], seed: 3))
      let product = try l.contract(
        batch: [], m: [3], n: [32], k: [4], accumulate: .f32,
        lhs: { b, _, m, k in b.load(x.id, m + k) }, rhs: { b, _, n, k in b.load(w.id, n + k) })
      let gated = try l.element([3, 16]) { b, i in
        b.load(product.id, i) * b.load(product.id, [i[0], i[1] + b.constant(isShifted ? 15 : 16, .i64)])
      }
      l.output(gated, named: "gated")
      if !isShifted { l.output(product, named: "product") }
      #expect(try check(l.program, [noise([c.rows, c.depth])]).steps.count == 2)
    }
  }
}
