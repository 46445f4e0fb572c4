import SinterCore
import SinterForms
import SinterKernelIR
import SinterLLVM
import SinterModel

/// The first step of a fused program whose compiled code computes something else than its forms, though what it reads is right.
package struct KernelCulprit: Sendable {
  package enum Stage: String, Sendable {
    case schedule = "its kernels, interpreted, compute something else than its forms: the schedule is to blame"
    case machineCode = "its kernels, interpreted, compute what its forms do: their machine code is to blame"
    case surroundings = "compiled alone, it computes what its forms do: what stands around it is to blame"
  }

  /// The step as the text form has it.
  package var step: String
  /// Where it comes from: layer paths, node names, source lines.
  package var origins: [String]
  /// The names of its kernels.
  package var kernels: [String]
  package var stage: Stage
  /// The value that differs, and by how much.
  package var value: String
  package var difference: TensorDifference

  /// A library of a fused program, and how it is run.
  package struct Compiled {
    package let kernels: KernelProgram
    private let backEnd: any BackEnd

    fileprivate init(_ program: FormProgram, by backEnd: any BackEnd) throws {
      var compiler = Compiler()
      compiler.backEnd = backEnd
      kernels = try compiler.schedule(program)
      self.backEnd = backEnd
    }

    /// The outputs, by a library that is made for it.
    package func run(_ inputs: [HostTensor]) throws -> [HostTensor] {
      var options = LibraryOptions()
      options.writesHeaders = false
      return try TemporaryLibrary.with { path in
        _ = try backEnd.emit(kernels, to: path, options: options)
        return try CompiledLibrary(path).session(threads: 1).run(inputs)
      }
    }
  }

  package static func compiled(_ program: FormProgram, by backEnd: any BackEnd) throws -> Compiled {
    try Compiled(program, by: backEnd)
  }

  /// Compiles the program with all values that it stores as outputs. Nil where none of them differs from what the forms compute.
  package init?(
    in program: FormProgram, by backEnd: any BackEnd, inputs: [HostTensor], tolerance: Double? = nil
  ) throws {
    var open = program
    let ports = Set(program.outputs.map(\.value))
    for value in program.steps.flatMap(\.results) where !ports.contains(value) {
      open.outputs.append(.init(value: value, name: "value \(value)"))
    }
    let expected = try FormInterpreter(open).run(inputs)
    let library = try Self.compiled(open, by: backEnd)
    let found = try library.run(inputs)
    var known: [FormValueID: HostTensor] = [:]
    var differences: [FormValueID: TensorDifference] = [:]
    for (index, output) in open.outputs.enumerated() {
      known[output.value] = expected[index]
      let difference = TensorDifference(expected[index], found[index])
      if difference.exceeds(tolerance ?? TensorDifference.tolerance(of: expected[index].element)) {
        differences[output.value] = difference
      }
    }
    for (input, tensor) in zip(program.inputs, inputs) { known[input.value] = tensor }
    for step in program.steps {
      guard let value = step.results.first(where: { differences[$0] != nil }), let difference = differences[value]
      else { continue }
      let name = program.values[value].name
      self.step = program.text(of: step)
      origins = step.definitions.flatMap { program.values[$0].origin }
      self.value = name.isEmpty ? "\(value)" : name
      self.difference = difference
      (kernels, stage) = (Self.writers(of: step.results, open, library.kernels), .surroundings)
      try? explain(alone: step, of: program, known, by: backEnd, tolerance)
      return
    }
    return nil
  }

  /// Compiles the step alone, on the right operands, and its kernels' interpreter beside it.
  ///
  /// - Throws: where it cannot stand alone, since no operand tells one of its sizes.
  private mutating func explain(
    alone step: FormProgram.Step, of program: FormProgram, _ known: [FormValueID: HostTensor],
    by backEnd: any BackEnd, _ tolerance: Double?
  ) throws {
    var alone = program
    alone.steps = [step]
    let operands = step.operands.filter { known[$0] != nil && program.values[$0].constant == nil }
    alone.inputs = operands.map { .init(value: $0, name: "value \($0)") }
    alone.outputs = step.results.map { .init(value: $0, name: "value \($0)") }
    let inputs = operands.compactMap { known[$0] }
    let expected = try FormInterpreter(alone).run(inputs)
    func differs(_ results: [HostTensor]) -> Bool {
      zip(expected, results).contains {
        TensorDifference($0, $1).exceeds(tolerance ?? TensorDifference.tolerance(of: $0.element))
      }
    }
    let library = try Self.compiled(alone, by: backEnd)
    guard differs(try library.run(inputs)) else { return }
    kernels = Self.unique(library.kernels.steps.flatMap(\.calls).map { library.kernels.kernels[$0.kernel].name })
    // An access that the interpreter refuses is a mistake of the schedule as well.
    let interpreted = try? KernelInterpreter(library.kernels).run(inputs)
    stage = interpreted.map { differs($0) } ?? true ? .schedule : .machineCode
  }

  /// The names of kernels that write into outputs.
  private static func writers(of values: [FormValueID], _ program: FormProgram, _ kernels: KernelProgram) -> [String] {
    let numbers = Set(program.outputs.indices.filter { values.contains(program.outputs[$0].value) })
    let names = kernels.steps.flatMap(\.calls).compactMap { call -> String? in
      let kernel = kernels.kernels[call.kernel]
      let writes = zip(kernel.parameters, call.buffers).contains { parameter, argument in
        guard parameter.access != .read, case .output(let number) = kernels.buffers[argument.buffer].storage else {
          return false
        }
        return numbers.contains(number)
      }
      return writes ? kernel.name : nil
    }
    return unique(names)
  }

  private static func unique(_ names: [String]) -> [String] {
    var seen: Set<String> = []
    return names.filter { seen.insert($0).inserted }
  }
}

extension KernelCulprit: CustomStringConvertible {
  /// The value, its kernels and what is to blame, then the step: forty lines at most.
  package var description: String {
    var lines = ["first value that differs: \(value): \(difference)"]
    if !kernels.isEmpty { lines.append("computed by \(kernels.joined(separator: ", "))") }
    lines.append(stage.rawValue)
    for origin in Self.unique(origins).prefix(12) { lines.append("  \(origin)") }
    return (lines + step.split(separator: "\n").prefix(40).map { "  \($0)" }).joined(separator: "\n")
  }
}
