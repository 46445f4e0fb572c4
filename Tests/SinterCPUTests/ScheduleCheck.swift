import SinterCPU
import SinterCore
import SinterForms
import SinterKernelIR
import TestSupport
import Testing

/// Holds a program's schedules for several machines against the meaning of its forms.
func checkSchedules(
  _ inputs: [(TensorType, HostTensor)], tolerance: Double = 1e-5,
  machines: [Machine] = [.x86_64_v4, .x86_64_v3, .x86_64_v2],
  sourceLocation: SourceLocation = #_sourceLocation, _ build: (inout Lowering, [Operand]) throws -> [Operand]
) throws {
  var lowering = Lowering(name: "test")
  let operands = inputs.enumerated().map { lowering.input($1.0, named: "x\($0)") }
  for (index, output) in try build(&lowering, operands).enumerated() { lowering.output(output, named: "y\(index)") }
  try checkSchedules(
    of: lowering.program, inputs.map(\.1), tolerance: tolerance, machines: machines, sourceLocation: sourceLocation)
}

/// The same for inputs whose types are those of the tensors.
func checkSchedules(
  _ inputs: HostTensor..., tolerance: Double = 1e-5, sourceLocation: SourceLocation = #_sourceLocation,
  _ build: (inout Lowering, [Operand]) throws -> [Operand]
) throws {
  try checkSchedules(inputs.map { ($0.type, $0) }, tolerance: tolerance, sourceLocation: sourceLocation, build)
}

func checkSchedules(
  of program: FormProgram, _ inputs: [HostTensor], tolerance: Double = 1e-5,
  machines: [Machine] = [.x86_64_v4, .x86_64_v3, .x86_64_v2], sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let expected = try FormInterpreter(program).run(inputs)
  for machine in machines {
    var scheduled = try Scheduler.schedule(program, for: machine)
    MemoryPlanner.plan(&scheduled)
    try KernelVerifier.verify(scheduled)
    try checkText(of: scheduled, sourceLocation: sourceLocation)
    let given = try KernelInterpreter(scheduled).run(inputs)
    for (number, (b, a)) in pairs(given, expected, machine.name, sourceLocation: sourceLocation).enumerated() {
      let shapes = inputs.map { "\($0.shape)" }.joined(separator: ", ")
      let place = "output \(number) of \(scheduled.kernels.elements.map(\.name)) for \(machine.name) at \(shapes)"
      guard a.element == b.element, a.shape == b.shape else {
        Issue.record("\(place): \(b.type) instead of \(a.type)", sourceLocation: sourceLocation)
        return
      }
      let (x, y) = (try #require(a.doubles), try #require(b.doubles))
      let wrong = x.indices.first { (i: Int) -> Bool in
        if x[i] == y[i] || (x[i].isNaN && y[i].isNaN) { return false }
        let allowed: Double = tolerance * Swift.max(1, x[i].magnitude)
        return !((x[i] - y[i]).magnitude <= allowed)
      }
      if let wrong {
        Issue.record("\(place): element \(wrong) is \(y[wrong]) instead of \(x[wrong])", sourceLocation: sourceLocation)
        return
      }
    }
  }
}

/// The text form parses back to an equal program.
func checkText(of program: KernelProgram, sourceLocation: SourceLocation) throws {
  for kernel in program.kernels.elements {
    let again = try Kernel(parsing: kernel.description)
    #expect(again == kernel, sourceLocation: sourceLocation)
  }
  var constants: [String: HostTensor] = [:]
  for buffer in program.buffers.elements {
    if case .constant(let tensor) = buffer.storage {
      constants[TensorText.hex(tensor.contentHash, digits: 16)] = tensor
    }
  }
  let text = program.description
  #expect(try KernelProgram(parsing: text) { constants[$0] }.description == text, sourceLocation: sourceLocation)
}

/// Numbers that look random, between -2 and 2, the same each time.
func noise(_ shape: [Int], seed: Int = 1) -> HostTensor {
  var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15
  let values = (0..<shape.reduce(1, *)).map { (_: Int) -> Float in
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let bits = Int(state >> 33) - (1 << 30)
    return Float(bits) / Float(1 << 29)
  }
  return .f32(shape, values)
}

/// Types with a symbol in place of the first axis.
func symbolic(_ tensor: HostTensor, _ names: [String?]) -> (TensorType, HostTensor) {
  let shape = zip(tensor.shape, names).map { size, name in name.map { Dim(symbol: $0) } ?? Dim(size) }
  return (TensorType(tensor.element, shape), tensor)
}
