import SinterCore
import SinterForms
import SinterCPU
import Testing

@testable import SinterLLVM

@Suite struct ContractTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var batch: [Dim] = []
    var m: Dim, n: Dim, k: Dim
    var sizes: [Symbol: Int] = [:]
    var isConstant = false
    /// The right side is stored with k innermost.
    var isTransposed = false
    /// The left side is stored with the rows innermost.
    var isLeftTransposed = false
    var element = ElementType.f32
    var hasEpilogue = false
    var testDescription: String {
      "\(batch) \(m)x\(n)x\(k) \(sizes.map { "\($0.key.name)=\($0.value)" }) constant=\(isConstant) transposed=\(isLeftTransposed) \(isTransposed) \(element)"
    }
  }

  static func program(_ c: Case) throws -> FormProgram {
    var lowering = Lowering(name: "contract")
    var generator = Generator(state: 7)
    let a = lowering.input(
      TensorType(c.element, c.batch + (c.isLeftTransposed ? [c.k, c.m] : [c.m, c.k])), named: "a")
    let rhsShape = (c.isConstant ? [] : c.batch) + (c.isTransposed ? [c.n, c.k] : [c.k, c.n])
    let b =
      c.isConstant
      ? lowering.constant(CompiledProgram.random(c.element, rhsShape.compactMap(\.value), &generator))
      : lowering.input(TensorType(c.element, rhsShape), named: "b")
    var result = try lowering.contract(
      batch: c.batch, m: [c.m], n: [c.n], k: [c.k], accumulate: .f32,
      lhs: { builder, batch, m, k in builder.load(a.id, batch + (c.isLeftTransposed ? k + m : m + k)) },
      rhs: { builder, batch, n, k in
        builder.load(b.id, (c.isConstant ? [] : batch) + (c.isTransposed ? n + k : k + n))
      })
    if c.hasEpilogue {
      let bias = lowering.input(TensorType(.f32, [c.n]), named: "bias")
      let residual = lowering.input(result.type, named: "residual")
      let product = result
      let rank = product.rank
      // As fusion leaves it: the element work inside the contraction.
      let builder = lowering.builder()
      let index = (0..<rank).map { builder.axis($0) }
      let sum =
        (builder.accumulator(0, .f32) + builder.load(bias.id, [index[rank - 1]])
        + builder.load(residual.id, index)).maximum(builder.constant(0.0, .f32))
      guard case .compute(_, .contract(var form))? = lowering.steps.popLast() else {
        throw DiagnosticError(.bug, "test", "")
      }
      form.epilogue = builder.body([sum])
      result = lowering.add(.contract(form), product.type)
    }
    lowering.output(result, named: "y")
    return lowering.program
  }

  static let cases: [Case] = {
    var all: [Case] = []
    for (m, n, k) in [
      (1, 16, 3), (8, 48, 5), (7, 33, 17), (49, 64, 32), (3, 1, 20), (13, 100, 64), (128, 129, 40), (1, 300, 7),
    ] {
      for isConstant in [false, true] {
        for isTransposed in [false, true] {
          all.append(
            Case(
              m: Dim(m), n: Dim(n), k: Dim(k), isConstant: isConstant, isTransposed: isTransposed,
              hasEpilogue: (m + n) % 2 == 1))
        }
      }
    }
    let symbols = [Symbol("m"): 11, Symbol("n"): 37, Symbol("k"): 9, Symbol("b"): 3]
    for isTransposed in [false, true] {
      all.append(
        Case(batch: ["b", 2], m: "m", n: "n", k: "k", sizes: symbols, isTransposed: isTransposed, hasEpilogue: true))
      all.append(
        Case(m: "m", n: 40, k: 12, sizes: symbols, isConstant: true, isTransposed: isTransposed, hasEpilogue: true))
      all.append(Case(batch: [4], m: 6, n: 20, k: 8, isTransposed: isTransposed))
    }
    all.append(Case(m: "m", n: 20, k: 8, sizes: [Symbol("m"): 0], isConstant: true))
    return all
  }()

  /// Panels that exceed the second-level cache: steps along k, whole and partial tiles and panels, rows known only at run time.
  static let deep: [Case] = [
    Case(m: 29, n: 70, k: 3000, isConstant: true, hasEpilogue: true),
    Case(m: 100, n: 48, k: 4099, isConstant: true, isTransposed: true),
    Case(m: "m", n: 130, k: 3072, sizes: [Symbol("m"): 37], isConstant: true, hasEpilogue: true),
    Case(m: "m", n: 64, k: 5000, sizes: [Symbol("m"): 3], isConstant: true),
  ]

  @Test(arguments: deep, [Machine.x86_64_v4, .x86_64_v3]) func deepProductsEqualInterpreter(
    _ c: Case, _ machine: Machine
  ) throws {
    let program = try Self.program(c)
    let kernels = try Scheduler.schedule(program, for: machine).kernels.elements
    #expect(kernels.contains { kernel in kernel.locals.contains { $0.name == "sums" } })
    #expect(try CompiledProgram.error(program, sizes: c.sizes, machine: machine) < 1e-5)
  }

  @Test(arguments: cases) func equalsInterpreter(_ c: Case) throws {
    #expect(try CompiledProgram.error(try Self.program(c), sizes: c.sizes) < 1e-5)
  }

  /// Computed sides that are packed before they are multiplied: all four transpositions, edges of panels, rows that are a multiple of 4096
  /// bytes apart, batches, narrow types, sizes known only at run time, and steps along k.
  static let packed: [Case] = {
    var all: [Case] = []
    let symbols = [Symbol("m"): 131, Symbol("n"): 201, Symbol("k"): 70, Symbol("b"): 2]
    for isTransposed in [false, true] {
      for isLeftTransposed in [false, true] {
        func add(_ c: Case) {
          var c = c
          (c.isTransposed, c.isLeftTransposed) = (isTransposed, isLeftTransposed)
          all.append(c)
        }
        add(Case(m: 97, n: 200, k: 33, hasEpilogue: true))
        add(Case(m: 64, n: 192, k: 1024))
        add(Case(batch: [3], m: 70, n: 130, k: 20))
        add(Case(batch: ["b"], m: "m", n: "n", k: "k", sizes: symbols, hasEpilogue: true))
        add(Case(m: "m", n: "n", k: 40, sizes: [Symbol("m"): 0, Symbol("n"): 90]))
        add(Case(m: "m", n: "n", k: 40, sizes: [Symbol("m"): 5, Symbol("n"): 1]))
        add(Case(m: 80, n: 144, k: 5000))
        for element in [ElementType.f16, .bf16] {
          add(Case(m: 70, n: 100, k: 48, element: element))
          add(Case(m: 70, n: 100, k: 48, isConstant: true, element: element, hasEpilogue: true))
          add(Case(m: 3, n: 100, k: 48, isConstant: true, element: element))
        }
      }
    }
    return all
  }()

  @Test(arguments: packed, [Machine.x86_64_v4, .x86_64_v3]) func packedSidesEqualInterpreter(
    _ c: Case, _ machine: Machine
  ) throws {
    #expect(try CompiledProgram.error(try Self.program(c), sizes: c.sizes, machine: machine) < 1e-5)
  }

  /// Weights of 16 bits that many rows read are widened a part of a panel at a time: one part and several, whole and partial tiles and panels.
  static let widened: [Case] = {
    var all: [Case] = []
    for element in [ElementType.f16, .bf16] {
      for (m, n, k) in [(401, 130, 40), (900, 33, 700), (311, 64, 1500), (360, 20, 16)] {
        all.append(
          Case(
            m: Dim(m), n: Dim(n), k: Dim(k), isConstant: true, isTransposed: m % 2 == 0, element: element,
            hasEpilogue: n % 2 == 0))
      }
    }
    return all
  }()

  @Test(arguments: widened, [Machine.x86_64_v4, .x86_64_v3]) func widenedPanelsEqualInterpreter(
    _ c: Case, _ machine: Machine
  ) throws {
    let program = try Self.program(c)
    let kernels = try Scheduler.schedule(program, for: machine).kernels.elements
    #expect(kernels.contains { kernel in kernel.locals.contains { $0.name == "widened" } })
    #expect(try CompiledProgram.error(program, sizes: c.sizes, machine: machine) < 1e-5)
  }

  @Test func narrowWeightsStayNarrow() throws {
    let kernels = try Scheduler.schedule(
      try Self.program(Case(m: 70, n: 128, k: 64, isConstant: true, element: .bf16)), for: .x86_64_v4)
    let constants = kernels.buffers.elements.filter { if case .constant = $0.storage { true } else { false } }
    #expect(constants.map(\.element) == [.bf16] && constants.map(\.count) == [Dim(64 * 128)])
  }
}
