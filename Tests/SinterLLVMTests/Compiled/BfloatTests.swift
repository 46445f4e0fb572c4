import SinterCore
import SinterForms
import Testing

@testable import SinterCPU
@testable import SinterLLVM

/// Compiled products and convolutions whose operands are rounded to bf16, with and without the processor's own sums of pairs.
@Suite struct BfloatTests {
  /// This processor as one that sums pairs faster than it multiplies and adds f32, and as it is.
  static let machines: [Machine] = {
    var fast = Target.host.machine
    fast.tileOperations = fast.tileOperations.map { $0 == .widenedPairDot ? .pairDot : $0 }
    fast.multiplyAddsPerPairDot = 1
    return [fast, Target.host.machine]
  }()

  /// Against the interpreter on forms with rounded operands, so that only the order of sums differs.
  static func check(_ program: FormProgram, sizes: [Symbol: Int], _ place: String) throws {
    for machine in machines {
      let rounded = BfloatOperands.applied(to: program, machine: machine, options: ScheduleOptions(math: .bf16))
      let error = try CompiledProgram.error(rounded, sizes: sizes, machine: machine)
      #expect(error < 1e-5, "\(place): \(error)")
    }
  }

  @Test(arguments: ContractTests.cases.filter { $0.isConstant && $0.element == .f32 })
  func products(_ c: ContractTests.Case) throws {
    try Self.check(try ContractTests.program(c), sizes: c.sizes, c.testDescription)
  }

  @Test(arguments: ConvolveTests.cases.filter { !$0.hasComputedWeights && $0.element == .f32 })
  func convolutions(_ c: ConvolveTests.Case) throws {
    try Self.check(try ConvolveTests.program(c), sizes: c.sizes, c.testDescription)
  }
}
