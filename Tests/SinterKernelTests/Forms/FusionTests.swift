import SinterCore
import SinterKernel
import Testing

@Suite("Fusion of forms")
struct FusionTests {
  /// Fused programs compute bit for bit what they did before.
  @Test(arguments: 0..<60)
  func keepsTheMeaning(block: Int) throws {
    for seed in (block * 10)..<(block * 10 + 10) {
      var maker = RandomForms(seed: seed, isSymbolic: seed % 2 == 1)
      let program = try maker.program(steps: 4 + seed % 13)
      let (fused, _) = Fusion.fuse(program)
      let expected = try FormInterpreter(program).run(maker.inputs)
      let given = try FormInterpreter(fused).run(maker.inputs)
      for (a, b) in zip(expected, given) {
        let equal = zip(a.doubles ?? [], b.doubles ?? []).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
        #expect(a.shape == b.shape && equal, "seed \(seed)")
      }
    }
  }
}
