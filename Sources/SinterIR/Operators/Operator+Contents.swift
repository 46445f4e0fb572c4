import SinterCore
import SinterForms

extension Operator {
  /// What `infer` says, with the elements of small results followed as sizes where those of all inputs are known.
  ///
  /// Shapes are often computed: `Shape`, `Gather`, `Concat`, `Reshape`. No operator has rules of its own for that: its forms are interpreted with
  /// sizes for numbers.
  public func inferWithContents(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    var facts = try infer(inputs, requiring: &obligations)
    for (result, fact) in facts.enumerated() { try fact.checkExtent(result) }
    let count = Swift.min(facts.count, inputs.outputCount)
    if isDeterministic && inputs.followFromSizes {
      for index in facts.indices where facts[index].contents == nil { facts[index].followsFromSizes = true }
    }
    let open = facts.indices.prefix(count).filter { facts[$0].canHaveContents && facts[$0].contents == nil }
    guard !open.isEmpty, isDeterministic, inputs.bodies.isEmpty, inputs.areAllKnown,
      let contents = try? contents(of: inputs, outputs: Array(facts.prefix(count)))
    else { return facts }
    for index in open {
      guard let scalars = contents[index], scalars.count == facts[index].type.tensor?.count.value else { continue }
      let dims = scalars.compactMap(\.dim)
      if dims.count == scalars.count { facts[index].contents = dims } else { facts[index].scalars = scalars }
    }
    return facts
  }

  private func contents(of inputs: NodeInputs, outputs: [Fact]) throws -> [[SymbolicScalar]?] {
    var lowering = Lowering(name: Self.name)
    var operands: [Operand?] = []
    var known: [FormSymbolicInterpreter.Contents] = []
    for (index, fact) in inputs.facts.enumerated() {
      guard let fact, let type = fact.type.tensor else {
        operands.append(nil)
        continue
      }
      operands.append(lowering.input(type, named: "input\(index)"))
      known.append(
        fact.contents.map { .sizes($0) } ?? fact.scalars.map { .scalars($0) }
          ?? inputs.constant(index).map { .tensor($0) } ?? .unknown)
    }
    let results: [Operand]
    if let primitive = self as? any Primitive {
      results = try primitive.lower(LoweringNode(inputs: operands, facts: inputs, outputs: outputs), into: &lowering)
    } else if let composite = self as? any Composite {
      let expansion = try composite.expansion(inputs)
      var bound: [ValueID: Operand] = [:]
      for (inner, operand) in zip(expansion.inputs, operands) {
        if let inner, let operand { bound[inner] = operand }
      }
      results = try expansion.graph.lower(into: &lowering, bound: bound)
    } else {
      return outputs.map { _ in nil }
    }
    for (index, result) in results.enumerated() { lowering.output(result, named: "result\(index)") }
    return FormSymbolicInterpreter.run(lowering.program, known)
  }
}

extension NodeInputs {
  /// Whether the elements of all inputs follow from sizes and constants, those of one from sizes.
  fileprivate var followFromSizes: Bool {
    var found = false
    for (index, fact) in facts.enumerated() {
      guard let fact, constant(index) == nil else { continue }
      guard fact.contents != nil || fact.scalars != nil || fact.followsFromSizes, fact.dataSymbols.isEmpty else {
        return false
      }
      found = true
    }
    return found && bodies.isEmpty
  }

  /// Whether the elements of all inputs are known, and not all because they are constants of other types than integers: those are for
  /// constant folding.
  fileprivate var areAllKnown: Bool {
    var followsSizes = false
    for (index, fact) in facts.enumerated() {
      guard let fact else { continue }
      if fact.contents != nil || fact.scalars != nil {
        followsSizes = true
      } else if constant(index).map({ $0.count <= Fact.contentsLimit }) != true {
        return false
      }
    }
    return followsSizes
  }
}

extension Fact {
  /// No processor addresses more bytes than this.
  private static let byteLimit = 1 << 47

  /// Throws where a result is known ahead of time to be of a size that nothing can have.
  fileprivate func checkExtent(_ result: Int) throws {
    guard let type = type.tensor else { return }
    for (axis, size) in type.shape.enumerated() {
      if size.isOverflow {
        throw DiagnosticError(
          .user, "size.overflow", "axis \(axis) of result \(result) would have more elements than 64 bits count")
      }
      if let number = size.value, number < 0 {
        throw DiagnosticError(
          .user, "size.negative", "axis \(axis) of result \(result) would have the size \(number), of \(type)")
      }
    }
    let count = type.count
    let most = Self.byteLimit / max(1, type.element.bits / 8)
    // One element of what a symbol counts would be too much: only a tensor without elements could exist.
    let isBeyond = count.terms.contains { $0.coefficient.magnitude > UInt(most) }
    if count.isOverflow || count.value.map({ $0 > most }) ?? isBeyond {
      throw DiagnosticError(
        .limit, "size.bytes", "result \(result) would be \(type), which no memory holds", hint: "make it smaller")
    }
  }

  /// Whether this is a tensor whose elements are followed: few numbers or truth values.
  fileprivate var canHaveContents: Bool {
    guard let type = type.tensor, let count = type.count.value, count <= Fact.contentsLimit else { return false }
    switch type.element {
    case .f32, .f64, .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool: return true
    case .f16, .bf16, .string, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4, .u4,
      .i2,
      .u2:
      return false
    }
  }
}
