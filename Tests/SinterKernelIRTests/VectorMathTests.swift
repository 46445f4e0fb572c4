import Glibc
import SinterCore
import SinterForms
import SinterKernelIR
import TestSupport
import Testing

@Suite("Polynomials of transcendental functions")
struct VectorMathTests {
  /// A function, its true values, the arguments to try, and the largest error allowed in ULP.
  struct Case: Sendable, CustomTestStringConvertible {
    var function: UnaryFunction
    var exact: @Sendable (Double) -> Double
    var range: ClosedRange<Double>
    var limit: Double
    var testDescription: String { function.rawValue }
  }

  static let cases: [Case] = [
    Case(function: .exp, exact: { exp($0) }, range: -104...89, limit: 1.2),
    Case(function: .log, exact: { log($0) }, range: 1e-3...20, limit: 1),
    Case(function: .tanh, exact: { tanh($0) }, range: -10...10, limit: 4),
    Case(function: .erf, exact: { erf($0) }, range: -5...5, limit: 2),
    Case(function: .sin, exact: { sin($0) }, range: -1e4...1e4, limit: 2),
    Case(function: .cos, exact: { cos($0) }, range: -1e4...1e4, limit: 2),
    Case(function: .tan, exact: { tan($0) }, range: -1e4...1e4, limit: 3),
    Case(function: .asin, exact: { asin($0) }, range: -1...1, limit: 3),
    Case(function: .acos, exact: { acos($0) }, range: -1...1, limit: 2),
    Case(function: .atan, exact: { atan($0) }, range: -30...30, limit: 3),
    Case(function: .sinh, exact: { sinh($0) }, range: -89...89, limit: 3),
    Case(function: .cosh, exact: { cosh($0) }, range: -89...89, limit: 2),
    Case(function: .asinh, exact: { asinh($0) }, range: -3000...3000, limit: 3),
    Case(function: .acosh, exact: { acosh($0) }, range: 1...3000, limit: 3),
    Case(function: .atanh, exact: { atanh($0) }, range: -1...1, limit: 3),
  ]

  static func ulps(_ value: Float, _ exact: Double) -> Double {
    let rounded = Float(exact)
    if value == rounded || (value.isNaN && rounded.isNaN) { return 0 }
    if !value.isFinite || !rounded.isFinite { return .infinity }
    return (Double(value) - exact).magnitude / Double(rounded.ulp)
  }

  static func run(_ inputs: [[Float]], fuses: Bool, _ build: (KernelBuilder, [Register]) -> Register) throws -> [Float]
  {
    let lanes = 16
    let count = inputs[0].count / lanes * lanes
    let builder = KernelBuilder(name: "math", fusesMultiplyAdd: fuses)
    let sources = inputs.map { _ in builder.parameter("x", .f32, .read) }
    let target = builder.parameter("y", .f32, .write)
    builder.loop("i", from: builder.index(0), to: builder.index(count), step: lanes) { index in
      let loaded = sources.map { builder.load($0, at: index, lanes: lanes) }
      builder.store(build(builder, loaded), target, at: index)
    }
    let kernel = builder.finish()
    #expect(KernelVerifier.problems(in: kernel) == [])
    var program = KernelProgram(name: "math")
    var arguments: [KernelProgram.Call.Argument] = []
    for (number, _) in inputs.enumerated() {
      program.inputs.append(.init(name: "x\(number)", type: TensorType(.f32, [Dim(count)])))
      arguments.append(
        .init(program.buffers.append(.init(name: "x", element: .f32, count: Dim(count), storage: .input(number)))))
    }
    program.outputs.append(.init(name: "y", type: TensorType(.f32, [Dim(count)])))
    arguments.append(
      .init(program.buffers.append(.init(name: "y", element: .f32, count: Dim(count), storage: .output(0)))))
    let id = program.kernels.append(kernel)
    program.steps = [.call(.init(kernel: id, buffers: arguments, sizes: [], tasks: 1, grain: 1))]
    let tensors = inputs.map { HostTensor.f32([count], Array($0.prefix(count))) }
    return try KernelInterpreter(program).run(tensors)[0].array()
  }

  /// Weights beside one of one: exact where a sum shows them, zero where none does, never below the normal numbers.
  @Test(arguments: [true, false]) func weightsAreNormalOrZero(fuses: Bool) throws {
    let values =
      (0..<4096).map { -110 + 110 * Float($0) / 4095 } + [-.infinity, -100, -80, 0]
      + [Float](repeating: .nan, count: 12)
    let weights = try Self.run([values], fuses: fuses) { builder, x in builder.math(.weight, x[0]) }
    for (x, weight) in zip(values, weights) {
      if x.isNaN {
        #expect(weight.isNaN)
      } else if x < -80 {
        #expect(weight == 0, "\(x) has the weight \(weight)")
      } else {
        #expect(weight.isNormal && Self.ulps(weight, exp(Double(x))) <= 1.2, "\(x) has the weight \(weight)")
      }
    }
  }

  @Test(arguments: cases, [true, false]) func error(of item: Case, fuses: Bool) throws {
    let count = 8192
    var values: [Float] = (0..<count).map { (n: Int) -> Float in
      let part = Double(n) / Double(count - 1)
      return Float(item.range.lowerBound + (item.range.upperBound - item.range.lowerBound) * part)
    }
    // Magnitudes from tiny to the range's end, of both signs where it has them.
    values += (0..<2048).map { (n: Int) -> Float in
      let magnitude = exp2(-30 + 31 * Double(n) / 2047) * item.range.upperBound / 2
      let value = Float(n % 2 == 1 && item.range.lowerBound < 0 ? -magnitude : magnitude)
      return Swift.min(Swift.max(value, Float(item.range.lowerBound)), Float(item.range.upperBound))
    }
    let special: [Float] = [
      0, -0.0, 1, -1, .infinity, -.infinity, .nan, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
      .leastNormalMagnitude, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, 1e-20, -1e-20, 1e20, 0.5,
    ]
    values += special
    let results = try Self.run([values], fuses: fuses) { $0.math(item.function, $1[0]) }
    var worst = (error: 0.0, at: Float(0))
    for (y, x) in pairs(results, values) {
      let error = Self.ulps(y, item.exact(Double(x)))
      if error > worst.error { worst = (error, x) }
    }
    let limit = fuses ? item.limit : item.limit + 1
    #expect(worst.error <= limit, "\(item.function.rawValue)(\(worst.at)) is off by \(worst.error) ULP")
  }

  @Test func powers() throws {
    let bases: [Float] = [0, -0.0, 1, -1, 2, -2, 0.5, 3.7, -3, 1e-30, 1e30, .infinity, -.infinity, .nan, 0.999, 1.001]
    let exponents: [Float] = [0, 1, -1, 2, 3, -3, 0.5, 0.25, 7.5, 100, -100, .infinity, -.infinity, .nan, 1e10, 33]
    var a: [Float] = []
    var b: [Float] = []
    for base in bases { for exponent in exponents { a.append(base); b.append(exponent) } }
    for n in 0..<4096 {
      a.append(Float(n % 64 + 1) * 0.13)
      b.append(Float(n / 64 - 32) * 0.71)
    }
    let results = try Self.run([a, b], fuses: true) { $0.math(.power, $1[0], $1[1]) }
    for (n, y) in results.enumerated() {
      let error = Self.ulps(y, pow(Double(a[n]), Double(b[n])))
      #expect(error <= 1, "\(a[n]) to the power \(b[n]) is \(y), off by \(error) ULP")
    }
  }
}
