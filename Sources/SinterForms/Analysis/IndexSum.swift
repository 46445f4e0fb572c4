import SinterCore

/// An index as a sum of multiples: Σ coefficient · atom + constant. Atoms are expressions that are no sums themselves: axes, quotients,
/// remainders, loaded indices.
struct IndexSum: Hashable {
  struct Term: Hashable {
    var atom: ExprID
    var coefficient: Dim
  }

  /// Sorted by atom, each atom once, no coefficient zero.
  var terms: [Term]
  var constant: Dim

  init(constant: Dim) {
    terms = []
    self.constant = constant
  }

  init(atom: ExprID) {
    terms = [Term(atom: atom, coefficient: 1)]
    constant = 0
  }

  init(terms: [Term], constant: Dim) {
    self.constant = constant
    self.terms = []
    for term in terms.sorted(by: { $0.atom < $1.atom }) {
      if let last = self.terms.last, last.atom == term.atom {
        self.terms[self.terms.count - 1].coefficient = last.coefficient + term.coefficient
      } else {
        self.terms.append(term)
      }
    }
    self.terms.removeAll { $0.coefficient == 0 }
  }

  /// The size that it is, where no atom is involved.
  var dim: Dim? { terms.isEmpty ? constant : nil }

  /// The atom that it is, where it is just one.
  var atom: ExprID? {
    terms.count == 1 && constant == 0 && terms[0].coefficient == 1 ? terms[0].atom : nil
  }

  static func + (a: IndexSum, b: IndexSum) -> IndexSum {
    IndexSum(terms: a.terms + b.terms, constant: a.constant + b.constant)
  }

  static func - (a: IndexSum, b: IndexSum) -> IndexSum { a + b.scaled(by: -1) }

  func scaled(by factor: Dim) -> IndexSum {
    IndexSum(
      terms: terms.map { Term(atom: $0.atom, coefficient: $0.coefficient * factor) }, constant: constant * factor)
  }

  /// This as `divisor · whole + rest`, where `rest` keeps what the divisor does not divide.
  func split(by divisor: Dim) -> (whole: IndexSum, rest: IndexSum) {
    var whole = IndexSum(constant: 0)
    var rest = IndexSum(constant: 0)
    for term in terms {
      if let quotient = term.coefficient.exactQuotient(by: divisor) {
        whole.terms.append(Term(atom: term.atom, coefficient: quotient))
      } else {
        rest.terms.append(term)
      }
    }
    if let quotient = constant.exactQuotient(by: divisor) {
      whole.constant = quotient
    } else if let value = constant.value, let number = divisor.value, number > 0 {
      let quotient = Dim(value) / divisor
      whole.constant = quotient
      rest.constant = constant - quotient * Dim(number)
    } else {
      rest.constant = constant
    }
    return (whole, rest)
  }
}
