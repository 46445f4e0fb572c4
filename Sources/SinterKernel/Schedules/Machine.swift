import SinterCore

/// A processor as a table of numbers: all that schedules know of it.
public struct Machine: Hashable, Sendable {
  /// The name as LLVM and `--cpu` have it.
  public var name: String
  /// Bits of a vector register.
  public var vectorBits: Int
  /// How many vector registers there are.
  public var vectorRegisters: Int
  /// Loads and stores of part of a vector cost no more than whole ones.
  public var hasMasks: Bool
  /// Multiply-add in one instruction, rounded once.
  public var hasMultiplyAdd: Bool
  /// Bytes of the caches of one core, and of the share that a core has of the last one.
  public var level1, level2, level3: Int

  public init(
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
  public static let x86_64_v4 = Machine(
    name: "x86-64-v4", vectorBits: 512, vectorRegisters: 32, hasMasks: true, hasMultiplyAdd: true)
  /// AVX2 and FMA.
  public static let x86_64_v3 = Machine(
    name: "x86-64-v3", vectorBits: 256, vectorRegisters: 16, hasMasks: false, hasMultiplyAdd: true, level2: 512 << 10)
  /// SSE4.2.
  public static let x86_64_v2 = Machine(
    name: "x86-64-v2", vectorBits: 128, vectorRegisters: 16, hasMasks: false, hasMultiplyAdd: false,
    level2: 256 << 10)
  /// Any 64-bit processor with vectors of 128 bits.
  public static let generic = Machine(
    name: "generic", vectorBits: 128, vectorRegisters: 16, hasMasks: false, hasMultiplyAdd: false, level2: 256 << 10)

  /// How many elements of a type fill a vector.
  public func lanes(_ element: ElementType) -> Int { Swift.max(1, vectorBits / Swift.max(8, element.bits)) }

  /// Lanes for rows of so many elements: of vectors no longer than need be, since some processors take twice as long for their longest.
  func lanes(_ element: ElementType, columns: Int?) -> Int {
    var lanes = lanes(element)
    while let columns, columns > 0, columns <= lanes / 2 { lanes /= 2 }
    return lanes
  }
}
