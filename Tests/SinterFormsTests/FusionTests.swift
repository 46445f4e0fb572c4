import SinterCore
import SinterForms
import TestSupport
import Testing

@Suite("Fusion of forms")
struct FusionTests {
  /// Fused programs compute bit for bit what they did before.
  @Test(arguments: 0..<60)
  func keepsTheMeaning(block: Int) throws {
    for seed in (block * 10)..<(block * 10 + 10) {
      var maker = RandomForms(seed: seed, isSymbolic: seed % 2 == 1)
      let program = try maker.program(steps: 4 + seed % 13)
      let (fused, _) = Fusion.fuse(program)
      let expected = try FormInterpreter(program).run(maker.inputs)
      let given = try FormInterpreter(fused).run(maker.inputs)
      for (a, b) in pairs(given, expected, "seed \(seed)") {
        #expect(a.element == b.element && a.shape == b.shape, "seed \(seed)")
        let (x, y) = (try #require(a.doubles), try #require(b.doubles))
        #expect(pairs(x, y).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }, "seed \(seed)")
      }
    }
  }

  /// Operators on 16-bit floats round what is stored, not what is fused; a conversion that is asked for rounds in any case.
  @Test(arguments: [ElementType.f16, .bf16])
  func roundsWhatIsStored(element: ElementType) throws {
    func result(converts: Bool) throws -> HostTensor {
      var lowering = Lowering(name: "narrow")
      let x = lowering.input(TensorType(element, [4]), named: "x")
      let third = try lowering.element([4]) { b, i in
        let exact = b.load(x.id, i).cast(to: .f32) / 3
        return converts ? exact.rounded(to: element) : exact.cast(to: element)
      }
      let y = try lowering.element([4]) { b, i in (b.load(third.id, i).cast(to: .f32) * 3).cast(to: .f32) }
      lowering.output(y, named: "y")
      let (fused, _) = Fusion.fuse(lowering.program)
      #expect(fused.steps.count == 1)
      return try FormInterpreter(fused).run([HostTensor(element, [4], doubles: [1, 5, 7, 11])])[0]
    }
    let plain = try #require(try result(converts: false).doubles)
    #expect(zip(plain, [1.0, 5, 7, 11]).allSatisfy { abs($0 - $1) < 1e-5 }, "\(plain)")
    let rounded = try #require(try result(converts: true).doubles)
    #expect(zip(rounded, [1.0, 5, 7, 11]).allSatisfy { abs($0 - $1) > 1e-4 && abs($0 - $1) < 0.1 }, "\(rounded)")
  }

  /// However reductions, rows and products are combined, what is read was computed before.
  @Test(arguments: 0..<10)
  func keepsTheOrder(block: Int) throws {
    for seed in (block * 10)..<(block * 10 + 10) {
      var maker = RandomForms(seed: 5200 + seed, isSymbolic: seed % 2 == 1)
      let program = try maker.program(steps: 20 + (200 + seed) % 60)
      #expect(FormVerifier.check(Fusion.fuse(program).program).map(\.message) == [], "seed \(seed)")
    }
  }

  /// Floats as bytes over their own range, multiplied by others without their zero point: work is moved before relayouts that stand before
  /// what it reads, and the extremes, what follows from them and the bytes are all candidates for groups.
  @Test(arguments: [1, 8, 64])
  func quantizedProductsAreInOrder(rows: Int) throws {
    var lowering = Lowering(name: "quantized")
    let x = lowering.input(TensorType(.f32, [Dim(rows), 8]), named: "x")
    let weights = lowering.constant(HostTensor(.i32, [8, 6], values: (0..<48).map { Int32($0 % 7 - 3) }))
    func zero(_ b: BodyBuilder) -> Expr { b.constant(0.0, .f32) }
    let least = try lowering.reduce(.minimum, [], over: x.shape) { b, _, i in b.load(x.id, i) }
    let greatest = try lowering.reduce(.maximum, [], over: x.shape) { b, _, i in b.load(x.id, i) }
    let scale = try lowering.element([]) { b, _ in
      (b.load(greatest.id, []).maximum(zero(b)) - b.load(least.id, []).minimum(zero(b))) / 255
    }
    let offset = try lowering.element([]) { b, _ in
      let exact = -b.load(least.id, []).minimum(zero(b)) / b.load(scale.id, [])
      return exact.clamped(zero(b), b.constant(255, .f32)).unary(.round).cast(to: .u8)
    }
    let bytes = try lowering.element(x.shape) { b, i in
      let exact = (b.load(x.id, i) / b.load(scale.id, [])).unary(.round)
      return (exact + b.load(offset.id, []).cast(to: .f32)).clamped(zero(b), b.constant(255, .f32)).cast(to: .u8)
    }
    let wide = try lowering.element(x.shape) { b, i in b.load(bytes.id, i).cast(to: .i32) }
    let wideOffset = try lowering.element([]) { b, _ in b.load(offset.id, []).cast(to: .i32) }
    let centered = try lowering.element(x.shape) { b, i in b.load(wide.id, i) - b.load(wideOffset.id, []) }
    let product = try lowering.contract(
      batch: [], m: [Dim(rows)], n: [6], k: [8], accumulate: .i32,
      lhs: { b, _, m, k in b.load(centered.id, m + k) }, rhs: { b, _, n, k in b.load(weights.id, k + n) })
    let step = try lowering.element([]) { b, _ in b.load(scale.id, []) * 0.01 }
    let scaled = try lowering.element(product.shape) { b, i in
      b.load(product.id, i).cast(to: .f32) * b.load(step.id, [])
    }
    lowering.output(scaled, named: "y")
    #expect(FormVerifier.check(Fusion.fuse(lowering.program).program).map(\.message) == [])
  }

  /// An index moved by the least integer, as a pad of that many elements moves it, has no opposite to subtract.
  @Test func indicesMayBeMovedByTheLeastInteger() throws {
    var lowering = Lowering(name: "least")
    let x = lowering.input(TensorType(.f32, [4]), named: "x")
    let moved = try lowering.element([4]) { b, i in
      let place = i[0] + b.constant(Int.min, .i64)
      return b.load(x.id, [place], where: place >= b.constant(0, .i64) && place < b.constant(4, .i64))
    }
    lowering.output(moved, named: "y")
    let fused = Fusion.fuse(lowering.program).program
    #expect(FormVerifier.check(fused).map(\.message) == [])
    #expect(try FormInterpreter(fused).run([.f32([4], [1, 2, 3, 4])])[0].doubles == [0, 0, 0, 0])
  }
}
