import SinterCPU
import SinterCore
import SinterForms
import SinterKernelIR
import Testing

/// Windows whose panels no cache keeps, as those of gradients of weights, are done part after part; sums wait meanwhile.
@Suite("Windows that are done in parts")
struct LongWindowTests {
  private typealias Convolution = BfloatScheduleTests.Convolution

  private static let windows: [Convolution] = [
    Convolution(image: [3, 9, 9, 4], weights: [20, 4, 7, 7], pads: [1, 1]),
    Convolution(image: [3, 13, 14, 4], weights: [20, 4, 6, 6], dilations: [2, 2], pads: [1, 1]),
    Convolution(image: [2, 13, 15, 3], weights: [33, 3, 6, 7], dilations: [2, 2]),
    Convolution(image: [2, 17, 12, 4], weights: [16, 2, 7, 5], dilations: [2, 2], pads: [3, 2], groups: 2),
    // Pads of which whole lines of taps meet nothing else.
    Convolution(image: [2, 4, 4, 4], weights: [18, 4, 7, 7], dilations: [2, 2], pads: [8, 8]),
  ]

  @Test(arguments: windows.indices, [2 << 10, 16 << 10, 64 << 10])
  func sumsWait(number: Int, level2: Int) throws {
    let item = Self.windows[number]
    let program = BfloatScheduleTests.convolution(item)
    let image = BfloatScheduleTests.whole(item.image)
    let exact = try FormInterpreter(program).run([image]).map { $0.array(of: Float.self) }
    for var machine in [Machine.x86_64_v4, .x86_64_v3, .aarch64] {
      machine.level2 = level2
      var scheduled = try Scheduler.schedule(program, for: machine, options: ScheduleOptions(usesWinograd: false))
      MemoryPlanner.plan(&scheduled)
      try KernelVerifier.verify(scheduled)
      let result = try KernelInterpreter(scheduled).run([image]).map { $0.array(of: Float.self) }
      #expect(result == exact, "\(machine.name)")
      if level2 == 2 << 10 {
        #expect(scheduled.kernels.elements.contains { kernel in kernel.locals.contains { $0.name == "sums" } })
      }
    }
  }
}
