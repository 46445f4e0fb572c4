import SinterCore
import SinterKernelIR
import SinterLLVM
import Testing

/// Bytes looked up in a table of 256, on each instruction set that this processor has.
@Suite struct LookupTests {
  @Test(arguments: runnableTargets, [1, 2, 4, 8, 16, 32, 64])
  func picksByAllBits(target: Target, lanes: Int) throws {
    let table = (0..<256).map { UInt8(truncatingIfNeeded: ($0 * 167 + 91) ^ ($0 >> 3)) }
    let places = (0..<512).map { UInt8(truncatingIfNeeded: $0 * 77 + ($0 >> 8)) }
    let expected = places.map { table[Int($0)] }
    for element in [ElementType.u8, .i8] {
      func tensor(_ bytes: [UInt8]) -> HostTensor {
        element == .u8
          ? HostTensor(.u8, [bytes.count], values: bytes)
          : HostTensor(.i8, [bytes.count], values: bytes.map { Int8(bitPattern: $0) })
      }
      let result = try run([tensor(table), tensor(places)], to: element, count: 512, target: target) { builder, x, y in
        builder.loop("i", from: builder.index(0), to: builder.index(512), step: lanes) { i in
          builder.store(builder.lookup(builder.load(x[1], at: i, lanes: lanes), in: x[0]), y, at: i)
        }
      }
      #expect(result.bytes.withBytes(Array.init) == expected, "\(element)")
    }
  }
}
