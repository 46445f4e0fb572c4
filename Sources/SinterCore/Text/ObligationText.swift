extension Obligation {
  /// As text forms have it: `equal(batch, count) "axis 0" "Add" "node /add"`.
  package var text: String {
    "\(relation.rawValue)(\(left), \(right)) " + ([subject, op] + origin).map(TensorText.quoted).joined(separator: " ")
  }
}

extension TextScanner {
  /// Reads what `Obligation.text` writes.
  package mutating func obligation() throws -> Obligation {
    let name = word()
    guard let relation = Obligation.Relation(rawValue: name) else {
      throw error("there is no relation '\(name)' between sizes")
    }
    try expect("(")
    let left = try size()
    try expect(",")
    let right = try size()
    try expect(")")
    let subject = try quoted()
    let op = try quoted()
    var origin: [String] = []
    skipSpaces()
    while peek() == UInt8(ascii: "\"") {
      origin.append(try quoted())
      skipSpaces()
    }
    return Obligation(relation, left, right, subject: subject, op: op, origin: origin)
  }

  /// A symbol's name.
  package mutating func symbol() -> Symbol { take("$") ? Symbol("$" + word()) : Symbol(word()) }
}
