import SinterCore
import SinterKernelIR
import Testing

@testable import SinterCPU
@testable import SinterLLVM

/// One kernel that a schedule's own code writes, on inputs of its own.
struct MicroKernel {
  var kernel: Kernel
  var inputs: [HostTensor]
  var output: ElementType
  var count: Int

  /// - Parameter write: gets a scope, the inputs and the output.
  init(
    named name: String, for machine: Machine, _ inputs: [HostTensor], to output: ElementType, count: Int,
    write: (KernelScope, [Memory], Memory) -> Void
  ) {
    let scope = KernelScope(name: name, machine: machine, values: EntityMap(), places: [:])
    let memories = inputs.enumerated().map { scope.builder.parameter("x\($0)", $1.element, .read) }
    write(scope, memories, scope.builder.parameter("y", output, .write))
    (kernel, self.inputs, self.output, self.count) = (scope.builder.finish(), inputs, output, count)
  }
}

/// Kernels side by side: one program, compiled once.
struct MicroKernels {
  private(set) var program = KernelProgram(name: "micro")
  private var inputs: [HostTensor] = []

  init(_ kernels: [MicroKernel]) {
    for item in kernels {
      var buffers: [BufferID] = []
      for tensor in item.inputs {
        let number = program.inputs.count
        program.inputs.append(.init(name: "x\(number)", type: tensor.type))
        inputs.append(tensor)
        buffers.append(
          program.buffers.append(
            .init(name: "x\(number)", element: tensor.element, count: Dim(tensor.count), storage: .input(number))))
      }
      let number = program.outputs.count
      program.outputs.append(.init(name: "y\(number)", type: TensorType(item.output, [Dim(item.count)])))
      buffers.append(
        program.buffers.append(
          .init(name: "y\(number)", element: item.output, count: Dim(item.count), storage: .output(number))))
      let kernel = program.kernels.append(item.kernel)
      program.steps.append(
        .call(.init(kernel: kernel, buffers: buffers.map { .init($0) }, sizes: [], tasks: 1, grain: 1)))
    }
  }

  func run(on target: Target) throws -> [HostTensor] {
    try KernelRunner(program, target: target, threads: 2).run(inputs)
  }

  /// The innermost loops of each kernel that hold what is counted.
  func loops(on target: Target, with matches: (Substring) -> Bool) throws -> [[Assembly.Loop]] {
    let assembly = try Assembly(program, target: target)
    return program.kernels.indices.map { id in
      assembly.innermostLoops(of: id, program.kernels[id]).filter { $0.count(matches) > 0 }
    }
  }
}

/// Processors to compile for: each row of the table, and each instruction set.
enum Processors {
  static let all = Machine.processors + ["x86-64-v4", "x86-64-v3", "x86-64-v2", "alderlake"]
  /// Those of other architectures, behind their triples.
  static let foreign =
    Target.names(of: .aarch64).map { "aarch64-linux-gnu " + $0 }
    + Target.names(of: .riscv64).map { "riscv64-linux-gnu " + $0 }

  static func target(_ name: String) throws -> Target {
    let words = name.split(separator: " ").map(String.init)
    return words.count == 1 ? try Target.named(name) : try Target.named(words[1], for: words[0])
  }

  /// Those that this machine can stand in for, one of each set of instructions.
  static let runnable: [String] = {
    let host = Set(Target.host.requiredFeatures)
    var seen: Set<[String]> = []
    return all.filter {
      guard let features = Target(named: $0)?.requiredFeatures else { return false }
      return Set(features).isSubset(of: host) && seen.insert(features).inserted
    }
  }()
}

/// The instructions of one multiply-add of whole vectors; where there are none, of its lanes.
struct MultiplyAddCode {
  /// The ends of their names, for x86-64 as AT&T's assembly has them; what begins with `vfmadd` has its operands' order in between.
  private let names: [String]
  /// How many of them a multiply-add takes.
  let each: Int

  init(_ operation: TileOperation, on target: Target) {
    if target.architecture == .aarch64 {
      switch operation {
      case .byteDot: (names, each) = (["usdot"], 1)
      case .signedByteDot: (names, each) = (["sdot"], 1)
      case .pairedByteDot: (names, each) = (["sadalp"], 2)
      default: (names, each) = (operation.accumulator.isFloat ? ["fmla"] : ["mla"], 1)
      }
      return
    }
    if target.architecture == .riscv64 {
      let type = operation.accumulator
      (names, each) = ([type == .i32 ? "mulw" : type == .f32 ? "fmadd.s" : "fmadd.d"], target.machine.lanes(type))
      return
    }
    switch operation {
    case .byteDot: (names, each) = (["vpdpbusd"], 1)
    case .widenedByteDot: (names, each) = (["pmaddwd"], 2)
    case .shortPairDot: (names, each) = (["pmaddwd"], 1)
    case .pairDot: (names, each) = (["vdpbf16ps"], 1)
    case .multiplyAdd(.i32): (names, each) = (["pmulld"], 1)
    default:
      let suffix = operation.accumulator == .f64 ? "pd" : "ps"
      let fused = ["132", "213", "231"].map { "vfmadd" + $0 + suffix }
      (names, each) = (target.hasMultiplyAdd ? fused : ["mul" + suffix], operation == .widenedPairDot ? 2 : 1)
    }
  }

  func matches(_ instruction: Substring) -> Bool {
    names.contains { name in instruction == name || (name.count > 3 && instruction.hasSuffix(name)) }
  }

  /// Of loops that multiply and add, there is one, with so many multiply-adds, and it leaves the stack alone.
  ///
  /// - Parameter spills: instructions that may use the stack all the same.
  func check(
    _ loops: [Assembly.Loop], count: Int, spills: Int = 0, _ place: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let counted = loops.map { $0.count(matches) }
    if counted != [count * each] {
      Issue.record("\(place): \(counted) instructions instead of [\(count * each)]", sourceLocation: sourceLocation)
    }
    let found = loops.flatMap(\.spills)
    if found.count > spills {
      Issue.record(
        "\(place): \(found.count) instructions use the stack, of \(counted):\(found[0])", sourceLocation: sourceLocation
      )
    }
  }
}
