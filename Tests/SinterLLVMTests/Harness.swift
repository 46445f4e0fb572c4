import SinterCore
import SinterKernelIR
import SinterLLVM

/// One kernel as a program: inputs in order, one output, one call.
func program(
  inputs: [HostTensor], output: ElementType, count: Int, tasks: Int = 1, sizes: [Int] = [], errors: [String] = [],
  _ write: (KernelBuilder, [Memory], Memory) -> Void
) -> KernelProgram {
  let builder = KernelBuilder(name: "test")
  let memories = inputs.indices.map { builder.parameter("x\($0)", inputs[$0].element, .read) }
  let result = builder.parameter("y", output, .readWrite)
  write(builder, memories, result)
  var program = KernelProgram(name: "test")
  program.errors = errors
  var arguments: [KernelProgram.Call.Argument] = []
  for (index, tensor) in inputs.enumerated() {
    program.inputs.append(.init(name: "x\(index)", type: tensor.type))
    let buffer = KernelProgram.Buffer(
      name: "x\(index)", element: tensor.element, count: Dim(tensor.count), storage: .input(index))
    arguments.append(.init(program.buffers.append(buffer)))
  }
  program.outputs = [.init(name: "y", type: TensorType(output, [Dim(count)]))]
  arguments.append(
    .init(program.buffers.append(.init(name: "y", element: output, count: Dim(count), storage: .output(0)))))
  let kernel = program.kernels.append(builder.finish())
  program.steps = [
    .call(.init(kernel: kernel, buffers: arguments, sizes: sizes.map { Dim($0) }, tasks: Dim(tasks), grain: 1))
  ]
  return program
}

/// Runs one kernel and gives its output.
func run(
  _ inputs: [HostTensor], to output: ElementType, count: Int, tasks: Int = 1, sizes: [Int] = [],
  errors: [String] = [], target: Target = .host, _ write: (KernelBuilder, [Memory], Memory) -> Void
) throws -> HostTensor {
  let program = program(
    inputs: inputs, output: output, count: count, tasks: tasks, sizes: sizes, errors: errors, write)
  return try KernelRunner(program, target: target).run(inputs)[0]
}

/// Targets that this processor can run, from the oldest on.
let runnableTargets: [Target] = {
  let host = Target.host
  let named = ["x86-64-v2", "x86-64-v3", "x86-64-v4"].compactMap { Target(named: $0) }
  return named.filter { Set($0.requiredFeatures).isSubset(of: host.requiredFeatures) } + [host]
}()
