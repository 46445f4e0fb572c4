import SinterCore
import SinterForms
import SinterKernelIR
import TestSupport
import Testing

@testable import SinterCPU

/// Products and convolutions whose operands are rounded to bf16: what that means, and their schedules.
@Suite struct BfloatScheduleTests {
  static let options = ScheduleOptions(math: .bf16)

  /// One that sums pairs of bf16 twice as fast as it multiplies and adds f32.
  static let fast: Machine = {
    var machine = Machine.x86_64_v4
    machine.tileOperations = machine.tileOperations.map { $0 == .widenedPairDot ? .pairDot : $0 }
    machine.multiplyAddsPerPairDot = 1
    return machine
  }()
  /// One whose vectors sum pairs of bf16 slowly, and whose tiles cost nothing.
  static let tiles: Machine = {
    var machine = fast
    machine.multiplyAddsPerPairDot = 4
    machine.tileOperations.append(.pairTileDot)
    machine.cyclesPerTileDot = 1
    return machine
  }()
  static let machines: [Machine] = [fast, .x86_64_v4, .x86_64_v3, .x86_64_v2]

  /// Whole numbers from -15 to 15: exact in bf16, and so are all their sums in f32.
  static func whole(_ shape: [Int], seed: Int = 1) -> HostTensor {
    .f32(shape, (0..<shape.reduce(1, *)).map { Float((($0 * 37 + seed * 11) ^ ($0 >> 3)) % 31 - 15) })
  }

  static func product(
    _ m: Int, _ n: Int, _ k: Int, symbolic name: String? = nil, transposed: Bool = false, weights: HostTensor? = nil
  ) throws -> FormProgram {
    var lowering = Lowering(name: "product")
    let rows = name.map { Dim(symbol: $0) } ?? Dim(m)
    let x = lowering.input(TensorType(.f32, transposed ? [Dim(k), rows] : [rows, Dim(k)]), named: "a")
    let w = lowering.constant(weights ?? whole([k, n], seed: 5), named: "b")
    let y = try lowering.contract(
      batch: [], m: [rows], n: [Dim(n)], k: [Dim(k)], accumulate: .f32,
      lhs: { builder, _, m, k in builder.load(x.id, transposed ? k + m : m + k) },
      rhs: { builder, _, n, k in builder.load(w.id, k + n) })
    lowering.output(y, named: "y")
    return lowering.program
  }

  /// Holds a program with rounded operands, for each machine, against the one without and its schedules against it.
  static func check(_ program: FormProgram, _ inputs: [HostTensor]) throws {
    let exact = try FormInterpreter(program).run(inputs).map { $0.array(of: Float.self) }
    for machine in machines {
      let rounded = BfloatOperands.applied(to: program, machine: machine, options: options)
      try FormVerifier.verify(rounded)
      #expect(try FormInterpreter(rounded).run(inputs).map { $0.array(of: Float.self) } == exact)
      try checkSchedules(of: rounded, inputs, tolerance: 0, machines: [machine])
    }
  }

  /// Kernels of the scheduled program by name.
  static func kernels(_ program: FormProgram, _ machine: Machine) throws -> [String] {
    let rounded = BfloatOperands.applied(to: program, machine: machine, options: options)
    return try Scheduler.schedule(rounded, for: machine, options: options).kernels.elements.map(\.name)
  }

  @Test(arguments: [
    (1, 20, 7), (3, 33, 4), (5, 48, 64), (13, 16, 1), (4, 70, 2), (9, 17, 131), (6, 16, 0), (0, 16, 5), (30, 5, 9),
    (30, 3, 9),
  ])
  func products(m: Int, n: Int, k: Int) throws {
    for symbol in [nil, "rows"] {
      try Self.check(try Self.product(m, n, k, symbolic: symbol), [Self.whole([m, k])])
    }
  }

  @Test func transposedLeft() throws {
    let program = try Self.product(6, 19, 11, transposed: true)
    try Self.check(program, [Self.whole([11, 6])])
    #expect(try Self.kernels(program, Self.fast).contains { $0.hasPrefix("contract_bf16bf16_m6_n19_k11") })
  }

  /// Weights of any product take half the memory; rows are rounded where that is faster, and where there are more than a few.
  @Test func whatIsRounded() throws {
    func constants(_ machine: Machine) throws -> [ElementType] {
      let program = BfloatOperands.applied(
        to: try Self.product(16, 32, 10), machine: machine, options: Self.options)
      return try Scheduler.schedule(program, for: machine).buffers.elements.compactMap { buffer in
        if case .constant(let tensor) = buffer.storage { tensor.element } else { nil }
      }
    }
    for machine in Self.machines { #expect(try constants(machine) == [.bf16]) }
    #expect(try Self.kernels(try Self.product(16, 32, 10), Self.fast).contains { $0.hasPrefix("contract_bf16bf16") })
    #expect(try Self.kernels(try Self.product(1, 32, 10), Self.fast).allSatisfy { $0.hasPrefix("contract_f32") })
    #expect(try Self.kernels(try Self.product(16, 32, 10), .x86_64_v4).allSatisfy { $0.hasPrefix("contract_f32") })
    let program = try Self.product(16, 32, 10)
    let untouched = BfloatOperands.applied(to: program, machine: Self.fast, options: ScheduleOptions())
    #expect(untouched.description == program.description)
  }

  /// Where both sides are computed, both are copied into pairs: whole steps and such that zeros fill up, batches, a side that is transposed.
  @Test(arguments: [(64, 64, 16), (70, 65, 33), (64, 130, 17)], [0, 1, 2])
  func computedProducts(size: (m: Int, n: Int, k: Int), kind: Int) throws {
    let (m, n, k) = size
    var lowering = Lowering(name: "product")
    let batch: [Dim] = kind == 1 ? [2] : []
    let isOpen = kind == 2
    let (rows, columns) = (isOpen ? Dim("m") : Dim(m), isOpen ? Dim("n") : Dim(n))
    let x = lowering.input(TensorType(.f32, batch + [rows, Dim(k)]), named: "a")
    let w = lowering.input(TensorType(.f32, batch + (isOpen ? [columns, Dim(k)] : [Dim(k), columns])), named: "b")
    let y = try lowering.contract(
      batch: batch, m: [rows], n: [columns], k: [Dim(k)], accumulate: .f32,
      lhs: { builder, batch, m, k in builder.load(x.id, batch + m + k) },
      rhs: { builder, batch, n, k in builder.load(w.id, batch + (isOpen ? n + k : k + n)) })
    lowering.output(y, named: "y")
    let count = kind == 1 ? [2] : []
    try Self.check(
      lowering.program, [Self.whole(count + [m, k]), Self.whole(count + (isOpen ? [n, k] : [k, n]), seed: 4)])
    let names = try Self.kernels(lowering.program, Self.fast)
    #expect(names.contains { $0.hasPrefix("contract_bf16bf16") }, "\(names)")
    #expect(try Self.kernels(lowering.program, .x86_64_v4).allSatisfy { !$0.contains("bf16") })
  }

  /// A few rows ask for weights of 16 bits ahead of reading them, where the table says so; many rows have tiles that share in asking.
  @Test func fewRowsAskAhead() throws {
    var machine = Machine.x86_64_v4
    func asks(_ rows: Int, math: ProductMath = .bf16) throws -> Bool {
      let options = ScheduleOptions(math: math)
      let program = BfloatOperands.applied(to: try Self.product(rows, 64, 96), machine: machine, options: options)
      return try Scheduler.schedule(program, for: machine).kernels.elements.contains {
        $0.description.contains("prefetch")
      }
    }
    #expect(try !asks(1))
    machine.halfStreamAhead = 4096
    #expect(try asks(1))
    #expect(try !asks(1, math: .f32))
  }

  /// Beside f64: what rounding eight bits of each factor allows, and no less than it does.
  @Test func errorsAreThoseOfRoundedFactors() throws {
    let (m, n, k) = (9, 33, 257)
    let (x, w) = (noise([m, k]), noise([k, n], seed: 2))
    let program = try Self.product(m, n, k, weights: w)
    let (a, b) = (try #require(x.doubles), try #require(w.doubles))
    for machine in Self.machines {
      let rounded = BfloatOperands.applied(to: program, machine: machine, options: Self.options)
      var scheduled = try Scheduler.schedule(rounded, for: machine, options: Self.options)
      MemoryPlanner.plan(&scheduled)
      let y = try #require(try KernelInterpreter(scheduled).run([x])[0].doubles)
      var worst = 0.0
      for row in 0..<m {
        for column in 0..<n {
          let products = (0..<k).map { a[row * k + $0] * b[$0 * n + column] }
          let difference = abs(y[row * n + column] - products.reduce(0, +))
          // Each factor is off by half a unit in the eighth bit at most.
          #expect(difference <= products.reduce(0) { $0 + abs($1) } * 0x1p-8)
          worst = max(worst, difference)
        }
      }
      #expect(worst > 1e-3)
    }
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
    Convolution(image: [1, 5, 6, 8], weights: [20, 8, 1, 1]),
    Convolution(image: [2, 7, 7, 3], weights: [16, 3, 3, 2], strides: [2, 2], pads: [1, 0]),
    Convolution(image: [1, 4, 5, 5], weights: [3, 5, 1, 1]),
    Convolution(image: [1, 6, 9, 4], weights: [17, 4, 2, 3], dilations: [2, 2]),
    Convolution(image: [1, 5, 5, 12], weights: [10, 6, 3, 3], pads: [1, 1], groups: 2),
    Convolution(image: [1, 5, 9, 1], weights: [8, 1, 1, 3], dilations: [1, 2]),
    Convolution(image: [1, 5, 7, 17], weights: [17, 1, 3, 3], pads: [1, 1], groups: 17),
    Convolution(image: [1, 1, 1, 6], weights: [16, 6, 3, 3], pads: [1, 1]),
  ]

  static func convolution(_ item: Convolution, isSymbolic: Bool = false) -> FormProgram {
    var lowering = Lowering(name: "convolution")
    var shape = item.image.map { Dim($0) }
    if isSymbolic { (shape[0], shape[1], shape[2]) = ("n", "h", "w") }
    let x = lowering.input(TensorType(.f32, shape), named: "x")
    let w = lowering.constant(whole(item.weights, seed: 3), named: "w")
    let sizes = (0..<2).map { axis in
      let free = shape[axis + 1] + Dim(2 * item.pads[axis] - item.dilations[axis] * (item.weights[axis + 2] - 1) - 1)
      return free / Dim(item.strides[axis]) + 1
    }
    let result = [shape[0]] + sizes + [Dim(item.weights[0])]
    // Two convolutions of one image: it is rounded once.
    for name in ["y", "z"] {
      let y = lowering.convolve(
        x, w, result: result, window: Array(item.weights[2...]), strides: item.strides, dilations: item.dilations,
        padsBegin: item.pads.map { Dim($0) }, groups: item.groups, channelsLast: true, accumulate: .f32)
      lowering.output(y, named: name)
    }
    return lowering.program
  }

  @Test(arguments: convolutions, [false, true])
  func windows(_ item: Convolution, isSymbolic: Bool) throws {
    let program = Self.convolution(item, isSymbolic: isSymbolic)
    let options = ScheduleOptions(usesWinograd: false, math: .bf16)
    let image = Self.whole(item.image)
    let exact = try FormInterpreter(program).run([image]).map { $0.array(of: Float.self) }
    for machine in Self.machines {
      let rounded = BfloatOperands.applied(to: program, machine: machine, options: options)
      try FormVerifier.verify(rounded)
      #expect(try FormInterpreter(rounded).run([image]).map { $0.array(of: Float.self) } == exact)
      // Without transforms, whose sums round.
      var scheduled = try Scheduler.schedule(rounded, for: machine, options: options)
      MemoryPlanner.plan(&scheduled)
      try KernelVerifier.verify(scheduled)
      #expect(try KernelInterpreter(scheduled).run([image]).map { $0.array(of: Float.self) } == exact)
      let isRounded = machine == Self.fast && !(item.groups > 1 && item.weights[1] == 1)
      let names = scheduled.kernels.elements.map(\.name)
      #expect(names.contains { $0.hasPrefix("convolve_bf16bf16") } == isRounded, "\(names)")
      #expect(rounded.steps.count == (isRounded ? 3 : 2))
    }
  }

  /// What a transform serves better is left as it is; where bf16 is faster, transforms have to save more.
  @Test func transformsKeepTheirBits() throws {
    let item = Convolution(image: [1, 56, 56, 64], weights: [64, 64, 3, 3], pads: [1, 1])
    let program = Self.convolution(item)
    #expect(try Self.kernels(program, .x86_64_v4).allSatisfy { $0.hasPrefix("winograd_f32") })
    var fastest = Self.fast
    fastest.multiplyAddsPerPairDot = 0.25
    #expect(try Self.kernels(program, fastest).contains { $0.hasPrefix("convolve_bf16bf16") })
  }

  /// Where only tiles are fast, rows are rounded as well, and blocks of them give the exact sums of whole numbers.
  @Test(arguments: [(40, 48, 96), (33, 20, 70), (16, 32, 32), (7, 100, 45)]) func tilesSumExactly(
    m: Int, n: Int, k: Int
  ) throws {
    let x = Self.whole([m, k])
    for symbol in [nil, "rows"] {
      let program = try Self.product(m, n, k, symbolic: symbol)
      let exact = try FormInterpreter(program).run([x]).map { $0.array(of: Float.self) }
      let rounded = BfloatOperands.applied(to: program, machine: Self.tiles, options: Self.options)
      var scheduled = try Scheduler.schedule(rounded, for: Self.tiles, options: Self.options)
      MemoryPlanner.plan(&scheduled)
      try KernelVerifier.verify(scheduled)
      #expect(try KernelInterpreter(scheduled).run([x]).map { $0.array(of: Float.self) } == exact)
      #expect(scheduled.kernels.elements.contains { $0.name.contains("_tiles") })
    }
  }

  @Test func convolutionsInTiles() throws {
    let item = Convolution(image: [1, 9, 8, 20], weights: [33, 20, 3, 3], pads: [1, 1])
    let program = Self.convolution(item)
    let image = Self.whole(item.image)
    let exact = try FormInterpreter(program).run([image]).map { $0.array(of: Float.self) }
    let options = ScheduleOptions(usesWinograd: false, math: .bf16)
    let rounded = BfloatOperands.applied(to: program, machine: Self.tiles, options: options)
    var scheduled = try Scheduler.schedule(rounded, for: Self.tiles, options: options)
    MemoryPlanner.plan(&scheduled)
    #expect(try KernelInterpreter(scheduled).run([image]).map { $0.array(of: Float.self) } == exact)
    #expect(
      scheduled.kernels.elements.contains { $0.name.hasPrefix("convolve_bf16bf16") && $0.name.contains("_tiles") })
  }
}
