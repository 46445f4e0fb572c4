import SinterCore
import SinterForms
import SinterCPU
import Testing

@testable import SinterLLVM

/// Whatever tuning may choose computes the same.
@Suite struct ScheduleChoiceTests {
  static let cases: [ConvolveTests.Case] = [
    .init(spatial: [13, 12], channels: 24, results: 40, window: [3, 3], pad: 1),
    .init(spatial: [9, 14], channels: 20, results: 33, window: [3, 3], stride: 2, pad: 1),
    .init(batch: "n", spatial: ["h", "w"], channels: 16, results: 48, window: [1, 1], sizes: ConvolveTests.symbols),
  ]

  @Test(arguments: cases) func everyCandidateOfAConvolutionIsRight(_ c: ConvolveTests.Case) throws {
    try check(try ConvolveTests.program(c), sizes: c.sizes)
  }

  @Test func everyCandidateOfAProductIsRight() throws {
    var lowering = Lowering(name: "product")
    var generator = Generator(state: 3)
    let x = lowering.input(TensorType(.f32, ["n", 37]), named: "x")
    let w = lowering.constant(CompiledProgram.random(.f32, [37, 70], &generator))
    let y = try lowering.contract(
      batch: [], m: ["n"], n: [70], k: [37], accumulate: .f32,
      lhs: { builder, _, m, k in builder.load(x.id, m + k) }, rhs: { builder, _, n, k in builder.load(w.id, k + n) })
    lowering.output(y, named: "y")
    try check(lowering.program, sizes: [Symbol("n"): 21])
  }

  private func check(_ program: FormProgram, sizes: [Symbol: Int]) throws {
    let machine = Machine.x86_64_v4
    for case .compute(let value, let form) in program.steps {
      let candidates = ScheduleChoice.candidates(
        for: form, result: program.values[value].type, type: { program.values[$0].type }, machine: machine)
      #expect(candidates.count > 1)
      for candidate in candidates {
        var options = ScheduleOptions()
        options.choices = [value: candidate]
        let error = try CompiledProgram.error(program, sizes: sizes, machine: machine, options: options)
        #expect(error < 2e-5, "\(candidate)")
      }
    }
  }
}
