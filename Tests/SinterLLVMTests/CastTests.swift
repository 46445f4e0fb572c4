import Glibc
import SinterCore
import SinterKernelIR
import SinterLLVM
import Testing

/// Conversions between all element types, against the host's.
struct CastTests {
  private static let narrow: [ElementType] = [
    .f16, .bf16, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1,
  ]

  /// Loads, casts and stores vectors.
  private func convert(_ tensor: HostTensor, to element: ElementType, lanes: Int, target: Target) throws -> HostTensor {
    try run([tensor], to: element, count: tensor.count, target: target) { b, x, y in
      b.loop("i", from: b.index(0), to: b.index(tensor.count), step: lanes) { i in
        b.store(b.cast(b.load(x[0], at: i, lanes: lanes), to: element), y, at: i)
      }
    }
  }

  @Test(arguments: runnableTargets, narrow)
  func narrowFloatsWiden(target: Target, element: ElementType) throws {
    let codes = element.bits == 16 ? 65536 : element.bits == 8 ? 256 : 16
    let bytes = codes * element.bits / 8
    let tensor = HostTensor(
      element, [codes],
      bytes: TensorBytes(count: bytes) { memory in
        for code in 0..<codes {
          switch element.bits {
          case 16: memory.storeBytes(of: UInt16(code), toByteOffset: code * 2, as: UInt16.self)
          case 8: memory[code] = UInt8(code)
          default: memory[code / 2] |= UInt8(code << (code % 2 * 4))
          }
        }
      })
    for lanes in [1, 16] {
      let values: [Float] = try convert(tensor, to: .f32, lanes: lanes, target: target).array()
      for code in 0..<codes {
        let expected = NarrowFloat.decode(UInt32(code), as: element)
        #expect(
          values[code] == expected && values[code].sign == expected.sign || values[code].isNaN && expected.isNaN,
          "\(element) \(code)")
      }
    }
  }

  @Test(arguments: runnableTargets, narrow)
  func floatsNarrow(target: Target, element: ElementType) throws {
    var values: [Float] = [0, -0.0, .nan, .infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude]
    for exponent in -150...130 {
      for fraction in 0..<37 {
        values.append(
          Float(sign: fraction % 2 == 0 ? .plus : .minus, exponent: exponent, significand: 1 + Float(fraction) / 36.5))
      }
    }
    for step in 0..<2048 { values.append(Float(step) / 128) }
    while values.count % 16 != 0 { values.append(1) }
    let tensor = HostTensor.f32([values.count], values)
    for lanes in [1, 16] {
      let result = try convert(tensor, to: element, lanes: lanes, target: target)
      result.bytes.withBytes { bytes in
        for (index, value) in values.enumerated() {
          let code: UInt32 =
            switch element.bits {
            case 16: UInt32(bytes.load(fromByteOffset: index * 2, as: UInt16.self))
            case 8: UInt32(bytes[index])
            default: UInt32(bytes[index / 2] >> UInt8(index % 2 * 4)) & 15
            }
          let expected = NarrowFloat.encode(value, as: element)
          let isNaN = NarrowFloat.decode(expected, as: element).isNaN && NarrowFloat.decode(code, as: element).isNaN
          #expect(code == expected || isNaN, "\(element) \(value): \(code), not \(expected)")
        }
      }
    }
  }

  @Test(arguments: runnableTargets)
  func floatsBecomeIntegers(target: Target) throws {
    let values: [Float] = [
      0, -0.9, 1.5, -1.5, 127, 128, -129, 255, 256, 1e10, -1e10, 1e20, -1e20, .nan, .infinity, -.infinity,
    ]
    func check<T: FixedWidthInteger & BitwiseCopyable>(_ element: ElementType, _: T.Type) throws {
      for lanes in [1, 16] {
        let result: [T] = try convert(.f32([16], values), to: element, lanes: lanes, target: target).array()
        for index in values.indices {
          let value = values[index]
          let expected: T = value.isNaN ? 0 : T(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max)
          #expect(result[index] == expected, "\(element) \(value)")
        }
      }
    }
    try check(.i8, Int8.self)
    try check(.u8, UInt8.self)
    try check(.i16, Int16.self)
    try check(.u16, UInt16.self)
    try check(.i32, Int32.self)
    try check(.u32, UInt32.self)
    try check(.i64, Int64.self)
    try check(.u64, UInt64.self)
    let truths: [Bool] = try convert(.f32([16], values), to: .bool, lanes: 16, target: target).array()
    #expect(truths == values.map { $0 != 0 })
  }

  @Test func integersBecomeFloats() throws {
    let values: [Int64] = [0, 1, -1, 1 << 40, -(1 << 62), 12345, .max, .min]
    for lanes in [1, 8] {
      let floats: [Float] = try convert(HostTensor(.i64, [8], values: values), to: .f32, lanes: lanes, target: .host)
        .array()
      #expect(floats == values.map { Float($0) })
      let unsigned: [Double] = try convert(HostTensor(.u64, [8], values: values), to: .f64, lanes: lanes, target: .host)
        .array()
      #expect(unsigned == values.map { Double(UInt64(bitPattern: $0)) })
    }
  }

  @Test(arguments: [ElementType.i4, .u4, .i2, .u2])
  func packedIntegersRoundTrip(element: ElementType) throws {
    let count = 64
    let range = Int(element.integerRange.lowerBound)...Int(element.integerRange.upperBound)
    let values = (0..<count).map { Int32(range.lowerBound + ($0 * 7) % range.count) }
    for lanes in [1, 16] {
      let packed = try convert(HostTensor(.i32, [count], values: values), to: element, lanes: lanes, target: .host)
      let bits = element.bits
      packed.bytes.withBytes { bytes in
        for index in 0..<count {
          let code = Int(bytes[index * bits / 8]) >> (index * bits % 8) & ((1 << bits) - 1)
          #expect(code == Int(values[index]) & ((1 << bits) - 1))
        }
      }
      let back: [Int32] = try convert(packed, to: .i32, lanes: lanes, target: .host).array()
      #expect(back == values)
    }
  }

  /// All types of numbers and truth values.
  private static let numbers = ElementType.allCases.filter { $0.kind != .string && $0.kind != .complex }
  private static let widths = [1, 2, 4, 8, 16, 32, 64]
  private static let valueCount = 64

  /// Numbers at and around the limits of all types.
  private static func values(of element: ElementType) -> HostTensor {
    if element.isFloat {
      var values: [Double] = [0, -0.0, .nan, .infinity, -.infinity, 1e30, -1e30, 1e300, 1e-40, 1e-8, 0.001, 0.4]
      let limits = [
        0.5, 1, 1.5, 2, 3, 7, 8, 15, 127, 128, 255, 256, 32767, 65504, 65536, 0x1p31, 0x1p32, 0x1p63, 0x1p64,
      ]
      for limit in limits { values += [limit, -limit] }
      while values.count < valueCount { values.append(Double(values.count * 3) / 8 - 17) }
      return HostTensor(element, [valueCount], doubles: values)
    }
    var values: [Int64] = []
    for limit in [1, 2, 4, 8, 16, 128, 256, 32768, 65536, 1 << 31, 1 << 32, 1 << 53, .max] as [Int64] {
      values += [limit - 1, limit, -limit, -limit - 1]
    }
    while values.count < valueCount { values.append(Int64(values.count * 7 - 400)) }
    return HostTensor(element, [valueCount], integers: element == .bool ? values.map { $0 & 1 } : values)
  }

  /// A kernel that converts `x` to each type, in vectors of each width one after another.
  private static func program(from element: ElementType) -> KernelProgram {
    let builder = KernelBuilder(name: "casts")
    let source = builder.parameter("x", element, .read)
    var program = KernelProgram(name: "casts")
    program.inputs = [.init(name: "x", type: TensorType(element, [Dim(valueCount)]))]
    var arguments = [
      KernelProgram.Call.Argument(
        program.buffers.append(.init(name: "x", element: element, count: Dim(valueCount), storage: .input(0))))
    ]
    for (number, to) in numbers.enumerated() {
      let result = builder.parameter("y\(number)", to, .readWrite)
      let count = Dim(valueCount * widths.count)
      program.outputs.append(.init(name: "y\(number)", type: TensorType(to, [count])))
      arguments.append(
        .init(
          program.buffers.append(.init(name: "y\(number)", element: to, count: count, storage: .output(number)))))
      for (part, lanes) in widths.enumerated() {
        builder.loop("i", from: builder.index(0), to: builder.index(valueCount), step: lanes) { i in
          let value = builder.cast(builder.load(source, at: i, lanes: lanes), to: to)
          builder.store(value, result, at: builder.add(i, part * valueCount))
        }
      }
    }
    let kernel = program.kernels.append(builder.finish())
    program.steps = [.call(.init(kernel: kernel, buffers: arguments, sizes: [], tasks: 1, grain: 1))]
    return program
  }

  @Test(arguments: runnableTargets, numbers)
  func everyPairAtEveryWidth(target: Target, from: ElementType) throws {
    let program = Self.program(from: from)
    let values = Self.values(of: from)
    let expected = try KernelInterpreter(program).run([values])
    let given = try KernelRunner(program, target: target).run([values])
    for (index, to) in Self.numbers.enumerated() {
      func check<T>(_ given: [T]?, _ expected: [T]?, _ isSame: (T, T) -> Bool) throws {
        let (given, expected) = (try #require(given), try #require(expected))
        for at in given.indices where !isSame(given[at], expected[at]) {
          let (lanes, at) = (Self.widths[at / Self.valueCount], at % Self.valueCount)
          Issue.record("\(from) to \(to), \(lanes) lanes, value \(at): \(given[at]), not \(expected[at])")
        }
      }
      if to.isFloat {
        try check(given[index].doubles, expected[index].doubles) {
          $0.bitPattern == $1.bitPattern || $0.isNaN && $1.isNaN
        }
      } else {
        try check(given[index].int64s, expected[index].int64s, ==)
        // A truth value is a byte of 0 or 1, and not just zero or something else.
        if to == .bool { #expect(given[index].bytes.withBytes { $0.allSatisfy { $0 < 2 } }) }
      }
    }
  }

  @Test func packedElementsAtAnyPlace() throws {
    let packed = HostTensor(.u4, [8], values: [0x21, 0x43, 0x65, 0x87] as [UInt8])
    let result: [UInt8] = try run([packed], to: .u8, count: 8) { b, x, y in
      b.store(b.cast(b.load(x[0], at: b.index(1), lanes: 4), to: .u8), y, at: b.index(0))
      let places = b.subtract(b.broadcast(b.index(7), lanes: 4), b.laneNumbers(4))
      b.store(b.cast(b.gather(x[0], at: places), to: .u8), y, at: b.index(4))
    }.array()
    #expect(result == [2, 3, 4, 5, 8, 7, 6, 5])
  }
}
