import Glibc
import SinterCore
import SinterForms
import SinterKernelIR
import SinterLLVM
import Testing

/// Every statement of a kernel against expected values, on each instruction set that this processor has.
@Suite struct StatementTests {
  private func f32(_ values: [Float]) -> HostTensor { HostTensor.f32([values.count], values) }

  /// `write` makes one vector of `lanes` from vectors of the inputs.
  private func lanewise<T: BitwiseCopyable>(
    _ inputs: [HostTensor], to output: ElementType, lanes: Int, target: Target,
    _ write: (KernelBuilder, [Register]) -> Register
  ) throws -> [T] {
    try run(inputs, to: output, count: inputs[0].count, target: target) { b, x, y in
      b.loop("i", from: b.index(0), to: b.index(inputs[0].count / lanes * lanes), step: lanes) { i in
        b.store(write(b, x.map { b.load($0, at: i, lanes: lanes) }), y, at: i)
      }
      b.loop("rest", from: b.index(inputs[0].count / lanes * lanes), to: b.index(inputs[0].count)) { i in
        b.store(write(b, x.map { b.load($0, at: i) }), y, at: i)
      }
    }.array(of: T.self)
  }

  @Test(arguments: runnableTargets, [1, 4, 16])
  func floatArithmetic(target: Target, lanes: Int) throws {
    let a: [Float] = [1.5, -2, 0, .nan, .infinity, 3, -7.5, 1e30, 2, 5, -5, 0.5, 9, 8, 7, 6, 5.5, -0.0]
    let b: [Float] = [2, 3, 4, 1, 2, .nan, 2, -1e30, 2, -3, 3, 0.25, -4, 8, 2, 1, 2, 1]
    let cases: [(BinaryFunction, (Float, Float) -> Float)] = [
      (.add, { $0 + $1 }), (.subtract, { $0 - $1 }), (.multiply, { $0 * $1 }), (.divide, { $0 / $1 }),
      (.minimum, { $0.isNaN || $1.isNaN ? .nan : min($0, $1) }),
      (.maximum, { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }),
      (.remainder, { fmodf($0, $1) }), (.floorDivide, { ($0 / $1).rounded(.down) }),
      (
        .modulo,
        { x, y in
          let rest = fmodf(x, y)
          return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest
        }
      ),
      (.power, { powf($0, $1) }), (.arcTangent2, { atan2f($0, $1) }),
    ]
    for (function, expected) in cases {
      let result: [Float] = try lanewise([f32(a), f32(b)], to: .f32, lanes: lanes, target: target) {
        $0.binary(function, $1[0], $1[1])
      }
      for index in a.indices {
        let value = expected(a[index], b[index])
        #expect(
          result[index] == value || (result[index].isNaN && value.isNaN), "\(function) \(a[index]) \(b[index])")
      }
    }
    let fused: [Float] = try lanewise([f32(a), f32(b)], to: .f32, lanes: lanes, target: target) {
      $0.multiplyAdd($1[0], $1[1], $1[0])
    }
    #expect(fused[0] == 4.5)
    let bounded: [Float] = try lanewise([f32(a)], to: .f32, lanes: lanes, target: target) {
      $0.binary(.maximum, $1[0], $0.float(0, lanes: $0.type($1[0]).lanes))
    }
    for index in a.indices { #expect(a[index].isNaN ? bounded[index].isNaN : bounded[index] == max(a[index], 0)) }
  }

  @Test(arguments: runnableTargets, [1, 8])
  func floatFunctions(target: Target, lanes: Int) throws {
    let a: [Float] = [0.5, -0.25, 0, 0.75, 2.5, -3.5, 100.25, -1.5, 0.125, 1]
    let cases: [(UnaryFunction, (Float) -> Float)] = [
      (.negate, { -$0 }), (.abs, { abs($0) }), (.exp, expf), (.log, logf), (.sqrt, sqrtf), (.sin, sinf), (.cos, cosf),
      (.tan, tanf), (.asin, asinf), (.acos, acosf), (.atan, atanf), (.sinh, sinhf), (.cosh, coshf), (.tanh, tanhf),
      (.asinh, asinhf), (.acosh, acoshf), (.atanh, atanhf), (.erf, erff), (.floor, floorf), (.ceil, ceilf),
      (.round, { $0.rounded(.toNearestOrEven) }), (.truncate, truncf),
    ]
    for (function, expected) in cases {
      let result: [Float] = try lanewise([f32(a)], to: .f32, lanes: lanes, target: target) { $0.unary(function, $1[0]) }
      for index in a.indices {
        let value = expected(a[index])
        #expect(result[index] == value || (result[index].isNaN && value.isNaN), "\(function) \(a[index])")
      }
    }
    let doubles = HostTensor(.f64, [3], values: [0.5, 2.0, -1.0])
    let exps: [Double] = try lanewise([doubles], to: .f64, lanes: 2, target: target) { $0.unary(.exp, $1[0]) }
    #expect(exps == [exp(0.5), exp(2.0), exp(-1.0)])
  }

  @Test(arguments: runnableTargets)
  func integerArithmetic(target: Target) throws {
    func check<T: FixedWidthInteger & BitwiseCopyable>(_ element: ElementType, _: T.Type) throws {
      let a: [T] = [7, T(truncatingIfNeeded: -7), 0, 100, .min, .max, 5, 3, T(truncatingIfNeeded: -128), 9]
      let b: [T] = [
        3, 2, 5, 0, T(truncatingIfNeeded: -1), 1, T(truncatingIfNeeded: -3), 4, 7, T(truncatingIfNeeded: -1),
      ]
      func floorDivide(_ x: T, _ y: T) -> T {
        if y == 0 { return 0 }
        let (quotient, overflow) = x.dividedReportingOverflow(by: y)
        if overflow { return x }
        return quotient &* y != x && (x < 0) != (y < 0) ? quotient - 1 : quotient
      }
      let cases: [(BinaryFunction, (T, T) -> T)] = [
        (.add, { $0 &+ $1 }), (.subtract, { $0 &- $1 }), (.multiply, { $0 &* $1 }),
        (.divide, { $1 == 0 ? 0 : $0.dividedReportingOverflow(by: $1).partialValue }),
        (.remainder, { $1 == 0 ? 0 : $0.remainderReportingOverflow(dividingBy: $1).partialValue }),
        (.floorDivide, floorDivide), (.modulo, { $1 == 0 ? 0 : $0 &- floorDivide($0, $1) &* $1 }),
        (.minimum, { min($0, $1) }), (.maximum, { max($0, $1) }),
        (.and, { $0 & $1 }), (.or, { $0 | $1 }), (.xor, { $0 ^ $1 }),
        (.shiftLeft, { $1 < 0 || $1 >= T(T.bitWidth) ? 0 : $0 << $1 }),
        (.shiftRight, { $1 < 0 || $1 >= T(T.bitWidth) ? 0 : $0 >> $1 }),
      ]
      for (function, expected) in cases {
        for lanes in [1, 8] {
          let result: [T] = try lanewise(
            [HostTensor(element, [a.count], values: a), HostTensor(element, [b.count], values: b)], to: element,
            lanes: lanes, target: target
          ) { $0.binary(function, $1[0], $1[1]) }
          for index in a.indices {
            #expect(result[index] == expected(a[index], b[index]), "\(element) \(function) \(a[index]) \(b[index])")
          }
        }
      }
    }
    try check(.i8, Int8.self)
    try check(.u8, UInt8.self)
    try check(.i32, Int32.self)
    try check(.u32, UInt32.self)
    try check(.i64, Int64.self)
    try check(.u64, UInt64.self)
    let powers: [Int32] = try lanewise(
      [
        HostTensor(.i32, [6], values: [2, -2, 3, -1, 1, 5] as [Int32]),
        HostTensor(.i32, [6], values: [10, 3, 0, -3, -7, -1] as [Int32]),
      ],
      to: .i32, lanes: 2, target: target
    ) { $0.binary(.power, $1[0], $1[1]) }
    #expect(powers == [1024, -8, 1, -1, 1, 0])
  }

  @Test(arguments: runnableTargets, [1, 4])
  func comparisonsAndTruth(target: Target, lanes: Int) throws {
    let a: [Float] = [1, 2, .nan, 3, 5, 0, -1, 2]
    let b: [Float] = [2, 2, 1, .nan, 4, -0.0, -2, 2]
    let cases: [(Comparison, (Float, Float) -> Bool)] = [
      (.equal, { $0 == $1 }), (.notEqual, { $0 != $1 }), (.less, { $0 < $1 }), (.lessOrEqual, { $0 <= $1 }),
      (.greater, { $0 > $1 }), (.greaterOrEqual, { $0 >= $1 }),
    ]
    for (comparison, expected) in cases {
      let result: [Bool] = try lanewise([f32(a), f32(b)], to: .bool, lanes: lanes, target: target) {
        $0.compare(comparison, $1[0], $1[1])
      }
      #expect(result == zip(a, b).map(expected))
    }
    let chosen: [Float] = try lanewise([f32(a), f32(b)], to: .f32, lanes: lanes, target: target) { builder, x in
      let isNaN = builder.unary(.isNaN, x[0])
      return builder.select(builder.binary(.or, isNaN, builder.unary(.not, isNaN)), x[1], x[0])
    }
    #expect(chosen.prefix(3) == [2, 2, 1])
    let truths = HostTensor(.bool, [8], values: [true, false, true, true, false, false, true, false])
    let negated: [Bool] = try lanewise([truths], to: .bool, lanes: lanes, target: target) { $0.unary(.not, $1[0]) }
    #expect(negated == [false, true, false, false, true, true, false, true])
    let numbers: [Float] = try lanewise([truths], to: .f32, lanes: lanes, target: target) { $0.cast($1[0], to: .f32) }
    #expect(numbers == [1, 0, 1, 1, 0, 0, 1, 0])
  }

  @Test(arguments: runnableTargets)
  func lanesMove(target: Target) throws {
    let values = (0..<16).map { Float($0) }
    let result: [Float] = try run([f32(values)], to: .f32, count: 40, target: target) { b, x, y in
      let all = b.load(x[0], at: b.index(0), lanes: 16)
      b.store(b.combineLanes(.sum, all), y, at: b.index(0))
      b.store(b.combineLanes(.maximum, all), y, at: b.index(1))
      b.store(b.extract(all, lane: 7), y, at: b.index(2))
      b.store(b.shuffle(all, all, [3, 2, 1, 0]), y, at: b.index(4))
      b.store(b.broadcast(b.extract(all, lane: 5), lanes: 4), y, at: b.index(8))
      let numbers = b.laneNumbers(8)
      let odd = b.compare(
        .equal, b.binary(.modulo, numbers, b.broadcast(b.index(2), lanes: 8)), b.broadcast(b.index(1), lanes: 8))
      b.store(b.load(x[0], at: b.index(2), lanes: 8, mask: odd), y, at: b.index(12))
      b.store(b.broadcast(b.float(9), lanes: 8), y, at: b.index(20), mask: odd)
      let reversed = b.subtract(b.broadcast(b.index(15), lanes: 8), numbers)
      b.store(b.gather(x[0], at: reversed), y, at: b.index(28))
      b.scatter(
        b.broadcast(b.float(-1), lanes: 8), y,
        at: b.add(b.multiply(numbers, b.broadcast(b.index(0), lanes: 8)), b.broadcast(b.index(36), lanes: 8)), mask: odd
      )
    }.array()
    #expect(result[0] == 120 && result[1] == 15 && result[2] == 7)
    #expect(result[4..<12] == [3, 2, 1, 0, 5, 5, 5, 5])
    #expect(result[12..<20] == [0, 3, 0, 5, 0, 7, 0, 9])
    #expect(result[20..<28] == [0, 9, 0, 9, 0, 9, 0, 9])
    #expect(result[28..<36] == [15, 14, 13, 12, 11, 10, 9, 8])
    #expect(result[36..<38] == [-1, 0])
  }

  @Test func loopsBranchesAndLocals() throws {
    for unroll in [1, 3, 4, 20] {
      for count in [0, 1, 7, 12] {
        let result: [Int64] = try run([], to: .i64, count: 2, sizes: [count]) { b, _, y in
          let end = b.size()
          let scratch = b.local("scratch", .i64, count: 32)
          let sums = b.loop("i", from: b.index(0), to: end, unroll: unroll, carrying: [b.index(0)]) { i, carried in
            let isEven = b.compare(.equal, b.binary(.modulo, i, b.index(2)), b.index(0))
            let added = b.branch(
              isEven, then: { [b.add(carried[0], i)] }, otherwise: { [b.subtract(carried[0], b.index(100))] })
            b.store(added[0], scratch, at: i)
            return added
          }
          b.store(sums[0], y, at: b.index(0))
          b.when(b.compare(.greater, end, b.index(0))) {
            b.store(b.load(scratch, at: b.subtract(end, b.index(1))), y, at: b.index(1))
          }
        }.array()
        let expected = (0..<count).reduce(0) { $1 % 2 == 0 ? $0 + $1 : $0 - 100 }
        #expect(result == [Int64(expected), Int64(expected)], "unroll \(unroll) count \(count)")
      }
    }
  }

  @Test func tasksAndChecks() throws {
    let squares: [Int64] = try run([], to: .i64, count: 5, tasks: 5) { b, _, y in
      b.store(b.multiply(b.task, b.task), y, at: b.task)
    }.array()
    #expect(squares == [0, 1, 4, 9, 16])
    #expect(throws: DiagnosticError.self) {
      _ = try run([], to: .i64, count: 5, tasks: 5, errors: ["task too large"]) { b, _, y in
        b.check(b.compare(.less, b.task, b.index(3)), error: 0, value: b.task, bound: b.index(3))
        b.store(b.task, y, at: b.task)
      }
    }
  }
}
