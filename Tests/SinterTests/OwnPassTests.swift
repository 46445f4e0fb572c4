import Sinter
import SinterIR
import SinterOps
import Testing

/// Passes of a user's, through `applying`.
@Suite struct OwnPassTests {
  func model() throws -> CompiledGraph {
    try trace((), [.f32("n", name: "x")]) { inputs -> Tensor in (inputs[0].exp() * inputs[0].exp()).relu() }
      .initialized()
  }

  func pass(_ rule: RewriteRule) -> Pass {
    Pass("own", "Applies one rule.") { graph, log in try graph.rewrite([rule], log: &log) }
  }

  @Test func changesTheGraphAndTellsHowOften() throws {
    let rule = RewriteRule("exp(a) · exp(b) = exp(a + b)", at: Binary.self) { op, site in
      guard op.kind == .multiply, let a = site.producer(of: site.input(0), as: Unary.self), a.op.kind == .exp,
        let b = site.producer(of: site.input(1), as: Unary.self), b.op.kind == .exp
      else { return nil }
      return try site.add1(Unary(.exp), [try site.add1(Binary(.add), [a.inputs[0], b.inputs[0]])])
    }
    let (merged, changes) = try model().applying(pass(rule))
    #expect(changes.countByRule == ["exp(a) · exp(b) = exp(a + b)": 1])
    #expect(merged.graph.order.count == 3)
    try withScratchFolder { folder in
      let result = try merged.optimized().compile(to: "\(folder)/libmerged.so").run(.f32([2], [0, 0.5]))[0]
      #expect(difference(result.array(of: Float.self), [1, 2.7182817]) < 1e-6)
    }
    // Of an optimized graph the form that is exported goes the same way.
    let (again, _) = try model().optimized().applying(pass(rule))
    try withScratchFolder { folder in
      try again.export("\(folder)/merged.onnx")
      try again.compile(to: "\(folder)/libagain.so")
    }
  }

  /// A graph that a pass leaves in disorder is an error with the pass's name, and nothing is compiled of it.
  @Test func refusesWhatDoesNotVerify() throws {
    let broken = Pass("backward", "Turns the order around.") { graph, log in
      graph.order.reverse()
      log.add("backward")
    }
    let error = message { try model().applying(broken) }
    #expect(error.contains("pass backward"), "\(error)")
  }

  @Test func refusesRulesThatChangeTypes() throws {
    let wrong = RewriteRule("x = sum(x)", at: Unary.self) { op, site in
      op.kind == .relu ? try site.add1(Reduce(.sum, keepsAxes: false), [site.input(0)]) : nil
    }
    let error = message { try model().applying(pass(wrong)) }
    #expect(error.contains("x = sum(x)"), "\(error)")
  }
}
