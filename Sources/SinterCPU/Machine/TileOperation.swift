import SinterCore

/// One way to multiply and add on vectors of sums, as products' tiles do: a row of a processor's table.
///
/// A step takes, for each lane of a vector of sums, `depth` neighbours along the reduced axis from either side. The left side's are the
/// same for all lanes, the right side's are each column's own.
package struct TileOperation: Hashable, Sendable {
  package var left, right, accumulator: ElementType
  /// Elements along the reduced axis that a lane takes at once; panels hold so many of a column side by side.
  package var depth: Int
  /// Vector registers that a step needs besides its sums, the vectors of columns and one vector of a row.
  package var temporaries: Int

  /// A multiply-add of one type.
  package static func multiplyAdd(_ element: ElementType) -> TileOperation {
    TileOperation(left: element, right: element, accumulator: element, depth: 1, temporaries: 0)
  }

  /// Unsigned bytes times signed ones in 32-bit sums, four at a time, in one instruction.
  package static let byteDot = TileOperation(left: .u8, right: .i8, accumulator: .i32, depth: 4, temporaries: 0)
  /// The same from products of 16-bit numbers.
  package static let widenedByteDot = TileOperation(left: .u8, right: .i8, accumulator: .i32, depth: 4, temporaries: 4)
}

extension Machine {
  /// The operation for sums of products of two types, from the table.
  package func tileOperation(_ left: ElementType, _ right: ElementType, in accumulator: ElementType) -> TileOperation? {
    tileOperations.first { $0.left == left && $0.right == right && $0.accumulator == accumulator }
  }

  /// What is left of the vector registers beside what an operation needs for itself.
  func sparing(_ operation: TileOperation) -> Machine {
    var machine = self
    machine.vectorRegisters -= operation.temporaries
    return machine
  }
}
