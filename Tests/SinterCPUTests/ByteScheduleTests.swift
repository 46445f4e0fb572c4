import SinterCPU
import SinterCore
import SinterForms
import SinterKernelIR
import Testing

/// Products and convolutions of bytes against the meaning of their forms, with each row of the table of tile operations.
@Suite struct ByteScheduleTests {
  static let machines: [Machine] = {
    var direct = Machine.x86_64_v4
    direct.tileOperations = direct.tileOperations.map { $0 == .shortPairDot ? .byteDot : $0 }
    var signed = Machine.aarch64
    signed.tileOperations = signed.tileOperations.map { $0 == .pairedByteDot ? .signedByteDot : $0 }
    // As if they cost nothing, so that small products are summed in them.
    var tiles = direct
    tiles.tileOperations.append(.byteTileDot)
    tiles.cyclesPerTileDot = 1
    return [tiles, direct, .x86_64_v4, .x86_64_v3, .x86_64_v2, .generic, signed, .aarch64, .riscv64]
  }()

  private func unsigned(_ shape: [Int], seed: Int = 1) -> HostTensor {
    HostTensor(
      .u8, shape, values: (0..<shape.reduce(1, *)).map { UInt8(truncatingIfNeeded: ($0 * 167 + seed * 31) ^ ($0 >> 3)) }
    )
  }

  private func signed(_ shape: [Int], seed: Int = 1) -> HostTensor {
    HostTensor(
      .i8, shape, values: (0..<shape.reduce(1, *)).map { Int8(truncatingIfNeeded: ($0 * 101 + seed * 77) ^ ($0 >> 2)) })
  }

  /// One that multiplies bytes as they lie.
  static let direct = machines[1]

  /// Kernels of the scheduled program by name.
  private func kernels(_ program: FormProgram) throws -> [String] {
    try Scheduler.schedule(program, for: Self.direct).kernels.elements.map(\.name)
  }

  private func product(
    _ m: Int, _ n: Int, _ k: Int, symbolic name: String? = nil, transposed: Bool = false
  ) throws -> (FormProgram, [HostTensor]) {
    var lowering = Lowering(name: "product")
    let a = unsigned(transposed ? [k, m] : [m, k])
    let rows = name.map { Dim(symbol: $0) } ?? Dim(m)
    let x = lowering.input(TensorType(.u8, transposed ? [Dim(k), rows] : [rows, Dim(k)]), named: "a")
    let w = lowering.constant(signed([k, n]), named: "b")
    let y = try lowering.contract(
      batch: [], m: [rows], n: [Dim(n)], k: [Dim(k)], accumulate: .i32,
      lhs: { builder, _, m, k in builder.load(x.id, transposed ? k + m : m + k) },
      rhs: { builder, _, n, k in builder.load(w.id, k + n) })
    lowering.output(y, named: "y")
    return (lowering.program, [a])
  }

  @Test(arguments: [
    (1, 20, 7), (3, 33, 4), (5, 48, 64), (13, 16, 1), (4, 70, 2), (9, 17, 131), (2, 16, 0), (0, 16, 5), (30, 5, 9),
    (33, 50, 70), (70, 16, 64), (20, 75, 128), (64, 32, 65),
  ])
  func products(m: Int, n: Int, k: Int) throws {
    for symbol in [nil, "rows"] {
      let (program, inputs) = try product(m, n, k, symbolic: symbol)
      try checkSchedules(of: program, inputs, tolerance: 0, machines: Self.machines)
    }
  }

  /// Where the processor has tiles, they are taken as soon as there are more rows than a decoder has.
  @Test func productsInTiles() throws {
    for (m, symbol, isTiled) in [(40, nil, true), (40, "rows", true), (3, nil, false)] {
      let (program, _) = try product(m, 48, 96, symbolic: symbol)
      let names = try Scheduler.schedule(program, for: Self.machines[0]).kernels.elements.map(\.name)
      #expect(names.contains { $0.contains("_tiles32x32") } == isTiled, "\(names)")
    }
  }

  /// What is summed does not lie side by side: the left side is copied.
  @Test func transposedLeft() throws {
    let (program, inputs) = try product(6, 19, 10, transposed: true)
    try checkSchedules(of: program, inputs, tolerance: 0, machines: Self.machines)
    #expect(try kernels(program).contains { $0.hasPrefix("contract_u8i8_m6_n19_k10") })
  }

  /// One byte a weight, filled up to whole steps and vectors.
  @Test func weightsStayBytes() throws {
    let (program, _) = try product(8, 32, 10)
    let scheduled = try Scheduler.schedule(program, for: Self.direct)
    let constants = scheduled.buffers.elements.compactMap { buffer -> HostTensor? in
      if case .constant(let tensor) = buffer.storage { tensor } else { nil }
    }
    #expect(constants.map(\.element) == [.i8])
    #expect(constants.map(\.count) == [32 * 12])
  }

  struct Convolution: Sendable, CustomTestStringConvertible {
    var image: [Int]
    var weights: [Int]
    var strides = [1, 1], dilations = [1, 1]
    var pads = [0, 0]
    var groups = 1
    var testDescription: String { "\(image) \(weights) \(strides) \(dilations) \(pads) \(groups)" }
  }

  static let convolutions: [Convolution] = [
    Convolution(image: [1, 5, 6, 8], weights: [20, 8, 3, 3], pads: [1, 1]),
    Convolution(image: [2, 7, 7, 3], weights: [16, 3, 3, 2], strides: [2, 2], pads: [1, 0]),
    Convolution(image: [1, 4, 5, 5], weights: [3, 5, 1, 1]),
    Convolution(image: [1, 6, 7, 64], weights: [40, 64, 1, 1]),
    Convolution(image: [1, 9, 8, 20], weights: [33, 20, 3, 3], strides: [2, 1], pads: [1, 1]),
    Convolution(image: [1, 6, 9, 4], weights: [17, 4, 2, 3], dilations: [2, 2]),
    Convolution(image: [1, 5, 5, 12], weights: [10, 6, 3, 3], pads: [1, 1], groups: 2),
    Convolution(image: [1, 5, 9, 1], weights: [8, 1, 1, 3], dilations: [1, 2]),
    Convolution(image: [2, 5, 17, 19], weights: [19, 1, 3, 3], pads: [1, 1], groups: 19),
    Convolution(image: [1, 9, 9, 16], weights: [16, 1, 3, 3], strides: [2, 2], pads: [1, 1], groups: 16),
  ]

  /// Whose channels fill lines of a cache, so that tiles read windows where they lie in the image; and some where they cannot.
  static let lines: [Convolution] = [
    Convolution(image: [2, 6, 7, 64], weights: [16, 64, 2, 2], pads: [1, 1]),
    Convolution(image: [1, 7, 9, 64], weights: [16, 64, 2, 2], dilations: [2, 2]),
    Convolution(image: [1, 6, 8, 128], weights: [24, 64, 2, 1], pads: [1, 0], groups: 2),
    Convolution(image: [2, 5, 7, 64], weights: [20, 64, 1, 1]),
    Convolution(image: [2, 9, 8, 64], weights: [16, 64, 1, 1], strides: [2, 2]),
    Convolution(image: [1, 20, 3, 64], weights: [16, 64, 1, 3], pads: [0, 1]),
  ]

  enum Open: CaseIterable { case nothing, batch, all }

  @Test(arguments: convolutions, [Open.nothing, .all])
  func windows(_ item: Convolution, open: Open) throws {
    var lowering = Lowering(name: "convolution")
    lowering.output(convolved(item, open, &lowering), named: "y")
    try checkSchedules(of: lowering.program, [unsigned(item.image)], tolerance: 0, machines: Self.machines)
    let isDepthwise = item.groups > 1 && item.weights[1] == 1
    #expect(try kernels(lowering.program).contains { $0.hasPrefix(isDepthwise ? "depthwise_u8i8" : "convolve_u8i8") })
  }

  /// Their sums become bytes, which are stored two rows at a time, the last one of an odd number alone.
  @Test(arguments: lines, Open.allCases)
  func windowsInTiles(_ item: Convolution, open: Open) throws {
    var lowering = Lowering(name: "lines")
    let sums = convolved(item, open, &lowering)
    let y = try lowering.element(sums.shape) { builder, index in
      ((builder.load(sums.id, index).cast(to: .f32) * 0.01).unary(.round) + 100).cast(to: .u8)
    }
    lowering.output(y, named: "y")
    let fused = Fusion.fuse(lowering.program).program
    let tiles = Self.machines[0]
    try checkSchedules(of: fused, [unsigned(item.image)], tolerance: 0, machines: [tiles])
    let names = try Scheduler.schedule(fused, for: tiles).kernels.elements.map(\.name)
    #expect(names.contains { $0.contains("_tiles") }, "\(names)")
  }

  private func convolved(_ item: Convolution, _ open: Open, _ lowering: inout Lowering) -> Operand {
    var shape = item.image.map { Dim($0) }
    if open != .nothing { shape[0] = "n" }
    if open == .all { (shape[1], shape[2]) = ("h", "w") }
    let x = lowering.input(TensorType(.u8, shape), named: "x")
    let w = lowering.constant(signed(item.weights), named: "w")
    let sizes = (0..<2).map { axis in
      let free = shape[axis + 1] + Dim(2 * item.pads[axis] - item.dilations[axis] * (item.weights[axis + 2] - 1) - 1)
      return free / Dim(item.strides[axis]) + 1
    }
    return lowering.convolve(
      x, w, result: [shape[0]] + sizes + [Dim(item.weights[0])], window: Array(item.weights[2...]),
      strides: item.strides,
      dilations: item.dilations, padsBegin: item.pads.map { Dim($0) }, groups: item.groups, channelsLast: true,
      accumulate: .i32)
  }

  /// The epilogue works on 32-bit sums and stores bytes.
  @Test func requantized() throws {
    var lowering = Lowering(name: "requantized")
    let x = lowering.input(TensorType(.u8, [7, 12]), named: "a")
    let w = lowering.constant(signed([12, 21]), named: "b")
    let sums = try lowering.contract(
      batch: [], m: [7], n: [21], k: [12], accumulate: .i32, lhs: { builder, _, m, k in builder.load(x.id, m + k) },
      rhs: { builder, _, n, k in builder.load(w.id, k + n) })
    let y = try lowering.element([7, 21]) { builder, index in
      let real = builder.load(sums.id, index).cast(to: .f32) * 0.013
      return real.clamped(builder.constant(-90, .f32), builder.constant(100, .f32)).unary(.round).cast(to: .i32).cast(
        to: .i8)
    }
    lowering.output(y, named: "y")
    let fused = Fusion.fuse(lowering.program).program
    try checkSchedules(of: fused, [unsigned([7, 12])], tolerance: 0, machines: Self.machines)
    #expect(try kernels(fused).count == 1)
  }

  /// Sums that become unsigned bytes are converted several vectors at a time: whole tiles, tiles at the edges, columns that fill no vector, and
  /// epilogues that go row by row because they are long.
  @Test(arguments: [(7, 21), (13, 64), (30, 33), (1, 16), (4, 96), (9, 5), (26, 32)], [false, true])
  func saturated(size: (m: Int, n: Int), isLong: Bool) throws {
    var lowering = Lowering(name: "saturated")
    let (m, n) = size
    let x = lowering.input(TensorType(.u8, [Dim(m), 12]), named: "a")
    let other = lowering.input(TensorType(.u8, [Dim(m), Dim(n)]), named: "b")
    let w = lowering.constant(signed([12, n]), named: "w")
    let sums = try lowering.contract(
      batch: [], m: [Dim(m)], n: [Dim(n)], k: [12], accumulate: .i32,
      lhs: { builder, _, m, k in builder.load(x.id, m + k) }, rhs: { builder, _, n, k in builder.load(w.id, k + n) })
    let y = try lowering.element([Dim(m), Dim(n)]) { builder, index in
      var real = builder.load(sums.id, index).cast(to: .f32) * 0.03
      if isLong {
        let byte = (real.unary(.round) + 120).cast(to: .u8).cast(to: .f32)
        real = (byte - 120) * 0.75 + (builder.load(other.id, index).cast(to: .f32) - 9) * 0.5
        real = real.maximum(builder.constant(-60, .f32)) * 1.25 + 3
      }
      return (real.unary(.round) + 100).cast(to: .u8)
    }
    lowering.output(y, named: "y")
    let fused = Fusion.fuse(lowering.program).program
    try checkSchedules(of: fused, [unsigned([m, 12]), unsigned([m, n])], tolerance: 0, machines: Self.machines)
    #expect(try kernels(fused).count == 1)
  }

  /// Where two products meet, the one that is stored is stored as bytes.
  @Test func narrowResultsAreStored() throws {
    var lowering = Lowering(name: "residual")
    let x = lowering.input(TensorType(.u8, [7, 12]), named: "a")
    func product(_ seed: Int) throws -> Operand {
      let w = lowering.constant(signed([12, 21], seed: seed))
      let sums = try lowering.contract(
        batch: [], m: [7], n: [21], k: [12], accumulate: .i32, lhs: { builder, _, m, k in builder.load(x.id, m + k) },
        rhs: { builder, _, n, k in builder.load(w.id, k + n) })
      let moved = try lowering.element([7, 21]) { builder, index in
        builder.load(sums.id, index) + builder.constant(99, .i32)
      }
      return try lowering.element([7, 21]) { builder, index in
        let real = builder.load(moved.id, index).cast(to: .f32) * 0.002
        return real.clamped(builder.constant(-128, .f32), builder.constant(127, .f32)).cast(to: .i32).cast(to: .i8)
      }
    }
    let (a, b) = (try product(1), try product(2))
    let sum = try lowering.element([7, 21]) { builder, index in
      builder.load(a.id, index).cast(to: .i32) + builder.load(b.id, index).cast(to: .i32)
    }
    let result = try lowering.element([7, 21]) { builder, index in builder.load(sum.id, index).cast(to: .f32) * 0.5 }
    lowering.output(result, named: "y")
    let fused = Fusion.fuse(lowering.program).program
    try checkSchedules(of: fused, [unsigned([7, 12])], tolerance: 0, machines: Self.machines)
    let buffers = try Scheduler.schedule(fused, for: Self.direct).buffers.elements
    #expect(try kernels(fused).count == 2)
    #expect(!buffers.contains { $0.element == .i32 }, "\(buffers.map { "\($0.name): \($0.element)" })")
  }
}
