import SinterCore
import SinterForms
import SinterCPU
import Testing

@testable import SinterLLVM

/// Transposed convolutions against the interpreter of forms: phases with equally many taps, with fewer or none, borders, crops and groups.
@Suite struct TransposedConvolveTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var batch: Dim = 1
    var spatial: [Dim]
    var channels: Int
    /// In all.
    var results: Int
    var kernel: [Int]
    var stride: [Int]
    var dilation = 1
    var pads: [Dim]
    /// Rows of zeros and of the input's reach at the end of the result.
    var extra = 0
    var groups = 1
    var hasEpilogue = false
    /// Weights are an input.
    var hasComputedWeights = false
    var element = ElementType.f32
    var sizes: [Symbol: Int] = [:]
    var testDescription: String {
      "\(batch)x\(spatial)x\(channels)->\(results) k\(kernel) s\(stride) d\(dilation) p\(pads) +\(extra) g\(groups)"
    }
  }

  static func program(_ c: Case, channelsLast: Bool = true) throws -> FormProgram {
    var lowering = Lowering(name: "transposed")
    var generator = Generator(state: 11)
    func shape(_ spatial: [Dim], _ channels: Int) -> [Dim] {
      channelsLast ? [c.batch] + spatial + [Dim(channels)] : [c.batch, Dim(channels)] + spatial
    }
    let x = lowering.input(TensorType(c.element, shape(c.spatial, c.channels)), named: "x")
    let weights = [c.channels, c.results / c.groups] + c.kernel
    let w =
      c.hasComputedWeights
      ? lowering.input(TensorType(c.element, weights.map { Dim($0) }), named: "w")
      : lowering.constant(CompiledProgram.random(c.element, weights, &generator))
    let out = c.spatial.indices.map { axis in
      Dim(c.stride[axis]) * (c.spatial[axis] - 1) + Dim(c.dilation * (c.kernel[axis] - 1) + 1 + c.extra)
        - Dim(2) * c.pads[axis]
    }
    var result = lowering.convolve(
      x, w, result: shape(out, c.results), window: c.kernel, strides: c.stride,
      dilations: c.kernel.map { _ in c.dilation }, padsBegin: c.pads, groups: c.groups, channelsLast: channelsLast,
      isTransposed: true, accumulate: .f32)
    if c.hasEpilogue {
      let residual = lowering.input(result.type, named: "residual")
      let bias = lowering.input(TensorType(.f32, [Dim(c.results)]), named: "bias")
      guard case .compute(_, .convolve(var form))? = lowering.steps.popLast() else {
        throw DiagnosticError(.bug, "test", "")
      }
      let builder = lowering.builder()
      let index = (0..<result.rank).map { builder.axis($0) }
      let sum = builder.accumulator(0, .f32) + builder.load(bias.id, [index[channelsLast ? result.rank - 1 : 1]])
      form.epilogue = builder.body([(sum + builder.load(residual.id, index)).maximum(builder.constant(0.0, .f32))])
      result = lowering.add(.convolve(form), result.type)
    }
    lowering.output(result, named: "y")
    return lowering.program
  }

  static let symbols = [Symbol("n"): 2, Symbol("h"): 5, Symbol("w"): 7]

  static let cases: [Case] = [
    Case(spatial: [4, 5], channels: 16, results: 32, kernel: [4, 4], stride: [2, 2], pads: [1, 1]),
    Case(
      spatial: [4, 5], channels: 16, results: 32, kernel: [4, 4], stride: [2, 2], pads: [1, 1], hasEpilogue: true),
    Case(batch: 3, spatial: [6, 5], channels: 7, results: 20, kernel: [2, 2], stride: [2, 2], pads: [0, 0]),
    Case(spatial: [7, 6], channels: 8, results: 24, kernel: [3, 3], stride: [2, 2], pads: [1, 1], extra: 1),
    Case(
      spatial: [7, 6], channels: 8, results: 24, kernel: [3, 3], stride: [2, 2], pads: [1, 1], hasEpilogue: true),
    Case(spatial: [1, 1], channels: 40, results: 70, kernel: [4, 4], stride: [1, 1], pads: [0, 0]),
    Case(
      batch: 5, spatial: [1, 1], channels: 40, results: 70, kernel: [4, 3], stride: [2, 1], pads: [1, 0], extra: 1),
    Case(spatial: [1, 6], channels: 9, results: 17, kernel: [3, 5], stride: [3, 1], dilation: 2, pads: [0, 2]),
    Case(spatial: [5, 4], channels: 6, results: 18, kernel: [2, 1], stride: [3, 4], pads: [0, 0], extra: 2),
    Case(spatial: [5, 6], channels: 6, results: 18, kernel: [3, 3], stride: [2, 3], dilation: 2, pads: [1, 2]),
    Case(spatial: [5, 6], channels: 6, results: 18, kernel: [3, 4], stride: [4, 6], dilation: 2, pads: [1, 0]),
    Case(spatial: [5, 6], channels: 12, results: 40, kernel: [4, 3], stride: [2, 1], pads: [1, 1], groups: 2),
    Case(spatial: [9, 8], channels: 20, results: 20, kernel: [4, 4], stride: [2, 2], pads: [1, 1], groups: 20),
    Case(
      spatial: [5, 7], channels: 40, results: 40, kernel: [3, 3], stride: [2, 2], pads: [1, 1], groups: 40,
      hasEpilogue: true),
    Case(
      batch: "n", spatial: ["h", "w"], channels: 5, results: 5, kernel: [4, 4], stride: [2, 2], pads: [1, 1], groups: 5,
      sizes: symbols),
    Case(
      spatial: [9, 8], channels: 64, results: 3, kernel: [4, 4], stride: [2, 2], pads: [1, 1], hasEpilogue: true),
    Case(spatial: [9, 8], channels: 33, results: 1, kernel: [3, 3], stride: [2, 2], pads: [1, 1]),
    Case(spatial: [5, 5], channels: 6, results: 18, kernel: [3, 3], stride: [1, 1], pads: [-2, 3]),
    Case(spatial: [5, 5], channels: 6, results: 18, kernel: [3, 3], stride: [2, 2], pads: [-3, 5]),
    Case(spatial: [11], channels: 6, results: 18, kernel: [5], stride: [3], pads: [1]),
    Case(spatial: [3, 4, 2], channels: 5, results: 17, kernel: [3, 2, 4], stride: [2, 2, 2], pads: [1, 0, 1]),
    Case(
      batch: "n", spatial: ["h", "w"], channels: 8, results: 40, kernel: [4, 4], stride: [2, 2], pads: [1, 1],
      hasEpilogue: true, sizes: symbols),
    Case(
      batch: "n", spatial: ["h", "w"], channels: 8, results: 40, kernel: [3, 3], stride: [2, 2], pads: [1, 1],
      sizes: symbols),
    Case(
      batch: "n", spatial: ["h", "w"], channels: 8, results: 40, kernel: [3, 2], stride: [2, 3],
      pads: [Dim("h") / 2, Dim("w") / 3], sizes: symbols),
    Case(
      batch: "n", spatial: ["h", "w"], channels: 32, results: 2, kernel: [2, 2], stride: [2, 2], pads: [0, 0],
      sizes: symbols),
  ]

  /// Enough channels that the phases are worth a Winograd transform: of two taps and of three, tiles that reach beyond the result, and phases
  /// of which some are shorter.
  static let transformed: [Case] = [
    Case(
      spatial: [16, 16], channels: 64, results: 48, kernel: [4, 4], stride: [2, 2], pads: [1, 1], hasEpilogue: true),
    Case(
      batch: 2, spatial: [9, 13], channels: 64, results: 40, kernel: [4, 4], stride: [2, 2], pads: [1, 0], extra: 1),
    Case(batch: 2, spatial: [12, 17], channels: 64, results: 48, kernel: [6, 6], stride: [2, 2], pads: [2, 1]),
    Case(spatial: [14, 15], channels: 48, results: 64, kernel: [3, 3], stride: [1, 1], pads: [1, 0]),
    Case(
      batch: "n", spatial: ["h", "w"], channels: 64, results: 48, kernel: [4, 4], stride: [2, 2], pads: [1, 1],
      hasEpilogue: true, sizes: [Symbol("n"): 2, Symbol("h"): 11, Symbol("w"): 14]),
  ]

  @Test(arguments: transformed) func transformedEqualsInterpreter(_ c: Case) throws {
    let program = try Self.program(c)
    let kernels = try Scheduler.schedule(program, for: .x86_64_v4).kernels.elements
    #expect(kernels.contains { $0.name.hasPrefix("winograd") })
    #expect(try CompiledProgram.error(program, sizes: c.sizes) < 1e-5)
  }

  /// The same with weights that are inputs: each phase's taps are transformed by a kernel.
  @Test(arguments: transformed) func computedWeightsAreTransformed(_ c: Case) throws {
    var c = c
    c.hasComputedWeights = true
    let program = try Self.program(c)
    let kernels = try Scheduler.schedule(program, for: .x86_64_v4).kernels.elements
    #expect(kernels.contains { $0.name.hasPrefix("winograd_filters") }, "\(kernels.map(\.name))")
    #expect(try CompiledProgram.error(program, sizes: c.sizes) < 1e-5)
  }

  @Test(arguments: cases) func equalsInterpreter(_ c: Case) throws {
    #expect(try CompiledProgram.error(try Self.program(c), sizes: c.sizes) < 1e-5)
  }

  /// Weights that are inputs are packed by a kernel, phase by phase; narrow ones are widened when they are read.
  @Test(arguments: cases) func computedAndNarrowWeights(_ c: Case) throws {
    for (isComputed, element) in [(true, ElementType.f32), (false, .f16), (true, .bf16)] {
      var c = c
      (c.hasComputedWeights, c.element) = (isComputed, element)
      let program = try Self.program(c)
      let kernels = try Scheduler.schedule(program, for: .x86_64_v4).kernels.elements
      #expect(kernels.contains { $0.name.hasPrefix("transposed") })
      #expect(try CompiledProgram.error(program, sizes: c.sizes) < 2e-5, "\(isComputed) \(element)")
    }
  }

  /// The plain sum that serves what no schedule of its own does.
  @Test(arguments: cases) func channelsFirst(_ c: Case) throws {
    #expect(try CompiledProgram.error(try Self.program(c, channelsLast: false), sizes: c.sizes) < 1e-5)
  }

  @Test(arguments: [Machine.x86_64_v2, .x86_64_v3]) func narrowMachines(_ machine: Machine) throws {
    for c in Self.cases {
      #expect(try CompiledProgram.error(try Self.program(c), sizes: c.sizes, machine: machine) < 1e-5, "\(c)")
    }
  }
}
