import SinterCore
import Testing

@testable import SinterForms
@testable import SinterCPU

@Suite struct WinogradBudgetTests {
  /// One convolution of 3×3 taps: the pixels of its image along either axis, and its channels.
  struct Layer {
    var pixels: Int
    var channels: Int

    var bytes: Double { Double(9 * channels * channels * 4) }
  }

  /// The plans of several convolutions, by layer.
  private static func plans(
    _ layers: [Layer], batch: Dim = 1, options: ScheduleOptions = ScheduleOptions()
  ) -> [WinogradPlan?] {
    var lowering = Lowering(name: "layers")
    for layer in layers {
      let shape: [Dim] = [batch, Dim(layer.pixels), Dim(layer.pixels), Dim(layer.channels)]
      let x = lowering.input(TensorType(.f32, shape), named: "x")
      let weights = [layer.channels, layer.channels, 3, 3]
      let w = lowering.constant(HostTensor(.f32, weights, bytes: TensorBytes(count: Int(layer.bytes)) { _ in }))
      let y = lowering.convolve(
        x, w, result: shape, window: [3, 3], strides: [1, 1], dilations: [1, 1], padsBegin: [1, 1], groups: 1,
        channelsLast: true, accumulate: .f32)
      lowering.output(y, named: "y")
    }
    let program = lowering.program
    let context = ScheduleContext(program: program, machine: .x86_64_v4, options: options)
    let plans = WinogradBudget.plans(for: program, context)
    return program.outputs.map { plans[$0.value] }
  }

  private static func moreBytes(_ plan: WinogradPlan?, _ layer: Layer) -> Double {
    plan.map { layer.bytes * (Double($0.places) / 9 - 1) } ?? 0
  }

  @Test func smallWeightsTakeTheFastestPlans() {
    let plans = Self.plans([Layer(pixels: 56, channels: 64), Layer(pixels: 28, channels: 128)])
    #expect(plans.map { $0?.places } == [36, 36])
  }

  /// Weights that exceed the budget leave it to the layers that gain the most from a byte.
  @Test func theBudgetGoesWhereItSavesMost() {
    let layers = [Layer(pixels: 112, channels: 64), Layer(pixels: 14, channels: 512), Layer(pixels: 7, channels: 1024)]
    let plans = Self.plans(layers)
    #expect(plans[0]?.places == 36)
    #expect((plans[2]?.places ?? 9) < 36)
    let more = zip(plans, layers).reduce(0) { $0 + Self.moreBytes($1.0, $1.1) }
    let constants = layers.reduce(0) { $0 + $1.bytes }
    #expect(more > 0 && more <= max(Double(28 << 20), constants / 4))
  }

  /// A library has its weights whatever the batch is: those that are stored are chosen for one image.
  @Test func openBatchesTakeNoMoreMemory() {
    let layers = [Layer(pixels: 56, channels: 64), Layer(pixels: 14, channels: 512), Layer(pixels: 7, channels: 1024)]
    let open = Self.plans(layers, batch: "n")
    #expect(open.map { $0?.transformsWeights == true ? nil : $0?.places } == Self.plans(layers).map { $0?.places })
  }

  /// What does not pay for one image pays for many: their plan transforms the weights of the direct way in each run.
  @Test func openBatchesAreTransformedFromSomeSizeOn() throws {
    let plan = try #require(Self.plans([Layer(pixels: 7, channels: 1024)], batch: "n")[0])
    #expect(plan.transformsWeights)
    let least = try #require(plan.leastPlaces)
    #expect(least > 7 * 7 && least % (7 * 7) == 0)
  }

  /// Weights beyond the budget are transformed in each run where the batch pays for it.
  @Test func largeBatchesKeepTheBudget() {
    let layers = [
      Layer(pixels: 28, channels: 512), Layer(pixels: 14, channels: 1024), Layer(pixels: 14, channels: 1024),
    ]
    let plans = Self.plans(layers, batch: 32)
    let stored = zip(plans, layers).filter { $0.0?.transformsWeights == false }
    #expect(plans.contains { $0?.transformsWeights == true && $0?.leastPlaces == nil })
    let constants = layers.reduce(0) { $0 + $1.bytes }
    #expect(stored.reduce(0) { $0 + Self.moreBytes($1.0, $1.1) } <= max(Double(28 << 20), constants / 4))
  }

  @Test func canBeTurnedOff() {
    let plans = Self.plans([Layer(pixels: 56, channels: 64)], options: ScheduleOptions(usesWinograd: false))
    #expect(plans.allSatisfy { $0 == nil })
  }
}
