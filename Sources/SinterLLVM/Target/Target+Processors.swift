import SinterCPU

extension Target {
  /// A processor of an architecture whose processors differ in features rather than in levels.
  struct Processor {
    /// As `--cpu` has it.
    let name: String
    /// LLVM's names of what all such processors can run, and of the one whose latencies are scheduled for.
    var instructionSet, tuning: String
    /// What kernels make use of beyond that: in the spelling of LLVM, and of /proc/cpuinfo, which libraries check.
    var features: [(llvm: String, cpuinfo: String)] = []
    let machine: Machine

    static func all(of architecture: Architecture) -> [Processor] {
      switch architecture {
      case .x86_64: []
      case .aarch64: aarch64
      case .riscv64: riscv64
      }
    }

    private static let aarch64: [Processor] = {
      func neoverse(_ name: String, _ features: [(llvm: String, cpuinfo: String)], _ operation: TileOperation)
        -> Processor
      {
        var machine = Machine.row(of: name, on: .aarch64)
        machine.tileOperations = machine.tileOperations.map { $0 == .pairedByteDot ? operation : $0 }
        return Processor(
          name: name, instructionSet: "generic", tuning: name, features: features, machine: machine)
      }
      let dots = (llvm: "dotprod", cpuinfo: "asimddp")
      let mixedDots = (llvm: "i8mm", cpuinfo: "i8mm")
      return [
        Processor(name: "generic", instructionSet: "generic", tuning: "generic", machine: .aarch64),
        neoverse("neoverse-n1", [dots], .signedByteDot),
        neoverse("neoverse-v1", [dots, mixedDots], .byteDot),
        neoverse("neoverse-v2", [dots, mixedDots], .byteDot),
      ]
    }()

    private static let riscv64 = [
      Processor(name: "generic", instructionSet: "generic-rv64", tuning: "generic-rv64", machine: .riscv64)
    ]
  }
}
