import SinterCore
import SinterKernelIR

@testable import SinterLLVM

/// The assembly of a program's kernels, as far as tests look at it: the loops of each function.
struct Assembly {
  /// The lines of each kernel's tasks.
  private var functions: [String: [Substring]] = [:]

  /// A loop that holds no other: what stands between a label and the jump back to it.
  struct Loop {
    var lines: [Substring]

    func count(_ matches: (Substring) -> Bool) -> Int { lines.filter { matches(Self.instruction($0)) }.count }
    /// Instructions that repeat an element of memory in all lanes.
    var broadcasts: Int { lines.filter { $0.contains("vbroadcasts") || $0.contains("{1to") }.count }
    /// Instructions that touch the stack, as x86-64, AArch64 and RISC-V write it: what did not fit into registers.
    var spills: [Substring] {
      lines.filter { line in ["(%rsp", "(%rbp", "[sp", "[x29", "(sp)", "(s0)"].contains { line.contains($0) } }
    }

    private static func instruction(_ line: Substring) -> Substring {
      // What is encoded as AVX has it is marked so.
      let words = line.split { $0 == "\t" || $0 == " " }
      return words.first == "{vex}" ? words[1] : words.first ?? ""
    }
  }

  init(_ program: KernelProgram, target: Target) throws {
    let texts = try KernelCompiler(target: target, threads: 2).listing(program, asAssembly: true)
    for text in texts {
      var open: (name: String, lines: [Substring])?
      for line in text.split(separator: "\n") {
        if line.hasPrefix(".Lfunc_end") {
          if let open { functions[open.name] = open.lines }
          open = nil
        } else if let name = line.split(separator: ":").first, name.hasSuffix(".tasks"), line.first != "\t" {
          open = (String(name.dropLast(6)), [])
        } else {
          open?.lines.append(line)
        }
      }
    }
  }

  /// The innermost loops of a kernel, in order.
  func innermostLoops(of id: KernelID, _ kernel: Kernel) -> [Loop] {
    let lines = functions[KernelCompiler.symbol(id, kernel)] ?? []
    var labels: [Substring: Int] = [:]
    var loops: [Range<Int>] = []
    for (number, line) in lines.enumerated() {
      if line.hasPrefix(".LBB"), let label = line.split(separator: ":").first { labels[label] = number }
      let words = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
      // x86-64 jumps and the others branch, some of them after registers and bits.
      let jumps = ["j", "b", "cb", "tb"].contains { words.first?.hasPrefix($0) ?? false }
      if jumps, let start = words.dropFirst().lazy.compactMap({ labels[$0] }).first {
        loops.append((start + 1)..<number)
      }
    }
    return loops.filter { loop in
      !loops.contains { $0 != loop && loop.contains($0.lowerBound) && $0.upperBound <= loop.upperBound }
    }
    .map { Loop(lines: Array(lines[$0])) }
  }
}
