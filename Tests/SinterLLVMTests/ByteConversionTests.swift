import SinterCore
import SinterKernelIR
import SinterLLVM
import Testing

/// Floats that are rounded, moved by a zero point and converted to bytes, on each instruction set that this processor has.
@Suite struct ByteConversionTests {
  private static let numbers: [Float] =
    [0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, 126.5, 127.5, 254.5, 255.5, 256, 300, -9, -8.5, -300, 65_535]
    + [32_767.5, -32_768.5, 1e6, -1e6, 2_147_483_648, 4e9, -4e9, 1e30, -1e30, .infinity, -.infinity, .nan]
    + (0..<34).map { Float($0) * 7.25 - 120 }

  private static func exact<T: FixedWidthInteger>(_ number: Float, _ offset: Float) -> T {
    let moved = number.rounded(.toNearestOrEven) + offset
    return moved.isNaN ? 0 : T(Swift.min(Swift.max(moved, Float(T.min)), Float(T.max)))
  }

  /// What becomes of the numbers, so many at a time: rounded, moved and converted to bytes, and then what `finish` makes of these.
  private func converted(
    _ target: Target, _ lanes: Int, to element: ElementType, plus offset: Float, as result: ElementType,
    _ finish: (KernelBuilder, Register) -> Register
  ) throws -> HostTensor {
    let input = HostTensor(.f32, [64], values: Self.numbers)
    return try run([input], to: result, count: 64, target: target) { builder, x, y in
      builder.loop("i", from: builder.index(0), to: builder.index(64), step: lanes) { i in
        let rounded = builder.unary(.round, builder.load(x[0], at: i, lanes: lanes))
        let moved = builder.add(rounded, builder.constant(.float(Double(offset)), .f32, lanes: lanes))
        builder.store(finish(builder, builder.cast(moved, to: element)), y, at: i)
      }
    }
  }

  @Test(arguments: runnableTargets, [1, 2, 4, 8, 16, 32, 64])
  func roundsAndSaturates(target: Target, lanes: Int) throws {
    try roundsAndSaturates(target, lanes, .u8, UInt8.self)
    try roundsAndSaturates(target, lanes, .i8, Int8.self)
  }

  private func roundsAndSaturates<T: FixedWidthInteger & BitwiseCopyable>(
    _ target: Target, _ lanes: Int, _ element: ElementType, _: T.Type
  ) throws {
    for offset in [0, 9, -5, 127, -128, 255, 1000, 0.5] as [Float] {
      let result = try converted(target, lanes, to: element, plus: offset, as: element) { $1 }.array(of: T.self)
      for (lane, number) in Self.numbers.enumerated() {
        let expected: T = Self.exact(number, offset)
        #expect(result[lane] == expected, "\(number) + \(offset)")
      }
    }
  }

  /// Bytes that become floats again, of which the same number is subtracted, another one, or none: the sign of zero too.
  @Test(arguments: runnableTargets, [1, 4, 8, 16, 32])
  func becomeFloatsAgain(target: Target, lanes: Int) throws {
    try becomeFloatsAgain(target, lanes, .u8, UInt8.self)
    try becomeFloatsAgain(target, lanes, .i8, Int8.self)
  }

  private func becomeFloatsAgain<T: FixedWidthInteger & BitwiseCopyable>(
    _ target: Target, _ lanes: Int, _ element: ElementType, _: T.Type
  ) throws {
    for (offset, subtracted) in [(0, 0), (126, 126), (126, 5), (-5, -5), (-128, -128), (255, 255)] as [(Float, Float)] {
      let result = try converted(target, lanes, to: element, plus: offset, as: .f32) { builder, bytes in
        builder.subtract(
          builder.cast(bytes, to: .f32), builder.constant(.float(Double(subtracted)), .f32, lanes: lanes))
      }.array(of: Float.self)
      for (lane, number) in Self.numbers.enumerated() {
        let byte: T = Self.exact(number, offset)
        let expected = Float(byte) - subtracted
        #expect(result[lane].bitPattern == expected.bitPattern, "\(number) + \(offset) - \(subtracted)")
      }
    }
  }

  /// Vectors that are joined first, with the same offset or with different ones.
  @Test(arguments: runnableTargets, [Float(9), 3])
  func joinedVectors(target: Target, other: Float) throws {
    let input = HostTensor(.f32, [64], values: Self.numbers)
    let offsets = [9, 9, 9, other]
    let result = try run([input], to: .u8, count: 64, target: target) { builder, x, y in
      let parts = (0..<4).map { part in
        let rounded = builder.unary(.round, builder.load(x[0], at: builder.index(16 * part), lanes: 16))
        return builder.add(rounded, builder.constant(.float(Double(offsets[part])), .f32, lanes: 16))
      }
      let halves = [0, 2].map { builder.shuffle(parts[$0], parts[$0 + 1], Array(0..<32)) }
      let all = builder.cast(builder.shuffle(halves[0], halves[1], Array(0..<64)), to: .u8)
      builder.store(all, y, at: builder.index(0))
    }.array(of: UInt8.self)
    for (lane, number) in Self.numbers.enumerated() {
      #expect(result[lane] == Self.exact(number, offsets[lane / 16]), "lane \(lane): \(number)")
    }
  }
}
