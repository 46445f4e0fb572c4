import SinterCore
import SinterForms
import TestSupport
import Testing

@Suite("Simplification of bodies")
struct BodySimplifierTests {
  /// A random index over two or three axes: sums, quotients, remainders and comparisons by small numbers and sizes.
  private func index(
    _ b: BodyBuilder, _ axes: [Expr], _ sizes: [Dim], depth: Int, _ random: inout SeededGenerator
  ) -> Expr {
    func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    guard depth > 0 else {
      return number(0...3) == 0 ? b.constant(number(-4...9), .i64) : axes[number(0...(axes.count - 1))]
    }
    let x = index(b, axes, sizes, depth: depth - 1, &random)
    let factor = number(0...2) == 0 ? b.size(sizes[number(0...(sizes.count - 1))]) : b.constant(number(1...8), .i64)
    switch number(0...9) {
    case 0, 1: return x + index(b, axes, sizes, depth: depth - 1, &random)
    case 2: return x - index(b, axes, sizes, depth: depth - 1, &random)
    case 3, 4: return x * factor + index(b, axes, sizes, depth: 0, &random)
    case 5, 6: return x.floorDivided(by: factor)
    case 7: return x.modulo(factor)
    case 8: return x.minimum(index(b, axes, sizes, depth: depth - 1, &random))
    default:
      let y = index(b, axes, sizes, depth: depth - 1, &random)
      return b.select(x < y, x, y.maximum(factor))
    }
  }

  @Test(arguments: 0..<40)
  func keepsTheMeaningAndIsIdempotent(block: Int) throws {
    for seed in (block * 10)..<(block * 10 + 10) {
      var random = SeededGenerator(seed: UInt64(seed))
      let isSymbolic = seed % 2 == 1
      let sizes: [Dim] = isSymbolic ? ["n", 4, "m"] : [3, 4, 5]
      var lowering = Lowering(name: "random")
      let x = lowering.input(TensorType(.f32, ["n", "m"]), named: "x")
      let result = try lowering.element(sizes) { b, i in
        _ = x
        return index(b, i, sizes, depth: 5, &random)
      }
      lowering.output(result, named: "y")
      var program = lowering.program
      guard case .compute(let value, .element(let form)) = program.steps[0] else { continue }
      let simple = BodySimplifier.simplify(form.body, extents: sizes, values: program.values, ranges: [:])
      let input = HostTensor(.f32, [3, 5], doubles: Array(repeating: 0, count: 15))
      let expected = try FormInterpreter(program).run([input])[0].int64s
      program.steps = [.compute(value, .element(ElementForm(body: simple)))]
      #expect(try FormInterpreter(program).run([input])[0].int64s == expected, "seed \(seed)")
      let again = BodySimplifier.simplify(simple, extents: sizes, values: program.values, ranges: [:])
      #expect(again.exprs.count <= simple.exprs.count, "seed \(seed)")
    }
  }

  /// Reshaping there and back leaves plain axes.
  @Test(
    arguments: [
      ([6, 4], [3, 8]), ([2, 3, 4], [24]), (["n", 12, 64], [Dim("n") * 12, 64]),
      (["n", "h", "w"], ["n", Dim("h") * Dim("w")]),
    ] as [([Dim], [Dim])])
  func reshapesThereAndBack(shape: [Dim], other: [Dim]) throws {
    func reshape(_ l: inout Lowering, _ x: Operand, _ shape: [Dim]) throws -> Operand {
      try l.element(shape) { b, i in
        var position = b.constant(0, .i64)
        for (index, size) in zip(i, shape) { position = position * b.size(size) + index }
        var source: [Expr] = []
        for size in x.shape.reversed() {
          source.append(position.modulo(b.size(size)))
          position = position.floorDivided(by: b.size(size))
        }
        return b.load(x.id, source.reversed())
      }
    }
    var lowering = Lowering(name: "reshapes")
    let x = lowering.input(TensorType(.f32, shape), named: "x")
    let there = try reshape(&lowering, x, other)
    lowering.output(try reshape(&lowering, there, shape), named: "y")
    let fused = Fusion.fuse(lowering.program).program
    guard fused.steps.count == 1, case .compute(_, .element(let form)) = fused.steps[0] else {
      Issue.record("expected one element form, got \(fused)")
      return
    }
    #expect(form.body.readsInPlace(x.id, shape), "\(fused)")
  }
}
