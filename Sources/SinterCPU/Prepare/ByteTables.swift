import SinterCore
import SinterForms

/// Replaces what a body computes from one byte alone, and leaves as a byte, by a table of 256 bytes.
///
/// Quantized models are full of it: an activation between DequantizeLinear and QuantizeLinear, such as x · sigmoid(x) with a byte after the
/// sigmoid too, is a function from a byte to a byte, however long its formula. The table holds what the interpreter computes, so
/// that every processor gives the same bytes. A lookup is a load of a constant by a byte widened to an index, which `BodyEmitter` has a statement for.
///
/// Members of row groups keep their formulas: what they read lies in registers.
package struct ByteTables {
  /// Instructions for a vector of f32 from which on a lookup is the shorter way, on processors without a permutation of bytes too.
  static let leastCost = 12
  static let count = 256

  private var program: FormProgram
  private var known: [[UInt8]: [ElementType: FormValueID]] = [:]

  /// The same program with such tables.
  package static func applied(to program: FormProgram) -> FormProgram {
    var tables = ByteTables(program: program)
    tables.program.steps = tables.rewritten(program.steps)
    return tables.program
  }

  private init(program: FormProgram) { self.program = program }

  private mutating func rewritten(_ steps: [FormProgram.Step]) -> [FormProgram.Step] {
    steps.map { step in
      switch step {
      case .compute(let value, let form):
        return .compute(
          value, form.mapBodies(program.values[value].type.shape) { slot, _, body in rewritten(body, slot) })
      case .repetition(var repetition):
        repetition.body = rewritten(repetition.body)
        return .repetition(repetition)
      case .branch(var branch):
        branch.then = rewritten(branch.then)
        branch.otherwise = rewritten(branch.otherwise)
        return .branch(branch)
      case .rows, .define, .require: return step
      }
    }
  }

  private mutating func rewritten(_ body: Body, _ slot: BodySlot) -> Body {
    switch slot {
    case .element, .reduce, .epilogue: break
    // Operands of products are read as memory, and what decides an order or a place is computed once.
    case .contractLeft, .contractRight, .attendQuery, .attendKey, .attendScore, .attendValue, .scan, .scatterBase,
      .scatterUpdate, .sort:
      return body
    }
    if !body.exprs.contains(where: { $0.type.isByte }) { return body }
    let sources = ByteSources(body)
    var found: [ExprID: FormValueID] = [:]
    var visited: Set<ExprID> = []
    var open = body.results
    while let id = open.popLast() {
      guard visited.insert(id).inserted else { continue }
      if let source = sources.source(of: id), let chain = sources.chain(to: id), chain.cost >= Self.leastCost,
        let table = table(chain)
      {
        found[id] = table
        open.append(source)
      } else {
        open += body[id].node.arguments
      }
    }
    return found.isEmpty ? body : body.looking(up: found, from: sources)
  }

  /// A constant with what a body computes for each byte, its only axis.
  private mutating func table(_ chain: Body) -> FormValueID? {
    let element = chain[chain.results[0]].type
    let type = TensorType(element, [Dim(Self.count)])
    var alone = FormProgram(name: "table")
    let result = alone.values.append(.init(type: type))
    alone.steps = [.compute(result, .element(ElementForm(body: chain)))]
    alone.outputs = [.init(value: result, name: "table")]
    guard let tensor = try? FormInterpreter(alone).run([])[0] else { return nil }
    let bytes = tensor.bytes.withBytes(Array.init)
    if let same = known[bytes]?[element] { return same }
    let value = program.values.append(.init(type: type, name: "table", constant: tensor))
    known[bytes, default: [:]][element] = value
    return value
  }
}

/// For each expression of a body, the byte that it is a function of.
private struct ByteSources {
  private enum Source: Hashable {
    case constant
    /// The expression of a byte; a byte that nothing else determines is its own.
    case byte(ExprID)
    case other
  }

  private let body: Body
  private var sources: [Source] = []

  init(_ body: Body) {
    self.body = body
    for (position, expr) in body.exprs.enumerated() {
      var source = Source.other
      switch expr.node {
      case .constant: source = .constant
      case .axis, .size, .load, .accumulator, .checked: break
      case .unary, .binary, .compare, .select, .cast, .bitcast:
        let found = Set(expr.node.arguments.map { sources[$0.position] }).subtracting([.constant])
        source = found.count > 1 ? .other : found.first ?? .constant
      }
      if source == .other, expr.type.isByte { source = .byte(ExprID(position)) }
      sources.append(source)
    }
  }

  /// The other byte that determines this one.
  func source(of id: ExprID) -> ExprID? {
    guard body[id].type.isByte, case .byte(let source) = sources[id.position], source != id else { return nil }
    return source
  }

  /// The byte `id` as a function of an axis of 256 places, which stand for the bits of the byte that determines it.
  func chain(to id: ExprID) -> Body? {
    guard let source = source(of: id) else { return nil }
    let builder = BodyBuilder { _ in body[source].type }
    let byte = builder.append(.cast(builder.axis(0).id), .u8)
    let first = body[source].type == .u8 ? byte : builder.append(.bitcast(byte.id), body[source].type)
    var new: [ExprID: Expr] = [source: first]
    for position in body.exprs.indices where position <= id.position {
      let at = ExprID(position)
      switch sources[position] {
      case .byte(source) where at != source: break
      case .constant: break
      case .byte, .other: continue
      }
      new[at] = builder.append(body[at].node.mapArguments { new[$0]?.id ?? $0 }, body[at].type)
    }
    return new[id].map { builder.body([$0]) }
  }
}

extension Body {
  /// The same body with lookups in place of some bytes that others determine.
  fileprivate func looking(up tables: [ExprID: FormValueID], from sources: ByteSources) -> Body {
    var result = Body()
    var new: [ExprID] = []
    func append(_ node: ExprNode, _ type: ElementType) -> ExprID {
      result.exprs.append(Expr(node: node, type: type))
      return ExprID(result.exprs.count - 1)
    }
    for (position, expr) in exprs.enumerated() {
      guard let table = tables[ExprID(position)], let source = sources.source(of: ExprID(position)) else {
        new.append(append(expr.node.mapArguments { new[$0.position] }, expr.type))
        continue
      }
      let byte = new[source.position]
      let bits = self[source].type == .u8 ? byte : append(.bitcast(byte), .u8)
      new.append(append(.load(table, [append(.cast(bits), .i64)], condition: nil, otherwise: .int(0)), expr.type))
    }
    result.results = results.map { new[$0.position] }
    return result.pruned()
  }
}

extension ElementType {
  fileprivate var isByte: Bool { self == .u8 || self == .i8 }
}
