import SinterCore
import SinterIR
import SinterOps

extension Pass {
  /// Image operators run with channels last, which makes a 1×1 convolution a plain product and everything else contiguous.
  ///
  /// Each convolution is put between two transposes; these sink along the graph until they meet their inverses, so that they remain at its
  /// edges and around operators that need the written order.
  public static let channelsLast = Pass(
    "channels-last",
    "Has convolutions and pools work on [n, spatial…, channels], and moves transposes to the graph's edges."
  ) { graph, log in
    try graph.rewrite(
      [.constantNode] + RewriteRule.channelsLast + [.mergeTransposes, .identityTranspose] + RewriteRule.sinkTransposes,
      log: &log)
  }
}

extension RewriteRule {
  static let channelsLast: [RewriteRule] = [
    RewriteRule(
      "conv(x) = first(conv'(last(x)))", at: [Conv.self, ByteConv.self, ConvTranspose.self], keepsOrigin: true
    ) { site in
      guard let op = site.op as? any HasChannelsLast, !op.channelsLast, let x = site.input(0),
        let rank = site.type(x)?.rank
      else { return nil }
      let inside = try site.transposed(x, .toChannelsLast(rank: rank))
      return [try site.channelsFirst(op, [inside] + site.inputs.dropFirst(), rank: rank)]
    },
    RewriteRule(
      "pool(first(x)) = first(pool'(x))",
      at: [
        MaxPool.self, AveragePool.self, GlobalPool.self, QLinearGlobalAveragePool.self, BatchNormalization.self,
        GroupNormalization.self,
      ],
      keepsOrigin: true
    ) { site in
      guard let op = site.op as? any HasChannelsLast, !op.channelsLast,
        let x = site.channelsLast(behind: site.input(0)),
        !op.laterResultsHaveAnOrder || site.outputs.dropFirst().allSatisfy({ site.useCount($0) == 0 }),
        let rank = site.type(x)?.rank
      else { return nil }
      if op.laterResultsHaveAnOrder {
        return [try site.channelsFirst(op, [x] + site.inputs.dropFirst(), rank: rank)] + site.outputs.dropFirst()
      }
      var copy = op
      copy.channelsLast = true
      let results = try site.add(copy, [x] + site.inputs.dropFirst(), outputs: site.outputs.count)
      return [try site.broughtFirst(results[0])] + results.dropFirst()
    },
    RewriteRule(
      "poolGradient(first(g), x, y) = first(poolGradient'(g, last(x), last(y)))", at: [PoolGradient.self],
      keepsOrigin: true
    ) { site in
      guard let op = site.op as? any HasChannelsLast, !op.channelsLast, let rank = site.type(site.outputs[0])?.rank,
        site.inputs.contains(where: { site.channelsLast(behind: $0) != nil })
      else { return nil }
      var inputs: [ValueID?] = []
      for case let input? in site.inputs {
        guard let last = try site.broughtLast(input, rank: rank) else { return nil }
        inputs.append(last)
      }
      return [try site.channelsFirst(op, inputs, rank: rank)]
    },
  ]
}

extension RewriteSite {
  /// The operator with channels last, its result brought back.
  fileprivate func channelsFirst(_ op: some HasChannelsLast, _ inputs: [ValueID?], rank: Int) throws -> ValueID {
    var copy = op
    copy.channelsLast = true
    return try transposed(try add1(copy, inputs), .toChannelsFirst(rank: rank))
  }
}
