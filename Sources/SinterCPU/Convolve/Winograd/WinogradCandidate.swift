import SinterCore
import SinterForms

/// What transforms can do for one convolution: the ways to transform it, beside the direct way.
struct WinogradCandidate {
  /// With all taps; and the part of it that is left where tiles leave out taps that meet only padding.
  let direct: Cost
  private let bounded: Double
  let plans: [WinogradPlan]
  private let costs: [Cost]
  /// Whether weights are computed, and transformed in each run: a library holds none of them.
  let computesWeights: Bool

  struct Cost {
    /// Cycles of products and transforms, and of the weights that they read: those come from memory, as a model's others displace them.
    var cycles: Double
    /// Of weights.
    var bytes: Double

    /// - Parameter speed: how many times as fast as multiply-adds of f32 products are; weights take that much less memory.
    init(
      products: Int, rows: Int, tile: RegisterTile, transforms: Double, columns: Int, machine: Machine,
      speed: Double = 1
    ) {
      let lanes = machine.lanes(.f32)
      let vectors = (columns + lanes - 1) / lanes
      let work = Double(products) * tile.cost(rows: rows, columnVectors: vectors, machine) / speed + transforms
      bytes = Double(products * vectors * lanes * 4) / speed
      let weights = bytes / machine.memoryBytesPerCycle
      cycles = Swift.max(work, weights) + Swift.min(work, weights) / 4
    }
  }

  /// The number of images that weights are chosen for: one, where only a run tells. More would seem to be worth any memory for weights, which
  /// a library has whatever its batches are.
  static func likely(_ images: Dim) -> Dim { images.isConstant ? images : 1 }

  /// A transform has to save this part of the direct way's cost, or what that saves itself by leaving out taps, whichever is more.
  private static let leastGain = 0.15

  /// - Parameters:
  ///   - channels: without parts.
  ///   - directSpeed: how many times as fast as by multiply-adds of f32 the direct way is.
  ///   - computesWeights: whether weights are transformed in each run.
  ///   - factor: what the direct way's tiles of so many rows cost, as a part of what they would with all taps.
  private init?(
    _ candidates: [[WinogradAxis]], phases: Int, channels: Int, columns: Int, images: Dim, machine: Machine,
    directSpeed: Double = 1, computesWeights: Bool,
    factor: (_ rows: Int) -> Double = { _ in 1 }
  ) {
    let lanes = machine.lanes(.f32)
    guard let axes = candidates.first, channels >= lanes / 2, columns >= lanes / 2 else { return nil }
    let pixels = axes.reduce(TaskSplit.estimate(Self.likely(images))) { $0 * TaskSplit.estimate($1.extent) }
    let tile = RegisterTile.choose(rows: pixels, columns: columns, lanes: lanes, machine: machine, factor: factor)
    direct = Cost(
      products: axes.reduce(channels) { $0 * $1.window }, rows: pixels, tile: tile, transforms: 0, columns: columns,
      machine: machine, speed: directSpeed
    ).times(phases)
    bounded = factor(tile.rows)
    plans = candidates.map {
      WinogradPlan(
        $0, phases: phases, channels: $0.parts * channels, columns: columns, images: images, machine: machine)
    }
    self.computesWeights = computesWeights
    costs = plans.map { $0.cost(machine, computesWeights: computesWeights).times(phases) }
  }

  /// For a convolution that is not transposed; nil where there is no transform.
  init?(
    _ form: ConvolveForm, channels: ConvolveChannels, input: [Dim], result: [Dim], machine: Machine,
    directSpeed: Double = 1, computesWeights: Bool = false
  ) {
    guard channels.groups == 1, form.accumulate == .f32, machine.hasMultiplyAdd else { return nil }
    let meetings = TapMeetings(form, input: input, result: result)
    self.init(
      Self.candidates(form, result: result), phases: 1, channels: channels.perGroup, columns: channels.results,
      images: result[0], machine: machine, directSpeed: directSpeed, computesWeights: computesWeights,
      factor: { meetings.cost(rows: $0, machine) })
  }

  /// For the phases of a transposed convolution without groups.
  init?(
    _ form: ConvolveForm, axes: [TransposedAxis], channels: Int, result: [Dim], machine: Machine,
    computesWeights: Bool = false
  ) {
    let taps = axes.compactMap(\.commonTaps)
    guard form.groups == 1, taps.count == axes.count, axes.allSatisfy({ $0.tapStep == 1 }), form.accumulate == .f32,
      machine.hasMultiplyAdd, let columns = result[result.count - 1].value
    else { return nil }
    let ones = axes.map { _ in 1 }
    self.init(
      WinogradAxis.candidates(window: taps, strides: ones, dilations: ones, extents: axes.map(\.places)),
      phases: axes.reduce(1) { $0 * $1.phases }, channels: channels, columns: columns, images: result[0],
      machine: machine, computesWeights: computesWeights)
  }

  /// The ways to transform a convolution that is not transposed, along each axis.
  static func candidates(_ form: ConvolveForm, result: [Dim]) -> [[WinogradAxis]] {
    WinogradAxis.candidates(
      window: form.window, strides: form.strides, dilations: form.dilations,
      extents: Array(result[1..<(result.count - 1)]))
  }

  /// The plan with so many results along each axis.
  func plan(results: [Int]) -> WinogradPlan? { plans.first { $0.axes.map(\.results) == results } }

  /// The cheapest plan, if it is clearly cheaper than the direct way, and the bytes that its weights take beyond the direct ones in a library.
  /// - Parameter price: what a byte of weights costs in cycles.
  func best(price: Double) -> (plan: WinogradPlan, moreBytes: Double)? {
    let price = computesWeights ? 0 : price
    func whole(_ cost: Cost) -> Double { cost.cycles + price * cost.bytes }
    guard let best = costs.indices.min(by: { whole(costs[$0]) < whole(costs[$1]) }),
      whole(costs[best]) < whole(direct) * Swift.min(1 - Self.leastGain, bounded)
    else { return nil }
    return (plans[best], computesWeights ? 0 : costs[best].bytes - direct.bytes)
  }
}

extension WinogradCandidate.Cost {
  fileprivate func times(_ count: Int) -> Self {
    var all = self
    all.cycles *= Double(count)
    all.bytes *= Double(count)
    return all
  }
}
