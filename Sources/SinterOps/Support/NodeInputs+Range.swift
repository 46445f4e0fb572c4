import SinterCore
import SinterIR

extension NodeInputs {
  /// Throws where integers that are known ahead of time do not lie in `least ..< bound`: what a check would tell when the model runs is an
  /// error of the compiler where nothing can change it.
  ///
  /// - Parameters:
  ///   - name: what they are, as in "position".
  ///   - ignored: a number that may stand for none.
  func requireKnown(_ index: Int, _ name: String, from least: Int = 0, below bound: Dim, ignoring ignored: Int? = nil)
    throws
  {
    guard index < facts.count, let numbers = constant(index)?.integers ?? integers(index) else { return }
    let isWrong = { (number: Int) in number != ignored && (number < least || bound.value.map { number >= $0 } ?? false)
    }
    guard let place = numbers.firstIndex(where: isWrong) else { return }
    throw DiagnosticError(
      .user, "operator.index",
      "\(name) \(numbers[place]) (element \(place) of input \(index)) does not lie in \(least) ..< \(bound)",
      hint: "mend the constant")
  }
}
