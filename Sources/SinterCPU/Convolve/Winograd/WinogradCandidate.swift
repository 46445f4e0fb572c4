import SinterCore
import SinterForms

/// What transforms can do for one convolution: the ways to transform it, beside the direct way.
struct WinogradCandidate {
  let plans: [WinogradPlan]
  /// When weights are transformed.
  let weights: Weights
  private let phases: Int, channels: Int, columns: Int, images: Dim
  private let machine: Machine
  private let directSpeed: Double
  private let axes: [WinogradAxis]
  private let tile: RegisterTile
  /// The part of the direct way's cost that is left where tiles leave out taps that meet only padding.
  private let bounded: Double

  /// When a convolution's weights are transformed.
  enum Weights {
    /// While the model is compiled: they are constant.
    case ahead
    /// The same, or in each run: a library then has them as they are.
    case aheadOrInRuns
    /// In each run: they are computed.
    case inRuns
  }

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
      cycles = machine.overlapped(arithmetic: work, transfer: bytes / machine.memoryBytesPerCycle)
    }
  }

  /// The number of images that stored weights are chosen for: one, where only a run tells. More would seem to be worth any memory for weights,
  /// which a library has whatever its batches are.
  static func likely(_ images: Dim) -> Int { images.isConstant ? TaskSplit.estimate(images) : 1 }

  /// Numbers of images for which a transform in runs is tried where only a run tells.
  private static let batches = [2, 4, 8, 16, 32, 64]

  /// A transform has to save this part of the direct way's cost, or what that saves itself by leaving out taps, whichever is more.
  private static let leastGain = 0.15

  /// - Parameters:
  ///   - channels: without parts.
  ///   - directSpeed: how many times as fast as by multiply-adds of f32 the direct way is.
  ///   - factor: what the direct way's tiles of so many rows cost, as a part of what they would with all taps.
  private init?(
    _ candidates: [[WinogradAxis]], phases: Int, channels: Int, columns: Int, images: Dim, machine: Machine,
    directSpeed: Double = 1, weights: Weights,
    factor: (_ rows: Int) -> Double = { _ in 1 }
  ) {
    let lanes = machine.lanes(.f32)
    guard let axes = candidates.first, channels >= lanes / 2, columns >= lanes / 2 else { return nil }
    self.weights = weights
    (self.phases, self.channels, self.columns, self.images) = (phases, channels, columns, images)
    (self.machine, self.directSpeed, self.axes) = (machine, directSpeed, axes)
    tile = RegisterTile.choose(
      rows: Self.pixels(axes) * Self.likely(images), columns: columns, lanes: lanes, machine: machine, factor: factor)
    bounded = factor(tile.rows)
    plans = candidates.map {
      WinogradPlan(
        $0, phases: phases, channels: $0.parts * channels, columns: columns, images: images, machine: machine)
    }
  }

  /// For a convolution that is not transposed; nil where there is no transform.
  init?(
    _ form: ConvolveForm, channels: ConvolveChannels, input: [Dim], result: [Dim], machine: Machine,
    directSpeed: Double = 1, weights: Weights
  ) {
    guard channels.groups == 1, form.accumulate == .f32, machine.hasMultiplyAdd else { return nil }
    let meetings = TapMeetings(form, input: input, result: result)
    self.init(
      Self.candidates(form, result: result), phases: 1, channels: channels.perGroup, columns: channels.results,
      images: result[0], machine: machine, directSpeed: directSpeed, weights: weights,
      factor: { meetings.cost(rows: $0, machine) })
  }

  /// For the phases of a transposed convolution without groups.
  init?(
    _ form: ConvolveForm, axes: [TransposedAxis], channels: Int, result: [Dim], machine: Machine, weights: Weights
  ) {
    let taps = axes.compactMap(\.commonTaps)
    guard form.groups == 1, taps.count == axes.count, axes.allSatisfy({ $0.tapStep == 1 }), form.accumulate == .f32,
      machine.hasMultiplyAdd, let columns = result[result.count - 1].value
    else { return nil }
    let ones = axes.map { _ in 1 }
    self.init(
      WinogradAxis.candidates(window: taps, strides: ones, dilations: ones, extents: axes.map(\.places)),
      phases: axes.reduce(1) { $0 * $1.phases }, channels: channels, columns: columns, images: result[0],
      machine: machine, weights: weights)
  }

  /// The ways to transform a convolution that is not transposed, along each axis.
  static func candidates(_ form: ConvolveForm, result: [Dim]) -> [[WinogradAxis]] {
    WinogradAxis.candidates(
      window: form.window, strides: form.strides, dilations: form.dilations,
      extents: Array(result[1..<(result.count - 1)]))
  }

  /// The plan with so many results along each axis.
  func plan(results: [Int]) -> WinogradPlan? { plans.first { $0.axes.map(\.results) == results } }

  // MARK: Costs

  /// Places of one image's result, in one phase.
  private static func pixels(_ axes: [WinogradAxis]) -> Int { axes.reduce(1) { $0 * TaskSplit.estimate($1.extent) } }

  /// What the direct way costs with all taps.
  private func direct(images: Int) -> Cost {
    Cost(
      products: axes.reduce(channels) { $0 * $1.window }, rows: Self.pixels(axes) * images, tile: tile, transforms: 0,
      columns: columns, machine: machine, speed: directSpeed
    ).times(phases)
  }

  private func cost(_ plan: WinogradPlan, images: Int) -> Cost {
    plan.cost(machine, images: images).times(phases)
  }

  /// The cheapest plan, if it is clearly cheaper than the direct way, and the bytes that its weights take beyond the direct ones in a library.
  /// - Parameter price: what a byte of weights costs in cycles.
  func best(price: Double) -> (plan: WinogradPlan, moreBytes: Double)? {
    let images = Self.likely(images)
    let direct = direct(images: images)
    func whole(_ cycles: Double, _ bytes: Double) -> Double { cycles + price * bytes }
    var ways: [(plan: WinogradPlan, cost: Double, moreBytes: Double)] = []
    if weights != .inRuns {
      ways += plans.map { plan in
        let cost = cost(plan, images: images)
        return (plan, whole(cost.cycles, cost.bytes), cost.bytes - direct.bytes)
      }
    }
    if weights != .ahead {
      ways += plansInRuns.map { ($0, whole(cost($0, images: images).cycles, direct.bytes), 0) }
    }
    guard let best = ways.min(by: { $0.cost < $1.cost }), isGain(best.cost, over: whole(direct.cycles, direct.bytes))
    else { return bestOfManyImages.map { ($0, 0) } }
    return (best.plan, best.moreBytes)
  }

  private var plansInRuns: [WinogradPlan] {
    plans.map { plan in
      var plan = plan
      plan.transformsWeights = true
      return plan
    }
  }

  private func isGain(_ cost: Double, over direct: Double) -> Bool {
    cost < direct * Swift.min(1 - Self.leastGain, bounded)
  }

  /// Where only a run tells how many images there are: the plan that transforms the direct way's weights in runs from so many on that it pays.
  private var bestOfManyImages: WinogradPlan? {
    if weights != .aheadOrInRuns || images.isConstant { return nil }
    for count in Self.batches {
      let costs = plansInRuns.map { ($0, cost($0, images: count).cycles) }
      guard let (found, cycles) = costs.min(by: { $0.1 < $1.1 }), isGain(cycles, over: direct(images: count).cycles)
      else {
        continue
      }
      var plan = found
      plan.leastPlaces = Self.pixels(axes) * count
      return plan
    }
    return nil
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
