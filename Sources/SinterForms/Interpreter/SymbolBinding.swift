import SinterCore

/// Finds the values of symbols from the shapes of a program's inputs.
package enum SymbolBinding {
  static func bind(
    _ program: FormProgram, to inputs: [(element: ElementType, shape: [Int])], symbols given: [Symbol: Int]
  ) throws -> [Symbol: Int] {
    // Callers' sizes are held against what they know; what is known besides follows from what the program requires of them.
    let ports = program.inputs.map { ($0.name, $0.declared ?? program.values[$0.value].type) }
    var symbols = try bind(ports, ranges: program.ranges, to: inputs, symbols: given)
    for (input, tensor) in zip(program.inputs, inputs) {
      for (dim, size) in zip(program.values[input.value].type.shape, tensor.shape) {
        if let symbol = dim.symbol, symbols[symbol] == nil { symbols[symbol] = size }
      }
    }
    return symbols
  }

  /// - Throws: a `user` error for each input whose type, rank or size does not fit, all at once.
  package static func bind(
    _ ports: [(name: String, type: TensorType)], ranges: [Symbol: ClosedRange<Int>],
    to inputs: [(element: ElementType, shape: [Int])], symbols given: [Symbol: Int]
  ) throws -> [Symbol: Int] {
    guard inputs.count == ports.count else {
      throw DiagnosticError(.user, "run.inputs", "expected \(ports.count) inputs, but \(inputs.count) are given")
    }
    var symbols = given
    var problems: [Diagnostic] = []
    var checks: [(name: String, axis: Int, expected: Dim, given: Int)] = []
    for (input, tensor) in zip(ports, inputs) {
      let type = input.type
      guard type.element == tensor.element, type.rank == tensor.shape.count else {
        problems.append(
          Diagnostic(
            .user, "run.type",
            "input \(input.name): expected \(type), but \(TensorType(tensor.element, tensor.shape.map { Dim($0) })) is given"
          ))
        continue
      }
      for (axis, (dim, size)) in zip(type.shape, tensor.shape).enumerated() {
        if let symbol = dim.symbol, symbols[symbol] == nil { symbols[symbol] = size }
        checks.append((input.name, axis, dim, size))
      }
    }
    for check in checks {
      let expected = check.expected.evaluated { symbols[$0] }
      if expected != check.given {
        let number =
          expected.map { check.expected.isConstant ? "\($0)" : "\(check.expected) = \($0)" } ?? "\(check.expected)"
        problems.append(
          Diagnostic(
            .user, "run.shape", "input \(check.name): axis \(check.axis) must be \(number), but is \(check.given)"))
      }
    }
    for (symbol, range) in ranges.sorted(by: { $0.key < $1.key }) {
      if let value = symbols[symbol], !range.contains(value) {
        problems.append(
          Diagnostic(
            .user, "run.range",
            "\(symbol.name) must lie in \(range.lowerBound) ... \(range.upperBound), but is \(value)"))
      }
    }
    guard problems.isEmpty else { throw DiagnosticError(problems) }
    return symbols
  }
}
