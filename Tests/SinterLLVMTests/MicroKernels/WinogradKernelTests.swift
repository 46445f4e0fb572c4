import SinterCore
import SinterForms
import SinterKernelIR
import Testing

@testable import SinterCPU
@testable import SinterLLVM

/// The products between transforms, in the kernels that schedules write for convolutions. That these compute convolutions is held by
/// `ConvolveTests`.
@Suite struct WinogradKernelTests {
  static let processors = Processors.all.filter { Target(named: $0)?.hasMultiplyAdd ?? false }

  @Test(arguments: processors) func productsStayInRegisters(processor: String) throws {
    let target = try Target.named(processor)
    for (kernel, results) in [([3, 3], 192), ([5, 5], 64), ([1, 7], 96)] {
      // Columns that fill whole panels, so that all tiles are alike.
      let program = try ConvolveTests.program(
        .init(spatial: [26, 26], channels: 64, results: results, window: kernel, pad: kernel[0] / 2))
      let scheduled = try Scheduler.schedule(program, for: target.machine)
      let code = MultiplyAddCode(target.machine.multiplyAdd(.f32), on: target)
      let assembly = try Assembly(scheduled, target: target)
      let transformed = scheduled.kernels.indices.filter { scheduled.kernels[$0].name.hasPrefix("winograd_") }
      #expect(transformed.count == 1, "\(processor), \(kernel)")
      for id in transformed {
        let name = scheduled.kernels[id].name
        // Its last part is rows and columns of the tile.
        let tile = name.split(separator: "_").last?.split(separator: "x").compactMap { Int($0) } ?? []
        let expected = tile[0] * tile[1] / target.machine.lanes(.f32)
        // Each row's element is broadcast from memory; transforms have other constants and other counts. Several steps may share a request.
        let products = assembly.innermostLoops(of: id, scheduled.kernels[id]).filter { loop in
          (1...TileKernel.mostStepsPerRequest).contains { steps in
            loop.count(code.matches) == steps * expected && loop.broadcasts == steps * tile[0]
          }
        }
        #expect(
          !products.isEmpty, "\(processor), \(name): no loop has \(expected) multiply-adds and \(tile[0]) broadcasts")
        for loop in products { #expect(loop.spills.isEmpty, "\(processor), \(name): \(loop.spills.first ?? "")") }
      }
    }
  }
}
