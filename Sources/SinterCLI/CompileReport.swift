import Foundation
import Sinter
import SinterKernelIR
import SinterLLVM

/// What `--report` writes.
enum CompileReport {
  private struct Report: Encodable {
    struct Kernel: Encodable {
      var name: String
      var tasks: String
      var origin: [String]
      var flops: String
      var bytes: String
    }
    struct Buffer: Encodable {
      var name: String
      var type: String
      var count: String
      var storage: String
      var offset: Int?
    }
    struct Edge: Encodable {
      var producer: String
      var consumer: String
      var outcome: String
    }
    struct Stage: Encodable {
      var name: String
      var milliseconds: Double
    }
    var name: String
    var kernels: [Kernel]
    var edges: [Edge]
    var buffers: [Buffer]
    var arenaBytes: Int?
    var weightBytes: Int
    /// What a library needs besides the C library.
    var libraries: [String]
    var stages: [Stage]
  }

  static func json(_ program: KernelProgram, _ compiler: Compiler, _ made: LibraryArtifacts) throws -> String {
    var kernels: [Report.Kernel] = []
    func add(_ steps: [KernelProgram.Step]) {
      for step in steps {
        switch step {
        case .call(let call):
          kernels.append(
            .init(
              name: program.kernels[call.kernel].name, tasks: "\(call.tasks)", origin: call.origin,
              flops: "\(call.flops)", bytes: "\(call.bytes)"))
        case .invoke, .loop, .branch, .define, .require, .reserve, .grow, .output: step.parts.forEach(add)
        }
      }
    }
    add(program.steps)
    let report = Report(
      name: program.name, kernels: kernels,
      edges: compiler.fusion.edges.map { edge in
        let outcome =
          switch edge.outcome {
          case .inlined: "inlined"
          case .epilogue: "epilogue"
          case .rows: "same rows"
          case .stored(let refusal): "stored: \(refusal.rawValue)"
          }
        return .init(producer: "\(edge.producer)", consumer: "\(edge.consumer)", outcome: outcome)
      },
      buffers: program.buffers.elements.map { buffer in
        let storage =
          switch buffer.storage {
          case .input(let port): "input \(port)"
          case .output(let port): "output \(port)"
          case .constant: "constant"
          case .arena: "arena"
          case .dynamic: "dynamic"
          }
        return .init(
          name: buffer.name, type: "\(buffer.element)", count: "\(buffer.count)", storage: storage,
          offset: buffer.offset)
      },
      arenaBytes: program.arenaBytes, weightBytes: made.weightBytes,
      libraries: program.usesImages ? RuntimeObject.imageLibraries.map { "lib\($0)" } : [],
      stages: compiler.stages.map { .init(name: $0.name, milliseconds: $0.milliseconds) })
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return String(decoding: try encoder.encode(report), as: UTF8.self)
  }
}
