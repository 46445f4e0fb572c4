import ArgumentParser
import Foundation
import Sinter
import SinterCPU
import SinterLLVM

/// `sinter tune-machine`: this processor's row of the table of machines.
struct TuneMachineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tune-machine",
    abstract: "Measure this processor once, for compile --machine.",
    discussion: """
      Example: sinter tune-machine -o here.json; sinter compile model.onnx -o libmodel.so --machine here.json

      Measures, on one thread, the bandwidth of caches and memory during arithmetic and the speed of register tiles; all other numbers \
      are taken from the table's row. Run it while nothing else is running. sinter inspect --machine shows the row used without a file.
      """)

  @Option(
    name: [.customShort("o"), .customLong("output"), .customLong("json")],
    help: "The file to write, in JSON; - for standard output, in place of the table.", completion: .file())
  var output: String

  @OptionGroup var talk: TalkOptions

  func run() throws {
    try OutputFile.requireWritable(output)
    let target = Target.host
    var machine = target.machine
    machine.name += " measured"
    let memory = try MachinePeaks.measure(threads: 1, target: target)
    let cache = try MachinePeaks.measure(threads: 1, target: target, reading: .level3(machine))
    let flops = max(memory.flopsPerSecond, cache.flopsPerSecond)
    // Cycles are counted in multiply-adds, whatever the clock is.
    let cycles = flops / Double(2 * machine.lanes(.f32) * machine.multiplyAddsPerCycle)
    Terminal.progress(
      String(
        format: "%.0f GFLOP/s of f32, %.1f GB/s from the last-level cache, %.1f from memory", flops / 1e9,
        cache.bytesPerSecond / 1e9, memory.bytesPerSecond / 1e9))
    machine.memoryBytesPerCycle = memory.bytesPerSecond / cycles
    machine.level3BytesPerCycle = max(cache.bytesPerSecond, memory.bytesPerSecond) / cycles
    machine.tileRates = try MachineTuner.tileRates(target) { tile, speed in
      Terminal.progress(String(format: "tile %dx%d: %.0f GFLOP/s", tile.rows, tile.vectors, speed / 1e9))
    }
    try OutputFile.write(try MachineFile.text(of: machine), to: output)
    if output != "-" { StandardOutput.print(MachineFile.table(of: machine), terminator: "") }
  }
}
