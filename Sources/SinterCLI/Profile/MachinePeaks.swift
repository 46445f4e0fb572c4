import Foundation
import Sinter
import SinterCPU
import SinterCore
import SinterKernelIR
import SinterLLVM
import SinterModel

/// What this machine can do at most, measured with two kernels that the same back end compiles as those of models.
struct MachinePeaks {
  var threads: Int
  /// Of f32: a multiply-add counts twice.
  var flopsPerSecond: Double
  /// Read from memory, far more than caches hold, or from what was asked for.
  var bytesPerSecond: Double

  /// What is read: so many bytes, part after part, each in one launch.
  struct Reading {
    var bytes: Int, part: Int
    /// Far more than caches hold.
    static let memory = Reading(bytes: 192 << 20, part: 24 << 20)
    /// Again and again what the second-level cache does not hold, and the last one does.
    static func level3(_ machine: Machine) -> Reading {
      let megabyte = 1 << 20
      let bytes = min(max(4 * machine.level2, 4 * megabyte), max(machine.level3, 4 * megabyte)) / megabyte * megabyte
      return Reading(bytes: bytes, part: bytes)
    }
  }

  private static let tasks = 32
  /// Turns of the arithmetic loop in one task.
  private static let iterations = 2500
  /// Each launch takes about a millisecond or less, so that many of them run undisturbed on a busy machine; the best counts.
  private static let attempts = 24

  /// On so many threads; 0 for all.
  static func measure(threads: Int, target: Target = .host, reading: Reading = .memory) throws -> MachinePeaks {
    let program = program(for: target.machine, reading)
    return try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      Result { try measure(program, target, threads: threads, reading, in: folder) }
    }.get()
  }

  private static func measure(
    _ program: KernelProgram, _ target: Target, threads: Int, _ reading: Reading, in folder: String
  ) throws -> Self {
    let options = LibraryOptions(target: target, writesHeaders: false, profiles: true)
    _ = try LibraryCompiler.compile(program, to: "\(folder)/peaks.so", options: options)
    let session = try CompiledLibrary("\(folder)/peaks.so").session(threads: threads)
    let count = reading.bytes / 4
    let memory = HostTensor(.f32, [count], bytes: TensorBytes(count: count * 4) { _ in })
    let repeated = try session.repeating([memory])
    var best = MachinePeaks(
      threads: threads > 0 ? threads : ProcessInfo.processInfo.activeProcessorCount, flopsPerSecond: 0,
      bytesPerSecond: 0)
    for _ in 0..<attempts {
      try repeated.run()
      for launch in try session.launches() {
        if let flops = launch.flops { best.flopsPerSecond = max(best.flopsPerSecond, Double(flops) / launch.seconds) }
        if let bytes = launch.bytes { best.bytesPerSecond = max(best.bytesPerSecond, Double(bytes) / launch.seconds) }
      }
    }
    return best
  }

  private static func program(for machine: Machine, _ read: Reading) -> KernelProgram {
    let lanes = machine.lanes(.f32)
    let count = read.bytes / 4
    var program = KernelProgram(name: "peaks")
    program.inputs = [.init(name: "memory", type: TensorType(.f32, [Dim(count)]))]
    program.outputs = [.init(name: "results", type: TensorType(.f32, [2, Dim(tasks * lanes)]))]
    let memory = program.buffers.append(.init(name: "memory", element: .f32, count: Dim(count), storage: .input(0)))
    let results = program.buffers.append(
      .init(name: "results", element: .f32, count: Dim(2 * tasks * lanes), storage: .output(0)))
    let (arithmetic, flops) = arithmetic(machine)
    let first = program.kernels.append(arithmetic)
    let elements = read.part / 4
    let second = program.kernels.append(reading(lanes, elements: elements / tasks))
    for offset in stride(from: 0, to: count, by: elements) {
      program.steps.append(
        .call(
          .init(
            kernel: first, buffers: [.init(results)], sizes: [], tasks: Dim(tasks), grain: 1, flops: Dim(flops * tasks))
        ))
      program.steps.append(
        .call(
          .init(
            kernel: second, buffers: [.init(memory, offset: Dim(offset)), .init(results, offset: Dim(tasks * lanes))],
            sizes: [], tasks: Dim(tasks), grain: 1, bytes: Dim(elements * 4))))
    }
    MemoryPlanner.plan(&program)
    return program
  }

  /// As many independent chains of multiply-adds as fit into registers, and the operations of one task.
  private static func arithmetic(_ machine: Machine) -> (Kernel, flops: Int) {
    let lanes = machine.lanes(.f32)
    let kernel = KernelBuilder(name: "peak_arithmetic_f32", fusesMultiplyAdd: machine.hasMultiplyAdd)
    let results = kernel.parameter("results", .f32, .write)
    let chains = machine.vectorRegisters * 3 / 4
    let (factor, summand) = (kernel.float(0.5, lanes: lanes), kernel.float(1, lanes: lanes))
    let sums = kernel.loop(
      "iteration", from: kernel.index(0), to: kernel.index(iterations),
      carrying: (0..<chains).map { kernel.float(Double($0), lanes: lanes) }
    ) { _, current in
      current.map { kernel.multiplyAdd($0, factor, summand) }
    }
    store(sums, kernel, results, lanes)
    return (kernel.finish(), 2 * lanes * chains * iterations)
  }

  /// Adds up `elements` of memory a task, in several chains.
  private static func reading(_ lanes: Int, elements: Int) -> Kernel {
    let kernel = KernelBuilder(name: "peak_reading_f32")
    let (memory, results) = (kernel.parameter("memory", .f32, .read), kernel.parameter("results", .f32, .write))
    let chains = 8
    let start = kernel.multiply(kernel.task, elements)
    let sums = kernel.loop(
      "element", from: start, to: kernel.add(start, elements), step: chains * lanes,
      carrying: [Register](repeating: kernel.float(0, lanes: lanes), count: chains)
    ) { index, current in
      current.enumerated().map { chain, sum in
        kernel.add(sum, kernel.load(memory, at: kernel.add(index, chain * lanes), lanes: lanes))
      }
    }
    store(sums, kernel, results, lanes)
    return kernel.finish()
  }

  private static func store(_ sums: [Register], _ kernel: KernelBuilder, _ results: Memory, _ lanes: Int) {
    let sum = sums.dropFirst().reduce(sums[0]) { kernel.add($0, $1) }
    kernel.store(sum, results, at: kernel.multiply(kernel.task, lanes))
  }
}
