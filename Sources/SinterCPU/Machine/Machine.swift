import SinterCore
import SinterForms
import SinterKernelIR

/// A processor as a table of numbers: all that schedules know of it.
package struct Machine: Hashable, Sendable {
  /// The name as LLVM and `--cpu` have it.
  package var name: String
  /// Bits of a vector register.
  package var vectorBits: Int
  /// How many vector registers there are.
  package var vectorRegisters: Int
  /// Loads and stores of part of a vector cost no more than whole ones.
  package var hasMasks: Bool
  /// Multiply-add in one instruction, rounded once.
  package var hasMultiplyAdd: Bool
  /// Bytes of the caches of one core, and of the share that a core has of the last one.
  package var level1, level2, level3: Int
  /// How tiles multiply and add.
  package var tileOperations: [TileOperation] = [
    .multiplyAdd(.f32), .multiplyAdd(.f64), .multiplyAdd(.i32), .widenedByteDot,
  ]
  /// How often an element of a computed side of a product must be multiplied for packing to pay.
  package var packedReuse = 64
  /// How many bytes ahead of what is read a stream of packed integers asks for: what the processor foresees by itself ends with a page.
  package var streamAhead = 8 << 10

  package init(
    name: String, vectorBits: Int, vectorRegisters: Int, hasMasks: Bool, hasMultiplyAdd: Bool, level1: Int = 32 << 10,
    level2: Int = 1 << 20, level3: Int = 4 << 20
  ) {
    self.name = name
    self.vectorBits = vectorBits
    self.vectorRegisters = vectorRegisters
    self.hasMasks = hasMasks
    self.hasMultiplyAdd = hasMultiplyAdd
    self.level1 = level1
    self.level2 = level2
    self.level3 = level3
  }

  /// AVX-512.
  package static let x86_64_v4 = Machine(
    name: "x86-64-v4", vectorBits: 512, vectorRegisters: 32, hasMasks: true, hasMultiplyAdd: true)
  /// AVX2 and FMA.
  package static let x86_64_v3 = Machine(
    name: "x86-64-v3", vectorBits: 256, vectorRegisters: 16, hasMasks: false, hasMultiplyAdd: true, level2: 512 << 10)
  /// SSE4.2.
  package static let x86_64_v2 = Machine(
    name: "x86-64-v2", vectorBits: 128, vectorRegisters: 16, hasMasks: false, hasMultiplyAdd: false,
    level2: 256 << 10)
  /// Any 64-bit processor with vectors of 128 bits.
  package static let generic = Machine(
    name: "generic", vectorBits: 128, vectorRegisters: 16, hasMasks: false, hasMultiplyAdd: false, level2: 256 << 10)

  /// How many elements of a type fill a vector.
  package func lanes(_ element: ElementType) -> Int { Swift.max(1, vectorBits / Swift.max(8, element.bits)) }

  /// Lanes for rows of so many elements: of vectors no longer than need be, since some processors take twice as long for their longest.
  func lanes(_ element: ElementType, columns: Int?) -> Int {
    var lanes = lanes(element)
    while let columns, columns > 0, columns <= lanes / 2 { lanes /= 2 }
    return lanes
  }
}
