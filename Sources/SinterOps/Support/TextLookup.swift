import SinterCore
import SinterForms

/// A table from texts that are known when a model is compiled to values, and what every other text becomes.
///
/// The numbers of the keys are known as well, so that a look-up is one load: the table has a row for each number up to the greatest of the
/// keys', and one behind them for all other texts.
struct TextLookup {
  private let rows: Operand
  private let bound: Int

  /// - Parameters:
  ///   - keys: of equal ones the first counts.
  ///   - table: makes the table from the place among the keys that each row is of; the number of keys stands for all other texts.
  init(keys: [String], into lowering: inout Lowering, table: ([Int]) -> HostTensor) {
    let (numbers, bound) = lowering.numbers(of: keys)
    var places = [Int](repeating: keys.count, count: bound + 1)
    for (place, number) in numbers.enumerated().reversed() { places[number] = place }
    self.bound = bound
    rows = lowering.constant(table(places))
  }

  /// The value of a text.
  func value(_ builder: BodyBuilder, of text: Expr) -> Expr {
    let number = text.cast(to: .i64)
    return builder.load(
      rows.id, [bound == 0 ? builder.constant(0, .i64) : number.minimum(builder.constant(bound, .i64))])
  }
}
