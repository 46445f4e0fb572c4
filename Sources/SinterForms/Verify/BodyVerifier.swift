import SinterCore

/// Checks one body:
///
/// - Arguments come before their users; axes exist; indices and sizes are i64, conditions are truth values.
/// - A load has an index per axis of its value and that value's element type.
/// - Both sides of arithmetic have the type of the result; both sides of a comparison one type, and its result is a truth value.
/// - A text is cast to its number, an i64, and back, and to nothing else. Bits are reread at equal width only. Errors that checks report exist.
struct BodyVerifier {
  let program: FormProgram
  let axes: Int
  /// The type of `accumulator(0)`; nil where there is none.
  let accumulator: ElementType?
  private(set) var problems: [String] = []

  init(program: FormProgram, axes: Int, accumulator: ElementType?) {
    self.program = program
    self.axes = axes
    self.accumulator = accumulator
  }

  /// The types of the results.
  mutating func check(_ body: Body) -> [ElementType] {
    for (index, expr) in body.exprs.enumerated() {
      let early = expr.node.arguments.allSatisfy { $0.position >= 0 && $0.position < index }
      let problem = early ? Self.problem(expr, body, self) : "an argument comes later"
      if let problem { problems.append("\(ExprID(index)): \(problem)") }
    }
    let results = body.results.filter { body.exprs.indices.contains($0.position) }
    if results.count != body.results.count { problems.append("a result does not exist") }
    if results.isEmpty { problems.append("there is no result") }
    return results.map { body[$0].type }
  }

  private static func problem(_ expr: Body.Expr, _ body: Body, _ rules: BodyVerifier) -> String? {
    func type(_ id: ExprID) -> ElementType { body[id].type }
    switch expr.node {
    case .constant(.float): return expr.type.isFloat ? nil : "a float as \(expr.type)"
    case .constant(.int): return expr.type.isFloat ? "an integer as \(expr.type)" : nil
    case .axis(let n):
      if !(0..<rules.axes).contains(n) { return "axis \(n) of \(rules.axes)" }
      return expr.type == .i64 ? nil : "an axis as \(expr.type)"
    case .size: return expr.type == .i64 ? nil : "a size as \(expr.type)"
    case .load(let value, let indices, let condition, _):
      guard rules.program.values.contains(value) else { return "\(value) does not exist" }
      let loaded = rules.program.values[value].type
      if indices.count != loaded.rank { return "\(indices.count) indices into \(loaded)" }
      if let wrong = indices.first(where: { type($0) != .i64 }) { return "an index of type \(type(wrong))" }
      if let condition, type(condition) != .bool { return "a condition of type \(type(condition))" }
      return loaded.element == expr.type ? nil : "an element of \(loaded) as \(expr.type)"
    case .accumulator(let n):
      guard n == 0, let known = rules.accumulator else { return "there is no accumulator \(n)" }
      return known == expr.type ? nil : "the accumulator is \(known), not \(expr.type)"
    case .unary(let function, let a):
      let expected = function == .isNaN ? .bool : type(a)
      return expr.type == expected ? nil : "\(function.rawValue) of \(type(a)) as \(expr.type)"
    case .binary(let function, let a, let b):
      return type(a) == type(b) && type(a) == expr.type
        ? nil : "\(function.rawValue) of \(type(a)) and \(type(b)) as \(expr.type)"
    case .compare(let comparison, let a, let b):
      return type(a) == type(b) && expr.type == .bool
        ? nil : "\(comparison.rawValue) of \(type(a)) and \(type(b)) as \(expr.type)"
    case .select(let condition, let a, let b):
      return type(condition) == .bool && type(a) == type(b) && type(a) == expr.type
        ? nil : "select of \(type(condition)), \(type(a)) and \(type(b)) as \(expr.type)"
    case .cast(let a):
      let types = [type(a), expr.type]
      return types.contains(.string) && !types.contains(.i64) ? "\(type(a)) as \(expr.type)" : nil
    case .bitcast(let a): return type(a).bits == expr.type.bits ? nil : "the bits of \(type(a)) as \(expr.type)"
    case .checked(let a, let bound, let error):
      if type(a) != expr.type || type(bound) != expr.type {
        return "checked \(type(a)) below \(type(bound)) as \(expr.type)"
      }
      return rules.program.errors.indices.contains(error) ? nil : "there is no error \(error)"
    }
  }
}
