import SinterCore
import SinterForms
import SinterCPU
import TestSupport
import Testing

@testable import SinterLLVM

/// Holds compiled programs against the interpreter of forms.
enum CompiledProgram {
  /// Inputs with values that follow from a seed: floats in -1 ..< 1, integers in 0 ..< 4.
  static func inputs(of program: FormProgram, sizes: [Symbol: Int], seed: UInt64 = 1) -> [HostTensor] {
    var generator = Generator(state: seed)
    return program.inputs.map { input in
      let type = program.values[input.value].type
      let shape = type.shape.map { $0.evaluated { sizes[$0] } ?? 0 }
      return random(type.element, shape, &generator)
    }
  }

  static func random(_ element: ElementType, _ shape: [Int], _ generator: inout Generator) -> HostTensor {
    let count = shape.reduce(1, *)
    if element == .i64 { return .i64(shape, (0..<count).map { _ in Int(generator.next() % 4) }) }
    if element == .f16 || element == .bf16 {
      return HostTensor(element, shape, doubles: (0..<count).map { _ in Double(generator.float()) })
    }
    return .f32(shape, (0..<count).map { _ in generator.float() })
  }

  /// The largest difference between compiled and interpreted results, relative to the largest magnitude.
  ///
  /// - Parameter machine: what kernels are written for; nil: AVX-512, or the target's own row where that lacks masks, as libraries have it. On AVX2
  ///   LLVM 19 splits a masked load of 16 floats in two, and loads all of a half that the mask leaves out.
  static func error(
    _ program: FormProgram, sizes: [Symbol: Int] = [:], machine: Machine? = nil, target: Target = .host,
    options: ScheduleOptions = ScheduleOptions()
  ) throws -> Double {
    let machine = machine ?? (target.machine.hasMasks ? .x86_64_v4 : target.machine)
    let inputs = inputs(of: program, sizes: sizes)
    let expected = try FormInterpreter(program).run(inputs, symbols: sizes)
    let kernels = try Scheduler.schedule(program, for: machine, options: options)
    let computed = try KernelRunner(kernels, target: target).run(inputs)
    var worst = 0.0
    for (b, a) in pairs(computed, expected) {
      #expect(a.element == b.element && a.shape == b.shape)
      if a.element != .f32 {
        #expect(a.array(of: UInt8.self) == b.array(of: UInt8.self))
        continue
      }
      let (x, y) = (a.array(of: Float.self), b.array(of: Float.self))
      let scale = Swift.max(x.reduce(0) { Swift.max($0, abs($1)) }, 1e-30)
      for (q, p) in pairs(y, x) { worst = Swift.max(worst, (p - q).isFinite ? Double(abs(p - q) / scale) : .infinity) }
    }
    return worst
  }
}

/// SplitMix64.
struct Generator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func float() -> Float { Float(Int64(bitPattern: next()) >> 40) / Float(1 << 23) }
}
