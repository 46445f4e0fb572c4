import SinterCore

extension Lowering {
  /// The number of a text that is known when the program is compiled. In bodies, a text cast to i64 is its number.
  public mutating func number(of text: String) -> Int { program.texts.number(of: text) }

  /// A number for each different text, and one more than the greatest of them. No other text of a run has one of these numbers.
  public mutating func numbers(of texts: [String]) -> (numbers: [Int], bound: Int) {
    let numbers = texts.map { number(of: $0) }
    return (numbers, (numbers.max() ?? -1) + 1)
  }

  /// What a function of the runtime computes.
  public mutating func call(
    _ function: RuntimeFunction, _ operands: [Operand], _ parameters: [Int64] = [], gives type: TensorType
  ) -> Operand {
    add(.call(CallForm(function, operands: operands.map(\.id), parameters: parameters)), type)
  }
}
