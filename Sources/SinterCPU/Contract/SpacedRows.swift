import SinterCore
import SinterKernelIR

/// Rows of a product that lie evenly, since some between them have no result: of an image's pixels those where a window would reach from the end
/// of one line to the beginning of the next. They are multiplied with the others, and not stored.
///
/// Rows are counted in two ways: by their places, all of them, and those with results alone.
struct SpacedRows {
  /// Of every `all` places the first `kept` have results.
  var kept, all: Int
  /// Rows with results.
  var count: Int

  /// Rows that all have results; nil where their number is open, or less than the smallest block.
  init?(all rows: Dim) {
    guard let count = rows.value, count >= TileDot.mostRows else { return nil }
    (kept, all, self.count) = (count, count, count)
  }

  init(kept: Int, all: Int, count: Int) { (self.kept, self.all, self.count) = (kept, all, count) }

  /// Places from the first row with a result to the last one.
  var places: Int { (count - 1) / kept * all + (count - 1) % kept + 1 }

  /// The rows with results at places before one.
  func results(before place: Register, _ b: KernelBuilder) -> Register {
    let line = b.binary(.floorDivide, place, b.index(all))
    let inLine = b.binary(.minimum, b.binary(.modulo, place, b.index(all)), b.index(kept))
    return b.add(b.multiply(line, kept), inLine)
  }

  /// The place of a row with a result.
  func place(of result: Register, _ b: KernelBuilder) -> Register {
    let line = b.binary(.floorDivide, result, b.index(kept))
    return b.add(b.multiply(line, all), b.binary(.modulo, result, b.index(kept)))
  }
}
