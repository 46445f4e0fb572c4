import Sinter
import SinterCore
import SinterForms
import SinterIR
import SinterLLVM
import SinterOps
import TestSupport
import Testing

/// Results of 16 bits that are stored in f32, and bytes that are stored in 16 bits: the same values, in and behind every form that computes or
/// reads them.
@Suite struct WideStorageTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    /// How many stored values change their type.
    var wide: Int
    /// The largest difference to the same arithmetic in f64, rounded where the model has 16 bits, relative to the largest result.
    var limit = 2e-3
    var shape: [Dim]
    var sizes: [Symbol: [Int]] = [:]
    /// Gets the input, a maker of weights, and what stands behind each operator.
    var make:
      @Sendable (
        inout GraphBuilder, ValueID, (inout GraphBuilder, [Int]) -> ValueID,
        (inout GraphBuilder, ValueID) throws -> ValueID
      )
        throws -> ValueID
    var testDescription: String { name }
  }

  static func conv(_ pads: Int, stride: Int = 1, groups: Int = 1) throws -> Conv {
    try Conv(attributeValues: [
      "pads": .ints([pads, pads, pads, pads]), "strides": .ints([stride, stride]), "group": .int(groups),
    ])
  }

  static let cases: [Case] = [
    Case(
      name: "convolutions", wide: 4, shape: ["n", 16, 9, 11], sizes: [Symbol("n"): [0, 1, 3]]
    ) { builder, x, weights, store in
      let first = try store(
        &builder, builder.add1(Unary(.relu), [builder.add1(conv(1), [x, weights(&builder, [40, 16, 3, 3])])]))
      let wide = try store(&builder, builder.add1(conv(0), [first, weights(&builder, [64, 40, 1, 1])]))
      let each = try store(
        &builder, builder.add1(conv(1, stride: 2, groups: 64), [wide, weights(&builder, [64, 1, 3, 3])]))
      let last = try store(&builder, builder.add1(conv(0), [each, weights(&builder, [40, 64, 1, 1])]))
      return try store(&builder, builder.add1(conv(0), [last, weights(&builder, [24, 40, 1, 1])]))
    },
    Case(
      name: "layers", wide: 3, shape: ["n", 7, 96], sizes: [Symbol("n"): [0, 1, 4]]
    ) { builder, x, weights, store in
      let wide = try store(
        &builder, builder.add1(Gelu(), [builder.add1(MatMul(), [x, weights(&builder, [96, 200])])]))
      let back = try store(&builder, builder.add1(MatMul(), [wide, weights(&builder, [200, 96])]))
      let sum = try store(&builder, builder.add1(Binary(.add), [back, x]))
      let norm = try store(
        &builder, builder.add1(LayerNormalization(), [sum, weights(&builder, [96]), weights(&builder, [96])]))
      let next = try store(
        &builder, builder.add1(Unary(.relu), [builder.add1(MatMul(), [norm, weights(&builder, [96, 64])])]))
      return try store(&builder, builder.add1(MatMul(), [next, weights(&builder, [64, 48])]))
    },
    Case(
      name: "attention", wide: 4, shape: ["n", 2, "k", 32], sizes: [Symbol("n"): [1, 2], Symbol("k"): [0, 1, 37]]
    ) { builder, x, weights, store in
      let parts = try (0..<3).map { _ in
        try store(&builder, builder.add1(MatMul(), [x, weights(&builder, [32, 32])]))
      }
      let result = try store(&builder, builder.add1(Attention(), parts))
      return try store(&builder, builder.add1(MatMul(), [result, weights(&builder, [32, 48])]))
    },
  ]

  /// - Parameter element: what the model holds its values in; f64: it computes in f64, and rounds to `rounded` where the other would.
  private static func graph(_ c: Case, _ element: ElementType, rounded: ElementType) throws -> Graph {
    var builder = GraphBuilder(name: "wide")
    var generator = SeededGenerator(seed: 5)
    let x = builder.input(Fact(element, c.shape), named: "x")
    let result = try c.make(
      &builder, x,
      { builder, shape in
        let made = HostTensor.random(.f32, shape, &generator)
        let depth = Double(shape.dropFirst(shape.count > 2 ? 1 : 0).dropLast(shape.count > 2 ? 0 : 1).reduce(1, *))
        let scaled = HostTensor(rounded, shape, doubles: (made.doubles ?? []).map { $0 / depth.squareRoot() })
        return builder.constant(HostTensor(element, shape, doubles: scaled.doubles ?? []))
      },
      { builder, value in
        if element == rounded { return value }
        return try builder.add1(Cast(to: element), [builder.add1(Cast(to: rounded), [value])])
      })
    builder.output(result, named: "y")
    return builder.graph
  }

  private static func inputs(_ c: Case, _ element: ElementType) -> [(symbols: [Symbol: Int], x: HostTensor)] {
    let all = c.sizes.sorted { $0.key.name < $1.key.name }.reduce([[:]]) { (found: [[Symbol: Int]], item) in
      found.flatMap { known in item.value.map { known.merging([item.key: $0]) { a, _ in a } } }
    }
    return all.map { symbols in
      var generator = SeededGenerator(seed: 9)
      let shape = c.shape.map { $0.evaluated { symbols[$0] } ?? 0 }
      let x = HostTensor.random(.f32, shape, &generator)
      return (symbols, HostTensor(element, shape, doubles: x.doubles ?? []))
    }
  }

  @Test(arguments: cases, [ElementType.f16, .bf16]) func changesNoBit(_ c: Case, _ element: ElementType) throws {
    // One whose products of bf16 are summed as those of f32 are: tiles of bf16 sum in an order of their own.
    let target = try Target.named("x86-64-v3")
    var compiler = Compiler()
    let fused = try compiler.fuse(compiler.lower(compiler.optimize(Self.graph(c, element, rounded: element))))
    let wide = CPUBackEnd(for: target).prepared(fused)
    try FormVerifier.verify(wide)
    let changed = fused.values.elements.indices.filter {
      fused.values.elements[$0].type != wide.values.elements[$0].type
    }
    #expect(changed.count == c.wide)
    #expect(changed.allSatisfy { wide.values.elements[$0].type.element == .f32 })
    #expect(wide.outputs.allSatisfy { wide.values[$0.value].type.element == element })
    let narrowRunner = try KernelRunner(CPUBackEnd(for: target).schedule(fused))
    let wideRunner = try KernelRunner(CPUBackEnd(for: target).schedule(wide))
    for (symbols, x) in Self.inputs(c, element) {
      let expected = try FormInterpreter(fused).run([x], symbols: symbols)[0]
      let given = try FormInterpreter(wide).run([x], symbols: symbols)[0]
      #expect(given.array(of: UInt16.self) == expected.array(of: UInt16.self), "interpreted at \(symbols)")
      let before = try narrowRunner.run([x])[0]
      let after = try wideRunner.run([x])[0]
      #expect(after.shape == before.shape)
      #expect(after.array(of: UInt16.self) == before.array(of: UInt16.self), "compiled at \(symbols)")
    }
  }

  /// What is stored wide is rounded all the same.
  @Test(arguments: cases) func errsNoMoreThanRoundingDoes(_ c: Case) throws {
    var compiler = Compiler()
    let runner = try KernelRunner(compiler.kernels(of: Self.graph(c, .f16, rounded: .f16)))
    let exact = try Self.graph(c, .f64, rounded: .f16)
    for (symbols, x) in Self.inputs(c, .f16) {
      let expected = try GraphEvaluator.run(exact, [HostTensor(.f64, x.shape, doubles: x.doubles ?? [])])[0]
      let given = try runner.run([x])[0]
      let (a, b) = (try #require(expected.doubles), try #require(given.doubles))
      let scale = a.reduce(1e-30) { Swift.max($0, $1.magnitude) }
      let error = pairs(b, a).reduce(0) { Swift.max($0, ($1.0 - $1.1).magnitude) } / scale
      #expect(error <= c.limit, "the error at \(symbols) is \(error)")
    }
  }

  /// Bytes, where the processor multiplies 16-bit numbers: from convolutions and products, read by such and by all else.
  @Test func bytesKeepTheirValues() throws {
    var lowering = Lowering(name: "bytes")
    let n = Dim(symbol: "n")
    let x = lowering.input(TensorType(.u8, [n, 7, 6, 12]), named: "x")
    var generator = SeededGenerator(seed: 3)
    func weights(_ shape: [Int]) -> Operand {
      lowering.constant(
        HostTensor(
          .i8, shape, values: (0..<shape.reduce(1, *)).map { _ in Int8(truncatingIfNeeded: generator.next()) }))
    }
    func requantized(_ sums: Operand, _ shape: [Dim], by factor: Double) throws -> Operand {
      try lowering.element(shape) { b, axes in
        (b.load(sums.id, axes).cast(to: .f32) * factor).unary(.round).clamped(
          b.constant(-100, .f32), b.constant(155, .f32)
        ).cast(to: .i32).cast(to: .u8)
      }
    }
    func convolved(_ image: Operand, _ weight: [Int], pads: Int = 0, groups: Int = 1) throws -> Operand {
      let result = [n, 7, 6, Dim(weight[0])]
      let sums = lowering.convolve(
        image, weights(weight), result: result, window: Array(weight[2...]), strides: [1, 1], dilations: [1, 1],
        padsBegin: [Dim(pads), Dim(pads)], groups: groups, channelsLast: true, accumulate: .i32)
      return try requantized(sums, result, by: 0.03)
    }
    let first = try convolved(x, [40, 12, 1, 1])
    let second = try convolved(first, [40, 40, 3, 3], pads: 1)
    let each = try convolved(first, [40, 1, 3, 3], pads: 1, groups: 40)
    let sum = try lowering.element([n, 7, 6, 40]) { b, axes in
      let both = b.load(second.id, axes).cast(to: .f32) + b.load(each.id, axes).cast(to: .f32)
      return (both * 0.5).cast(to: .i32).cast(to: .u8)
    }
    let third = try convolved(sum, [33, 40, 1, 1])
    let w = weights([33, 48])
    let products = try lowering.contract(
      batch: [], m: [n, 7, 6], n: [48], k: [33], accumulate: .i32,
      lhs: { b, _, m, k in b.load(third.id, m + k).cast(to: .i32) },
      rhs: { b, _, n, k in b.load(w.id, k + n).cast(to: .i32) })
    let last = try lowering.element([n, 7, 6, 48]) { b, axes in
      b.load(products.id, axes) + b.load(first.id, Array(axes[..<3]) + [b.constant(5, .i64)]).cast(to: .i32)
    }
    lowering.output(last, named: "y")
    let fused = Fusion.fuse(lowering.program).program

    let target = try Target.named("x86-64-v3")
    let wide = CPUBackEnd(for: target).prepared(fused)
    try FormVerifier.verify(wide)
    let changed = fused.values.elements.indices.filter {
      fused.values.elements[$0].type != wide.values.elements[$0].type
    }
    #expect(changed.count == 3)
    #expect(changed.allSatisfy { wide.values.elements[$0].type.element == .i16 })
    let runner = try KernelRunner(CPUBackEnd(for: target).schedule(wide))
    for count in [0, 1, 3] {
      let bytes = HostTensor(
        .u8, [count, 7, 6, 12], values: (0..<(count * 504)).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
      let symbols = [Symbol("n"): count]
      let expected = try FormInterpreter(fused).run([bytes], symbols: symbols)[0].array(of: Int32.self)
      #expect(try FormInterpreter(wide).run([bytes], symbols: symbols)[0].array(of: Int32.self) == expected)
      #expect(try runner.run([bytes])[0].array(of: Int32.self) == expected)
    }
    // A processor that multiplies bytes reads them as they are.
    let direct = CPUBackEnd(for: try Target.named("icelake-server")).prepared(fused)
    #expect(direct.description == fused.description)
  }

  /// What enters or leaves a program keeps its type.
  @Test func portsKeepTheirTypes() throws {
    var lowering = Lowering(name: "ports")
    let x = lowering.input(TensorType(.f16, [20, 32]), named: "x")
    let w = lowering.constant(HostTensor(.f16, [32, 32], doubles: (0..<1024).map { Double($0 % 7) / 8 }))
    func product(_ left: Operand) throws -> Operand {
      let sums = try lowering.contract(
        batch: [], m: [20], n: [32], k: [32], accumulate: .f32,
        lhs: { b, _, m, k in b.load(left.id, m + k).cast(to: .f32) },
        rhs: { b, _, n, k in b.load(w.id, k + n).cast(to: .f32) })
      return try lowering.element([20, 32]) { b, axes in b.load(sums.id, axes).cast(to: .f16) }
    }
    let first = try product(x)
    let second = try product(first)
    lowering.output(first, named: "first")
    lowering.output(second, named: "second")
    let fused = Fusion.fuse(lowering.program).program
    #expect(CPUBackEnd(for: .host).prepared(fused).description == fused.description)
  }
}
