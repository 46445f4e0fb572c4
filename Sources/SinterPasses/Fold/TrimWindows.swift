import SinterCore
import SinterIR
import SinterOps

extension Pass {
  /// Small images, large dilations and the last blocks of networks over few frames have taps that never meet an element.
  public static let trimWindows = Pass(
    "trim-windows", "Drops those weights of convolutions that only ever meet padding."
  ) { graph, log in
    try graph.rewrite([.constantNode, .trimmedWindow], log: &log)
  }
}

extension RewriteRule {
  static let trimmedWindow = RewriteRule("conv(x, w) = conv(x, taps of w that meet x)", at: Conv.self) { op, site in
    guard let x = site.input(0), let w = site.input(1), site.constant(w) != nil, let image = site.type(x),
      let weights = site.type(w), let trimmed = op.trimmed(image, weights)
    else { return nil }
    let count = trimmed.taps.count
    func list(_ values: [Int]) -> ValueID { site.constant(.i64([count], values)) }
    let taps = try site.add1(
      Slice(),
      [w, list(trimmed.taps.map(\.lowerBound)), list(trimmed.taps.map(\.upperBound)), list(Array(2..<(2 + count)))])
    return try site.add1(trimmed.op, [x, taps] + site.inputs.dropFirst(2))
  }
}
