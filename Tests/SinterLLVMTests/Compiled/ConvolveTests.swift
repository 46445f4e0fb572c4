import SinterCore
import SinterForms
import Testing

@testable import SinterCPU
@testable import SinterLLVM

@Suite struct ConvolveTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var batch: Dim = 1
    var spatial: [Dim]
    var channels: Int
    var results: Int
    var window: [Int]
    var stride = 1
    var dilation = 1
    var pad = 0
    /// Padding behind, where it is other than before.
    var padEnd: Int?
    var groups = 1
    var channelsLast = true
    /// Weights are an input.
    var hasComputedWeights = false
    var element = ElementType.f32
    var sizes: [Symbol: Int] = [:]
    var testDescription: String {
      "\(batch)x\(spatial)x\(channels)->\(results) k\(window) s\(stride) d\(dilation) p\(pad),\(padEnd ?? pad) g\(groups) \(channelsLast) \(element)"
    }
  }

  static func program(_ c: Case) throws -> FormProgram {
    var lowering = Lowering(name: "convolve")
    var generator = Generator(state: 7)
    let channels = Dim(c.channels)
    let shape = c.channelsLast ? [c.batch] + c.spatial + [channels] : [c.batch, channels] + c.spatial
    let x = lowering.input(TensorType(c.element, shape), named: "x")
    let weights = [c.results, c.channels / c.groups] + c.window
    let w =
      c.hasComputedWeights
      ? lowering.input(TensorType(c.element, weights.map { Dim($0) }), named: "w")
      : lowering.constant(CompiledProgram.random(c.element, weights, &generator))
    let out = c.spatial.indices.map { axis in
      (c.spatial[axis] + Dim(c.pad + (c.padEnd ?? c.pad) - c.dilation * (c.window[axis] - 1) - 1)) / Dim(c.stride) + 1
    }
    let ones = [Int](repeating: 1, count: c.window.count)
    let result = lowering.convolve(
      x, w, result: c.channelsLast ? [c.batch] + out + [Dim(c.results)] : [c.batch, Dim(c.results)] + out,
      window: c.window, strides: ones.map { $0 * c.stride }, dilations: ones.map { $0 * c.dilation },
      padsBegin: ones.map { _ in Dim(c.pad) }, groups: c.groups, channelsLast: c.channelsLast, accumulate: .f32)
    lowering.output(result, named: "y")
    return lowering.program
  }

  static let symbols = [Symbol("n"): 2, Symbol("h"): 9, Symbol("w"): 11]

  static let cases: [Case] = [
    Case(spatial: [8, 8], channels: 16, results: 32, window: [1, 1]),
    Case(spatial: [7, 9], channels: 5, results: 20, window: [3, 3], pad: 1),
    Case(spatial: [14, 14], channels: 16, results: 64, window: [3, 3], pad: 1),
    Case(batch: 2, spatial: [15, 13], channels: 3, results: 16, window: [7, 7], stride: 2, pad: 3),
    Case(spatial: [12, 12], channels: 8, results: 8, window: [3, 3], dilation: 2, pad: 2),
    Case(spatial: [9, 9], channels: 8, results: 24, window: [3, 3], stride: 2, pad: 1, groups: 2),
    Case(spatial: [9, 11], channels: 20, results: 20, window: [3, 3], pad: 1, groups: 20),
    Case(spatial: [10, 11], channels: 32, results: 32, window: [5, 5], stride: 2, pad: 2, groups: 32),
    Case(spatial: [3, 2], channels: 17, results: 17, window: [5, 5], pad: 2, groups: 17),
    // Lines of one piece, of a few, of many, and with windows that reach over several pieces.
    Case(spatial: [4, 1], channels: 16, results: 16, window: [3, 3], pad: 1, groups: 16),
    Case(spatial: [4, 30], channels: 18, results: 18, window: [3, 3], pad: 1, groups: 18),
    Case(spatial: [5, 75], channels: 16, results: 16, window: [5, 5], pad: 2, groups: 16),
    Case(spatial: [9, 90], channels: 33, results: 33, window: [3, 3], stride: 2, pad: 1, groups: 33),
    Case(spatial: [9, 70], channels: 16, results: 16, window: [3, 3], dilation: 20, pad: 20, groups: 16),
    Case(
      batch: "n", spatial: [6, "w"], channels: 20, results: 20, window: [7, 7], stride: 2, pad: 3, groups: 20,
      sizes: symbols),
    Case(spatial: [11, 10], channels: 32, results: 3, window: [3, 3], pad: 1),
    Case(spatial: [11, 9], channels: 20, results: 2, window: [3, 3], stride: 2, pad: 1),
    Case(spatial: [9, 9], channels: 3, results: 4, window: [7, 7], pad: 3),
    Case(spatial: [9, 9], channels: 33, results: 1, window: [1, 1]),
    Case(spatial: [9, 9], channels: 32, results: 4, window: [3, 3], dilation: 2, groups: 2),
    Case(batch: "n", spatial: ["h", "w"], channels: 16, results: 3, window: [3, 3], pad: 1, sizes: symbols),
    Case(spatial: [12, 12], channels: 1, results: 6, window: [5, 5], pad: 2),
    Case(spatial: [1, 1], channels: 70, results: 100, window: [1, 1]),
    Case(spatial: [20], channels: 6, results: 18, window: [4], pad: 1),
    Case(spatial: [4, 5, 6], channels: 3, results: 17, window: [2, 3, 2], pad: 1),
    Case(spatial: [6, 7], channels: 4, results: 6, window: [3, 2], pad: 1, channelsLast: false),
    Case(
      batch: "n", spatial: ["h", "w"], channels: 6, results: 40, window: [3, 3], stride: 2, pad: 1, sizes: symbols),
    Case(
      batch: "n", spatial: ["h", "w"], channels: 16, results: 16, window: [3, 3], pad: 1, groups: 16, sizes: symbols),
    Case(batch: "n", spatial: ["h", "w"], channels: 16, results: 33, window: [1, 1], sizes: symbols),
  ]

  /// Large enough for Winograd's transforms: whole tiles, tiles that reach over the border, masked channels and columns, several
  /// blocks, strides, dilations, one axis and three, symbolic sizes.
  static let winograd: [Case] = [
    Case(spatial: [16, 16], channels: 32, results: 32, window: [3, 3], pad: 1),
    Case(batch: 2, spatial: [13, 18], channels: 40, results: 72, window: [3, 3], pad: 1),
    Case(spatial: [30, 27], channels: 64, results: 50, window: [3, 3]),
    Case(spatial: [32, 38], channels: 32, results: 48, window: [4, 4], stride: 2, pad: 1),
    Case(batch: 2, spatial: [33, 31], channels: 20, results: 64, window: [5, 5], stride: 2, pad: 2),
    Case(spatial: [9, 70], channels: 33, results: 64, window: [3, 3], pad: 2),
    Case(spatial: [7, 7], channels: 256, results: 130, window: [3, 3], pad: 1),
    Case(batch: "n", spatial: ["h", "w"], channels: 48, results: 48, window: [3, 3], pad: 1, sizes: symbols),
    Case(batch: 2, spatial: [200], channels: 64, results: 64, window: [3], pad: 1),
    Case(spatial: [150], channels: 64, results: 72, window: [3], dilation: 4, pad: 4),
    Case(spatial: [301], channels: 20, results: 64, window: [7], pad: 3),
    Case(spatial: [17, 17], channels: 64, results: 48, window: [1, 7], pad: 3),
    Case(spatial: [19, 15], channels: 64, results: 64, window: [7, 1]),
    Case(batch: 2, spatial: [20, 18], channels: 48, results: 64, window: [5, 5], pad: 2),
    Case(spatial: [26, 29], channels: 64, results: 64, window: [3, 3], dilation: 2, pad: 2),
    Case(spatial: [5, 15, 14], channels: 32, results: 64, window: [3, 3, 3], pad: 1),
    Case(spatial: [13, 6, 7], channels: 64, results: 64, window: [3, 1, 1]),
    Case(spatial: [6, 33, 31], channels: 32, results: 64, window: [1, 4, 4], stride: 2, pad: 1),
    Case(
      batch: "n", spatial: [4, "h", "w"], channels: 64, results: 64, window: [3, 3, 3], dilation: 2, pad: 2,
      sizes: symbols),
  ]

  /// Whose tiles leave out taps: large dilation, few frames, tiles within a line, over lines, over images, padding on one side, strides,
  /// groups, few columns, symbolic sizes.
  static let bounded: [Case] = [
    Case(spatial: [16, 16], channels: 64, results: 64, window: [3, 3], dilation: 12, pad: 12),
    Case(batch: 2, spatial: [11, 13], channels: 48, results: 40, window: [3, 3], dilation: 6, pad: 6),
    Case(batch: 3, spatial: [7, 7], channels: 64, results: 32, window: [3, 3], dilation: 2, pad: 2),
    Case(spatial: [9, 9], channels: 64, results: 48, window: [5, 1], dilation: 3, pad: 6, padEnd: 0),
    Case(spatial: [9, 8], channels: 64, results: 48, window: [3, 3], dilation: 4, pad: 0, padEnd: 8),
    Case(spatial: [17, 17], channels: 48, results: 48, window: [7, 1], pad: 3),
    Case(spatial: [6, 5], channels: 64, results: 32, window: [5, 5], stride: 2, dilation: 2, pad: 5),
    Case(spatial: [12, 12], channels: 64, results: 64, window: [3, 3], stride: 3, dilation: 5, pad: 5, groups: 2),
    Case(spatial: [2, 6, 7], channels: 64, results: 32, window: [3, 3, 3], pad: 1),
    Case(batch: 2, spatial: [3, 4, 4], channels: 64, results: 40, window: [3, 3, 3], pad: 1),
    Case(spatial: [1, 8, 8], channels: 64, results: 32, window: [3, 3, 3], pad: 1),
    Case(spatial: [12], channels: 64, results: 32, window: [5], dilation: 4, pad: 8),
    Case(spatial: [12, 12], channels: 96, results: 3, window: [3, 3], dilation: 6, pad: 6),
    Case(spatial: [6, 6], channels: 96, results: 24, window: [3, 3], dilation: 9, pad: 9),
    // No tap meets the image from the first and the last pixels.
    Case(spatial: [6, 6], channels: 96, results: 24, window: [3, 3], dilation: 2, pad: 9),
    Case(
      batch: "n", spatial: ["h", 16], channels: 64, results: 64, window: [3, 3], dilation: 12, pad: 12, sizes: symbols),
    Case(
      batch: "n", spatial: ["h", "w"], channels: 64, results: 40, window: [3, 3], stride: 2, dilation: 20, pad: 24,
      sizes: symbols),
  ]

  /// Weights that are inputs are packed by a kernel; narrow ones keep their type, or are widened in the panels.
  static let packed: [Case] = (cases + bounded).flatMap { c in
    var (computed, narrow, both) = (c, c, c)
    computed.hasComputedWeights = true
    narrow.element = .f16
    (both.hasComputedWeights, both.element) = (true, .bf16)
    return [computed, narrow, both]
  }

  @Test(arguments: packed) func computedAndNarrowWeightsEqualInterpreter(_ c: Case) throws {
    #expect(try CompiledProgram.error(try Self.program(c), sizes: c.sizes) < 2e-5)
  }

  /// Weights of 16 bits are widened a part of a panel at a time; images of depthwise ones are read as they lie.
  @Test(arguments: [ElementType.f16, .bf16], [Machine.x86_64_v4, .x86_64_v3]) func narrowWeightsAreWidenedForManyPixels(
    _ element: ElementType, _ machine: Machine
  ) throws {
    for c in [
      Case(spatial: [19, 21], channels: 40, results: 70, window: [1, 1], element: element),
      Case(batch: 2, spatial: [40, 23], channels: 700, results: 48, window: [1, 1], stride: 2, element: element),
      Case(spatial: [12, 10], channels: 64, results: 96, window: [1, 1], groups: 2, element: element),
      // All of a window at once, tap by tap, and taps that do not meet the image from all tiles.
      Case(spatial: [20, 20], channels: 3, results: 32, window: [3, 3], stride: 2, pad: 1, element: element),
      Case(spatial: [41, 36], channels: 128, results: 80, window: [3, 3], stride: 2, pad: 1, element: element),
      Case(
        batch: 2, spatial: [17, 16], channels: 128, results: 64, window: [3, 3], dilation: 12, pad: 12, element: element
      ),
    ] {
      let program = try Self.program(c)
      let kernels = try Scheduler.schedule(program, for: machine).kernels.elements
      #expect(kernels.contains { kernel in kernel.locals.contains { $0.name == "widened" } }, "\(c)")
      #expect(try CompiledProgram.error(program, machine: machine) < 2e-5)
    }
    let depthwise = try Self.program(
      Case(spatial: [9, 11], channels: 40, results: 40, window: [3, 3], pad: 1, groups: 40, element: element))
    #expect(try Scheduler.schedule(depthwise, for: machine).kernels.count == 1)
  }

  /// Transforms compete with what the direct way has to do once it leaves out taps: here nearly half.
  @Test(arguments: [1, 2, 12, 18]) func transformsGiveWayWhereTapsAreLeftOut(_ dilation: Int) throws {
    let program = try Self.program(
      Case(spatial: [33, 33], channels: 256, results: 64, window: [3, 3], dilation: dilation, pad: dilation))
    let names = try Scheduler.schedule(program, for: .x86_64_v4).kernels.elements.map(\.name)
    #expect(names.last?.hasPrefix(dilation > 2 ? "convolve" : "winograd") == true, "\(names)")
  }

  @Test(arguments: bounded, [Machine.x86_64_v4, .x86_64_v3]) func tapsThatMeetPaddingAreLeftOut(
    _ c: Case, _ machine: Machine
  ) throws {
    #expect(try CompiledProgram.error(try Self.program(c), sizes: c.sizes, machine: machine) < 1e-5)
  }

  @Test(arguments: winograd, [Machine.x86_64_v4, .x86_64_v3]) func winogradEqualsInterpreter(
    _ c: Case, _ machine: Machine
  ) throws {
    let program = try Self.program(c)
    let names = try Scheduler.schedule(program, for: machine).kernels.elements.map(\.name)
    #expect(names.contains { $0.hasPrefix("winograd") }, "\(names)")
    let direct = try Scheduler.schedule(program, for: machine, options: ScheduleOptions(usesWinograd: false))
    #expect(!direct.kernels.elements.contains { $0.name.hasPrefix("winograd") })
    #expect(try CompiledProgram.error(program, sizes: c.sizes, machine: machine) < 2e-5)
  }

  /// Weights that are inputs are transformed by a kernel of their own: each way to transform a convolution, whatever it costs.
  @Test(arguments: winograd, [Machine.x86_64_v4, .x86_64_v3]) func computedWeightsAreTransformed(
    _ c: Case, _ machine: Machine
  ) throws {
    var c = c
    c.hasComputedWeights = true
    let program = try Self.program(c)
    for case .compute(let value, .convolve(let form)) in program.steps {
      for axes in WinogradCandidate.candidates(form, result: program.values[value].type.shape) {
        var options = ScheduleOptions()
        options.choices = [value: ScheduleChoice(algorithm: .winograd(results: axes.map(\.results)))]
        let names = try Scheduler.schedule(program, for: machine, options: options).kernels.elements.map(\.name)
        #expect(names.contains { $0.hasPrefix("winograd_filters") }, "\(names)")
        #expect(
          try CompiledProgram.error(program, sizes: c.sizes, machine: machine, options: options) < 2e-5, "\(names)")
      }
    }
  }

  /// Where only a run tells how many images there are, few go the direct way, and many by a transform of the weights that it reads.
  @Test(arguments: [(2, 64, 64), (4, 64, 40), (3, 48, 70)], [Machine.x86_64_v4, .x86_64_v3])
  func manyImagesAreTransformed(_ layer: (pixels: Dim, channels: Int, results: Int), _ machine: Machine) throws {
    let program = try Self.program(
      Case(
        batch: "n", spatial: [layer.pixels, layer.pixels], channels: layer.channels, results: layer.results,
        window: [3, 3], pad: 1))
    let scheduled = try Scheduler.schedule(program, for: machine)
    let names = scheduled.kernels.elements.map(\.name)
    for kind in ["convolve", "winograd_filters", "winograd_f32"] {
      #expect(names.contains { $0.hasPrefix(kind) }, "\(names)")
    }
    let constants = scheduled.buffers.elements.filter { if case .constant = $0.storage { true } else { false } }
    #expect(constants.count == 1)
    for images in [1, 2, 65] {
      #expect(try CompiledProgram.error(program, sizes: [Symbol("n"): images], machine: machine) < 2e-5)
    }
  }

  /// Cost decides: for many pixels, computed weights are transformed; for few, their transform costs more than it saves.
  @Test func computedWeightsAreTransformedWherePixelsAreMany() throws {
    func names(_ pixels: Dim, _ channels: Int) throws -> [String] {
      let program = try Self.program(
        Case(
          batch: 8, spatial: [pixels, pixels], channels: channels, results: channels, window: [3, 3], pad: 1,
          hasComputedWeights: true))
      return try Scheduler.schedule(program, for: .x86_64_v4).kernels.elements.map(\.name)
    }
    #expect(try names(56, 64).contains { $0.hasPrefix("winograd_filters_4x4_3x3_c64_m64") })
    #expect(try names(2, 512).allSatisfy { !$0.hasPrefix("winograd") })
  }

  @Test(arguments: cases) func equalsInterpreter(_ c: Case) throws {
    #expect(try CompiledProgram.error(try Self.program(c), sizes: c.sizes) < 1e-5)
  }
}
