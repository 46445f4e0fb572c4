import SinterCPU
import SinterCore
import SinterForms
import SinterKernelIR
import Testing

/// What a byte determines, as a table: the same bytes as the formula, and no formula left.
@Suite("Tables of bytes")
struct ByteTableTests {
  private static let bytes = (0..<600).map { UInt8(truncatingIfNeeded: ($0 * 167 + 31) ^ ($0 >> 3)) }

  private func input(_ type: ElementType, _ shape: [Int]) -> HostTensor {
    let count = shape.reduce(1, *)
    return type == .u8
      ? HostTensor(.u8, shape, values: Array(Self.bytes[..<count]))
      : HostTensor(.i8, shape, values: Self.bytes[..<count].map { Int8(bitPattern: $0) })
  }

  /// x · sigmoid(x) between bytes, with a byte after the sigmoid too, as quantizers leave it.
  private func swish(_ b: BodyBuilder, _ byte: Expr, to type: ElementType) -> Expr {
    let x = (byte.cast(to: .f32) - 7.0) * 0.031
    let sigmoid = ((1.0 / (-x).unary(.exp) + 1.0) * 250.0).unary(.round)
    let middle = sigmoid.clamped(b.constant(0.0, .f32), b.constant(255.0, .f32)).cast(to: .u8)
    let product = (x * middle.cast(to: .f32) * 0.4).unary(.round)
    let (low, high) = type == .u8 ? (0.0, 255.0) : (-128.0, 127.0)
    return product.clamped(b.constant(low, .f32), b.constant(high, .f32)).cast(to: type)
  }

  private func lookups(_ program: FormProgram, for machine: Machine = .x86_64_v4) throws -> Int {
    try Scheduler.schedule(program, for: machine).kernels.elements
      .reduce(0) { $0 + ($1.description.contains("= lookup") ? 1 : 0) }
  }

  private func check(
    _ program: FormProgram, _ inputs: [HostTensor], tables: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = try FormInterpreter(program).run(inputs)
    let with = ByteTables.applied(to: program)
    #expect(FormVerifier.check(with).map(\.message) == [], sourceLocation: sourceLocation)
    let added = with.values.elements.count - program.values.elements.count
    #expect(added == tables, sourceLocation: sourceLocation)
    #expect(try lookups(with) >= min(tables, 1), sourceLocation: sourceLocation)
    for (a, b) in zip(try FormInterpreter(with).run(inputs), expected) {
      #expect(a.bytes.withBytes(Array.init) == b.bytes.withBytes(Array.init), sourceLocation: sourceLocation)
    }
    try checkSchedules(
      of: with, inputs, tolerance: 0, machines: [.x86_64_v4, .x86_64_v3, .x86_64_v2, .aarch64, .riscv64],
      sourceLocation: sourceLocation)
  }

  @Test(arguments: [ElementType.u8, .i8], [ElementType.u8, .i8])
  func elements(from: ElementType, to: ElementType) throws {
    var lowering = Lowering(name: "swish")
    let x = lowering.input(TensorType(from, [3, 77]), named: "x")
    let y = try lowering.element([3, 77]) { b, i in swish(b, b.load(x.id, i), to: to) }
    lowering.output(y, named: "y")
    try check(lowering.program, [input(from, [3, 77])], tables: 1)
  }

  /// Padding around, whose condition stands at each step.
  @Test func paddedElements() throws {
    var lowering = Lowering(name: "padded")
    let x = lowering.input(TensorType(.i8, [6, 50]), named: "x")
    let y = try lowering.element([8, 50]) { b, i in
      let row = i[0] - b.constant(1, .i64)
      let inside = (row >= b.constant(0, .i64)) && (row < b.constant(6, .i64))
      let byte = b.load(x.id, [row, i[1]], where: inside)
      let value = b.select(inside, swish(b, byte, to: .u8), b.constant(0, .u8))
      return b.select(inside, value, b.constant(126, .u8))
    }
    lowering.output(y, named: "y")
    try check(Fusion.fuse(lowering.program).program, [input(.i8, [6, 50])], tables: 1)
  }

  /// Sums, of which a byte is made that a table then takes.
  @Test func epilogues() throws {
    var lowering = Lowering(name: "sums")
    let x = lowering.input(TensorType(.u8, [12, 50]), named: "x")
    let sum = try lowering.reduce(.sum, [50], over: [12]) { b, outer, inner in
      b.load(x.id, inner + outer).cast(to: .i32)
    }
    let y = try lowering.element([50]) { b, i in
      let scaled = (b.load(sum.id, i).cast(to: .f32) * 0.08).unary(.round)
      let byte = scaled.clamped(b.constant(0.0, .f32), b.constant(255.0, .f32)).cast(to: .u8)
      return swish(b, byte, to: .i8)
    }
    lowering.output(y, named: "y")
    try check(Fusion.fuse(lowering.program).program, [input(.u8, [12, 50])], tables: 1)
  }

  /// Two bytes determine a sum, each by itself what goes into it; equal tables are one.
  @Test func severalBytes() throws {
    var lowering = Lowering(name: "two")
    let a = lowering.input(TensorType(.u8, [90]), named: "a")
    let b = lowering.input(TensorType(.u8, [90]), named: "b")
    let y = try lowering.element([90]) { builder, i in
      let sides = [a, b].map { swish(builder, builder.load($0.id, i), to: .u8).cast(to: .i32) }
      return (sides[0] + sides[1]).unary(.negate).cast(to: .i32)
    }
    lowering.output(y, named: "y")
    try check(lowering.program, [input(.u8, [90]), input(.u8, [90])], tables: 1)
  }

  /// A short formula stays, and so does one that something else determines too.
  @Test func othersStay() throws {
    var lowering = Lowering(name: "others")
    let x = lowering.input(TensorType(.u8, [90]), named: "x")
    let scale = lowering.input(TensorType(.f32, [90]), named: "scale")
    let short = try lowering.element([90]) { b, i in
      (b.load(x.id, i).cast(to: .i32) + b.constant(1, .i32)).cast(to: .u8)
    }
    let mixed = try lowering.element([90]) { b, i in
      let y = (b.load(x.id, i).cast(to: .f32) * b.load(scale.id, i)).unary(.exp).unary(.round)
      return y.clamped(b.constant(0.0, .f32), b.constant(255.0, .f32)).cast(to: .u8)
    }
    lowering.output(short, named: "short")
    lowering.output(mixed, named: "mixed")
    let with = ByteTables.applied(to: lowering.program)
    #expect(with.values.elements.count == lowering.program.values.elements.count)
    #expect(try lookups(with) == 0)
  }
}
