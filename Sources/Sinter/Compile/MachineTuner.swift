import SinterCPU
import SinterCore
import SinterForms
import SinterKernelIR
import SinterLLVM

/// Measures how fast register tiles are on this processor, each in the product that decides about most models: rows that stay in caches,
/// weights that come through all of them.
package enum MachineTuner {
  /// The product: rows, depth and columns of one layer, and layers, so that the weights of one are gone from the nearer caches when its turn
  /// comes again.
  private static let (rows, depth, columns, layers) = (128, 768, 1536, 8)
  private static let iterations = 12

  /// The rates of all tiles that nearly fill the registers.
  ///
  /// - Parameter progress: is told of each tile, and how many floating-point operations it does in a second.
  package static func tileRates(
    _ target: Target = .host, progress: (RegisterTile, Double) -> Void = { _, _ in }
  ) throws -> [TileRate] {
    var machine = target.machine
    machine.tileRates = []
    let lanes = machine.lanes(.f32)
    let (program, values) = try product()
    let input = HostTensor.f32([rows, depth], (0..<(rows * depth)).map { Float($0 % 17) / 17 - 0.5 })
    var speeds: [(tile: RegisterTile, beside: Double)] = []
    for tile in RegisterTile.filling(machine) {
      var options = ScheduleOptions()
      for value in values { options.choices[value] = ScheduleChoice(tile) }
      var kernels = try Scheduler.schedule(program, for: machine, options: options)
      MemoryPlanner.plan(&kernels)
      let seconds = try KernelRunner(kernels, target: target).profile([input], iterations: iterations).reduce(0) {
        $0 + $1.seconds
      }
      let counted = tile.cost(rows: rows, columnVectors: columns / lanes, machine)
      speeds.append((tile, counted / seconds))
      progress(tile, 2 * Double(rows * depth * columns * layers) / seconds)
    }
    let best = speeds.map(\.beside).max() ?? 1
    return speeds.map { TileRate($0.tile.rows, $0.tile.vectors, ($0.beside / best * 1000).rounded() / 1000) }
  }

  /// Several products of one input with constant weights, each of its own.
  private static func product() throws -> (FormProgram, [FormValueID]) {
    var lowering = Lowering(name: "tiles")
    let x = lowering.input(TensorType(.f32, [Dim(rows), Dim(depth)]), named: "x")
    var values: [FormValueID] = []
    for layer in 0..<layers {
      let bytes = TensorBytes(count: depth * columns * 4) { memory in
        let floats = memory.bindMemory(to: Float.self)
        for index in floats.indices { floats[index] = Float((index &* 7 &+ layer) % 13) / 13 - 0.5 }
      }
      let weights = lowering.constant(HostTensor(.f32, [depth, columns], bytes: bytes), named: "w\(layer)")
      let y = try lowering.contract(
        batch: [], m: [Dim(rows)], n: [Dim(columns)], k: [Dim(depth)], accumulate: .f32,
        lhs: { builder, _, m, k in builder.load(x.id, m + k) },
        rhs: { builder, _, n, k in builder.load(weights.id, k + n) })
      lowering.output(y, named: "y\(layer)")
      values.append(y.id)
    }
    return (lowering.program, values)
  }
}
