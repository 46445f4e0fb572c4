import SinterCore
import SinterKernelIR
import SinterLLVM
import Testing

/// Sums of products of bytes, on each instruction set that this processor has.
@Suite struct DotTests {
  /// All pairs of bytes that matter to signs and to saturation, and sums that wrap around.
  private static let bytes: [Int] = [0, 1, 2, 63, 64, 127, 128, 129, 200, 254, 255]

  @Test(arguments: runnableTargets, [1, 2, 4, 8, 16, 32])
  func sumsAreExact(target: Target, lanes: Int) throws {
    var a: [UInt8] = []
    var b: [Int8] = []
    for x in Self.bytes {
      for y in Self.bytes {
        for (p, q) in [(x, y), (255, 128), (x, y), (y, x)] {
          a.append(UInt8(p))
          b.append(Int8(truncatingIfNeeded: q))
        }
      }
    }
    let vectors = a.count / 4 / lanes
    let few: [Int32] = [0, 1, Int32.max, Int32.min, -7]
    let starts: [Int32] = (0..<(vectors * lanes)).map { few[$0 % 5] }
    let inputs = [
      HostTensor(.u8, [a.count], values: a), HostTensor(.i8, [b.count], values: b),
      HostTensor(.i32, [starts.count], values: starts),
    ]
    let result = try run(inputs, to: .i32, count: starts.count, target: target) { builder, x, y in
      builder.loop("i", from: builder.index(0), to: builder.index(starts.count), step: lanes) { i in
        let at = builder.multiply(i, 4)
        let sums = builder.dot(
          builder.load(x[0], at: at, lanes: 4 * lanes), builder.load(x[1], at: at, lanes: 4 * lanes),
          builder.load(x[2], at: i, lanes: lanes))
        builder.store(sums, y, at: i)
      }
    }.array(of: Int32.self)
    for lane in starts.indices {
      var exact = Int(starts[lane])
      for place in (4 * lane)..<(4 * lane + 4) { exact += Int(a[place]) * Int(b[place]) }
      #expect(result[lane] == Int32(truncatingIfNeeded: exact), "lane \(lane)")
    }
  }

  /// Numbers of all magnitudes: each result is that of two rounded sums, bit by bit, as the interpreter has it.
  @Test(arguments: runnableTargets, [1, 2, 4, 8, 16, 32])
  func pairsAreSummedInOrder(target: Target, lanes: Int) throws {
    let count = 96
    var generator = Generator(state: 3)
    func numbers(_ element: ElementType, _ count: Int) -> HostTensor {
      HostTensor(
        element, [count],
        doubles: (0..<count).map { _ in Double(generator.float()) * Double(1 << (generator.next() % 20)) })
    }
    let inputs = [numbers(.bf16, 2 * count), numbers(.bf16, 2 * count), numbers(.f32, count)]
    let program = program(inputs: inputs, output: .f32, count: count) { builder, x, y in
      builder.loop("i", from: builder.index(0), to: builder.index(count), step: lanes) { i in
        let at = builder.multiply(i, 2)
        let sums = builder.dot(
          builder.load(x[0], at: at, lanes: 2 * lanes), builder.load(x[1], at: at, lanes: 2 * lanes),
          builder.load(x[2], at: i, lanes: lanes))
        builder.store(sums, y, at: i)
      }
    }
    let result = try KernelRunner(program, target: target).run(inputs)[0].array(of: Float.self)
    #expect(result == (try KernelInterpreter(program).run(inputs)[0].array(of: Float.self)))
    let (a, b) = (try #require(inputs[0].doubles), try #require(inputs[1].doubles))
    for (lane, start) in inputs[2].array(of: Float.self).enumerated() {
      let first = Float(Double(start) + a[2 * lane + 1] * b[2 * lane + 1])
      #expect(result[lane] == Float(Double(first) + a[2 * lane] * b[2 * lane]), "lane \(lane)")
    }
  }

  /// Two 16-bit numbers, of which one is never so large that their sum leaves 32 bits, and sums that wrap around.
  @Test(arguments: runnableTargets, [1, 2, 4, 8, 16, 32])
  func sumsOfShortsAreExact(target: Target, lanes: Int) throws {
    let all = [0, 1, -1, 127, -128, 255, 256, 32767, -32768, 12345]
    let pairs = all.flatMap { x in [0, 1, -1, 77, 127, -128].map { (x, $0) } }
    let count = pairs.count / lanes * lanes
    let a = (0..<(2 * count)).map { Int16(pairs[($0 * 7 + $0 / 60) % 60].0) }
    let b = (0..<(2 * count)).map { Int16(pairs[($0 * 7 + $0 / 60) % 60].1) }
    let few: [Int32] = [0, 1, Int32.max, Int32.min, -7]
    let starts = (0..<count).map { few[$0 % 5] }
    let inputs = [
      HostTensor(.i16, [a.count], values: a), HostTensor(.i16, [b.count], values: b),
      HostTensor(.i32, [count], values: starts),
    ]
    let program = program(inputs: inputs, output: .i32, count: count) { builder, x, y in
      builder.loop("i", from: builder.index(0), to: builder.index(count), step: lanes) { i in
        let at = builder.multiply(i, 2)
        let sums = builder.dot(
          builder.load(x[0], at: at, lanes: 2 * lanes), builder.load(x[1], at: at, lanes: 2 * lanes),
          builder.load(x[2], at: i, lanes: lanes))
        builder.store(sums, y, at: i)
      }
    }
    let exact = (0..<count).map { lane in
      Int32(
        truncatingIfNeeded: [2 * lane, 2 * lane + 1].reduce(Int(starts[lane])) { $0 + Int(a[$1]) * Int(b[$1]) })
    }
    #expect(try KernelRunner(program, target: target).run(inputs)[0].array(of: Int32.self) == exact)
    #expect(try KernelInterpreter(program).run(inputs)[0].array(of: Int32.self) == exact)
  }

  /// Both sides signed.
  @Test(arguments: runnableTargets, [1, 2, 4, 8, 16])
  func signedSumsAreExact(target: Target, lanes: Int) throws {
    var (a, b): ([Int8], [Int8]) = ([], [])
    for x in Self.bytes {
      for y in Self.bytes {
        for (p, q) in [(x, y), (128, 128), (y, x), (128, 127)] {
          a.append(Int8(truncatingIfNeeded: p))
          b.append(Int8(truncatingIfNeeded: q))
        }
      }
    }
    let count = a.count / 4 / lanes * lanes
    let inputs = [HostTensor(.i8, [a.count], values: a), HostTensor(.i8, [b.count], values: b)]
    let result = try run(inputs, to: .i32, count: count, target: target) { builder, x, y in
      builder.loop("i", from: builder.index(0), to: builder.index(count), step: lanes) { i in
        let at = builder.multiply(i, 4)
        let start = builder.constant(.int(-3), .i32, lanes: lanes)
        let sums = builder.dot(
          builder.load(x[0], at: at, lanes: 4 * lanes), builder.load(x[1], at: at, lanes: 4 * lanes), start)
        builder.store(sums, y, at: i)
      }
    }.array(of: Int32.self)
    for lane in 0..<count {
      var exact = -3
      for place in (4 * lane)..<(4 * lane + 4) { exact += Int(a[place]) * Int(b[place]) }
      #expect(result[lane] == Int32(exact), "lane \(lane)")
    }
  }

  /// Four bytes of a row meet all columns.
  @Test(arguments: runnableTargets)
  func repeatedBytes(target: Target) throws {
    let inputs = [HostTensor(.u8, [8], values: [UInt8](arrayLiteral: 1, 2, 3, 250, 9, 8, 7, 6))]
    let result = try run(inputs, to: .u8, count: 32, target: target) { builder, x, y in
      builder.store(
        builder.repeated(builder.load(x[0], at: builder.index(1), lanes: 4), lanes: 32), y, at: builder.index(0))
    }.array(of: UInt8.self)
    let four: [UInt8] = [2, 3, 250, 9]
    #expect(result == (0..<32).map { four[$0 % 4] })
  }
}
