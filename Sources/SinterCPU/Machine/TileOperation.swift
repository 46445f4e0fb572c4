import SinterCore
import SinterKernelIR

/// One way to multiply and add on vectors of sums, as products' tiles do: a row of a processor's table.
///
/// A step takes, for each lane of a vector of sums, `depth` neighbours along the reduced axis from either side. The left side's are the
/// same for all lanes, the right side's are each column's own.
package struct TileOperation: Hashable, Sendable {
  package var left, right, accumulator: ElementType
  /// Elements along the reduced axis that a lane takes at once; panels hold so many of a column side by side.
  package var depth: Int
  /// Vector registers that a step needs besides its sums, what it holds of columns, and one vector of a row.
  package var temporaries = 0
  /// Vector registers that hold a vector of columns, and what belongs to it, while a tile's rows pass.
  package var columnRegisters = 1
  /// The instruction takes signed bytes on both sides: those on the left lose 128, and the sums of columns, which a tile keeps beside its
  /// own, mend that at the end.
  package var takesSignedLeft = false

  /// What both sides become before they are multiplied, where that is another type: rows are stored so, columns become it as a tile reads them.
  package var widened: ElementType?

  /// Rows of the left side that an instruction takes at once; the vector of sums that each has lies in a register of tiles.
  package var rows = 1

  /// A multiply-add of one type.
  ///
  /// - Parameter isFused: whether it is one instruction; else products take registers of their own. Of integers it never is.
  package static func multiplyAdd(_ element: ElementType, isFused: Bool = true) -> TileOperation {
    TileOperation(
      left: element, right: element, accumulator: element, depth: 1,
      temporaries: element.isInteger ? 2 : isFused ? 0 : 1)
  }

  /// Unsigned bytes times signed ones in 32-bit sums, four at a time, in one instruction.
  package static let byteDot = TileOperation(left: .u8, right: .i8, accumulator: .i32, depth: 4)
  /// The same as 16-bit numbers, two at a time.
  package static let shortPairDot = TileOperation(
    left: .u8, right: .i8, accumulator: .i32, depth: 2, temporaries: 3, widened: .i16)
  /// The same from products of 16-bit numbers that bytes are taken apart into: columns are held as their even and their odd bytes.
  package static let widenedByteDot = TileOperation(
    left: .u8, right: .i8, accumulator: .i32, depth: 4, temporaries: 3, columnRegisters: 2)

  /// The same from an instruction for signed bytes: a vector of columns has a sum of its own, and one register holds what flips signs.
  package static let signedByteDot = TileOperation(
    left: .u8, right: .i8, accumulator: .i32, depth: 4, temporaries: 2, columnRegisters: 2, takesSignedLeft: true)
  /// The same from products of bytes in 16 bits, whose neighbours are added to sums: products have registers of their own before that.
  package static let pairedByteDot = TileOperation(
    left: .u8, right: .i8, accumulator: .i32, depth: 4, temporaries: 10, columnRegisters: 2)

  /// Products of bf16 in f32 sums, two at a time, in one instruction.
  package static let pairDot = TileOperation(left: .bf16, right: .bf16, accumulator: .f32, depth: 2)
  /// The same as two multiply-adds of f32: columns are held as their even and their odd elements.
  package static let widenedPairDot = TileOperation(
    left: .bf16, right: .bf16, accumulator: .f32, depth: 2, temporaries: 3, columnRegisters: 2)

  /// Both of these for whole tiles of rows and columns; see `TileDot`.
  package static let byteTileDot = TileOperation(
    left: .u8, right: .i8, accumulator: .i32, depth: TileDot.interleave(.i8), rows: TileDot.tileRows)
  package static let pairTileDot = TileOperation(
    left: .bf16, right: .bf16, accumulator: .f32, depth: TileDot.interleave(.bf16), rows: TileDot.tileRows)

  /// What rows are stored in.
  package var rowElement: ElementType { widened ?? left }

  /// Whether products are added to sums by an instruction of their own. Of several steps that are written out LLVM would add the products to each
  /// other first, and hold more of them than there are registers.
  var addsProducts: Bool { accumulator.isInteger && temporaries > 0 }

  /// The same where an element of a row is loaded into a register before it is multiplied: the next one's is on its way meanwhile.
  var onLoadedRows: TileOperation {
    var operation = self
    operation.temporaries += accumulator.isFloat ? 1 : 2
    return operation
  }
}

extension Machine {
  /// The operation for sums of products of two types, from the table; rows may be stored as it wants them already.
  package func tileOperation(_ left: ElementType, _ right: ElementType, in accumulator: ElementType) -> TileOperation? {
    tileOperations.first {
      ($0.left == left || $0.rowElement == left) && $0.right == right && $0.accumulator == accumulator && $0.rows == 1
    }
  }

  /// The same operation for whole tiles of rows, where the processor has one.
  func tileDot(_ operation: TileOperation) -> TileOperation? {
    tileOperations.first {
      $0.left == operation.left && $0.right == operation.right && $0.accumulator == operation.accumulator && $0.rows > 1
    }
  }

  /// How many times as fast as multiply-adds of f32 a block of tiles is.
  func tileDotSpeed(_ operation: TileOperation) -> Double {
    Double(operation.rows * TileDot.tileRows * TileDot.run(operation.left))
      / (cyclesPerTileDot * Double(lanes(.f32) * multiplyAddsPerCycle))
  }

  /// The multiply-add of one type.
  func multiplyAdd(_ element: ElementType) -> TileOperation {
    tileOperation(element, element, in: element) ?? .multiplyAdd(element, isFused: hasMultiplyAdd)
  }

  /// The sum of products of bytes as they lie.
  var byteDot: TileOperation {
    tileOperation(.u8, .i8, in: .i32).flatMap { $0.widened == nil ? $0 : nil } ?? .widenedByteDot
  }

  /// How many times as fast sums of products are whose operands are bf16; no more than 1 where the processor has no instruction for them.
  package var pairDotSpeed: Double {
    Swift.max(vectorPairDotSpeed, tileOperations.contains(.pairTileDot) ? tileDotSpeed(.pairTileDot) : 1)
  }

  /// The same without tiles.
  var vectorPairDotSpeed: Double {
    tileOperations.contains(.pairDot) ? Double(TileOperation.pairDot.depth) / multiplyAddsPerPairDot : 1
  }

  /// The operation for sums of products of two types where it is faster than multiply-adds of the sums' own type.
  func fastOperation(_ left: ElementType, _ right: ElementType, in accumulator: ElementType) -> TileOperation? {
    guard let operation = tileOperation(left, right, in: accumulator), operation.depth > 1,
      !accumulator.isFloat || pairDotSpeed > 1
    else { return nil }
    return operation
  }

  /// The same machine as tiles of an operation see it.
  func tiling(with operation: TileOperation) -> Machine {
    var machine = self
    machine.tiledOperation = operation
    return machine
  }
}
