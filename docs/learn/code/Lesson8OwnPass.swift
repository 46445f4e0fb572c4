import Sinter
import SinterIR
import SinterOps

// region: rule
extension RewriteRule {
  /// One exponential in place of two.
  static let productOfExponentials = RewriteRule("exp(a) · exp(b) = exp(a + b)", at: Binary.self) { op, site in
    guard op.kind == .multiply,
      let (first, _, a) = site.producer(of: site.input(0), as: Unary.self), first.kind == .exp,
      let (second, _, b) = site.producer(of: site.input(1), as: Unary.self), second.kind == .exp
    else { return nil }
    return try site.add1(Unary(.exp), [try site.add1(Binary(.add), [a[0], b[0]])])
  }
}
// endregion

// region: pass
extension Pass {
  static let mergeExponentials = Pass("merge-exponentials", "Adds exponents instead of multiplying exponentials.") {
    graph, log in
    try graph.rewrite([.productOfExponentials], log: &log)
  }
}
// endregion

// region: plugin
func runAsPlugin() -> Never {
  PassPlugin.run([.mergeExponentials])
}
// endregion

func ownPass() throws {
  // region: apply
  let bell = try trace((), [.f32("n", name: "x"), .f32("n", name: "y")], name: "bell") {
    inputs -> Tensor in
    (-inputs[0] * inputs[0]).exp() * (-inputs[1] * inputs[1]).exp()
  }.initialized()
  let (merged, changes) = try bell.applying(.mergeExponentials)
  print(changes.countByRule)
  print(merged.graph)
  // endregion

  // region: compare
  let x = HostTensor.f32([4], [0, 0.5, 1, 2]), y = HostTensor.f32([4], [0, -0.5, 3, 0.25])
  let before = try bell.compile(to: "libbell.so").run(x, y)[0].array(of: Float.self)
  let after = try merged.optimized().compile(to: "libmerged.so").run(x, y)[0].array(of: Float.self)
  print(zip(before, after).allSatisfy { abs($0 - $1) <= 1e-6 * abs($0) })
  // endregion

  try bell.export("bell.onnx")
  try merged.export("merged.onnx")
}
