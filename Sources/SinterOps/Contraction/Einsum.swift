import SinterCore
import SinterForms
import SinterIR

/// Sums of products over named axes: `bij,bjk->bik`. Letters that the result lacks are summed over; `…` stands for axes that broadcast.
public struct Einsum: Primitive {
  public static let name = "Einsum"
  public static let summary = "Sums of products over named axes."

  /// Letters of each input's axes, commas between, and behind `->` those of the result; without it, all letters that
  /// occur once, in alphabetical order, behind the axes that broadcast.
  public var equation = ""

  public init() {}
  /// The sum of products that an equation describes.
  public init(_ equation: String) { self.equation = equation }

  public mutating func attributes(_ list: inout some AttributeList) { list.string("equation", &equation, default: "") }
  public static var onnx: [OnnxRule] { [.direct(Einsum.self, since: 12)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 12) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let types = try (0..<inputs.count).map { try inputs.tensor($0) }
    try requireElement(try inputs.tensor(0)) { $0.isFloat || $0.isInteger }
    if let odd = types.first(where: { $0.element != types[0].element }) {
      throw DiagnosticError(.user, "operator.type", "inputs must have one element type, but are \(types[0]) and \(odd)")
    }
    let plan = try EinsumPlan(equation, types.map(\.shape), &obligations)
    return [Fact(types[0].element, plan.result.map { plan.size($0) })]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let operands = try node.inputs.indices.map { try node.input($0) }
    var settled = Obligations()
    let plan = try EinsumPlan(equation, operands.map(\.shape), &settled)
    let element = operands[0].element
    var left = Term(operand: operands[0], axes: plan.terms[0])
    for index in 1..<operands.count {
      let right = Term(operand: operands[index], axes: plan.terms[index])
      // Axes that no later operand and not the result has are summed over now.
      let needed = Set(plan.result + plan.terms[(index + 1)...].flatMap { $0 })
      left = try product(left, right, keeping: needed, plan, &lowering)
    }
    let needed = Set(plan.result)
    let summed = EinsumPlan.distinct(left.axes).filter { !needed.contains($0) }
    let (last, compute) = (left, element.computeType)
    let value: Operand
    if summed.isEmpty {
      if last.axes == plan.result && last.operand.shape == plan.result.map({ plan.size($0) }) {
        return [try lowering.cast(last.operand, to: element)]
      }
      value = try lowering.element(plan.result.map { plan.size($0) }) { builder, index in
        last.load(builder, plan, Dictionary(zip(plan.result, index)) { a, _ in a })
      }
    } else {
      value = try lowering.reduce(.sum, plan.result.map { plan.size($0) }, over: summed.map { plan.size($0) }) {
        builder, index, inner in
        last.load(builder, plan, Dictionary(zip(plan.result + summed, index + inner)) { a, _ in a }).cast(to: compute)
      }
    }
    return [try lowering.cast(value, to: element)]
  }

  /// An operand and the names of its axes.
  private struct Term {
    var operand: Operand
    var axes: [EinsumPlan.Axis]

    /// The element at given places of the named axes; an axis of size 1 broadcasts.
    func load(_ builder: BodyBuilder, _ plan: EinsumPlan, _ places: [EinsumPlan.Axis: Expr]) -> Expr {
      let joint = axes.map { plan.size($0) }
      let index = axes.map { places[$0] ?? builder.constant(0, .i64) }
      return builder.load(operand.id, Broadcast.index(builder, index, of: joint, into: operand.shape))
    }
  }

  private func product(
    _ a: Term, _ b: Term, keeping needed: Set<EinsumPlan.Axis>, _ plan: EinsumPlan, _ lowering: inout Lowering
  ) throws -> Term {
    let (left, right) = (EinsumPlan.distinct(a.axes), EinsumPlan.distinct(b.axes))
    let batch = left.filter { right.contains($0) && needed.contains($0) }
    let m = left.filter { !right.contains($0) && needed.contains($0) }
    let n = right.filter { !left.contains($0) && needed.contains($0) }
    let k = EinsumPlan.distinct(left + right).filter { !needed.contains($0) }
    func sizes(_ axes: [EinsumPlan.Axis]) -> [Dim] { axes.map { plan.size($0) } }
    let operand = try lowering.contract(
      batch: sizes(batch), m: sizes(m), n: sizes(n), k: sizes(k), accumulate: a.operand.element.computeType,
      lhs: { builder, batchIndex, own, inner in
        a.load(builder, plan, Dictionary(zip(batch + m + k, batchIndex + own + inner)) { x, _ in x })
      },
      rhs: { builder, batchIndex, own, inner in
        b.load(builder, plan, Dictionary(zip(batch + n + k, batchIndex + own + inner)) { x, _ in x })
      })
    return Term(operand: operand, axes: batch + m + n)
  }

  public static var examples: [OperatorExample] {
    func example(_ equation: String, _ shapes: [[Dim]], _ sizes: [Symbol: Int] = [:]) -> OperatorExample {
      OperatorExample(Einsum(equation), shapes.map { .random(TensorType(.f32, $0), -1...1) }, sizes: sizes)
    }
    let n = [Symbol("n"): 3]
    return [
      example("bij,bjk->bik", [["n", 2, 4], ["n", 4, 5]], n), example("ij->ji", [["n", 2]], n),
      example("ii->i", [[3, 3]]),
      example("i,i", [[5], [5]]), example("...ij,...jk->...ik", [[2, 1, 3, 4], [5, 4, 2]]),
      example("ij->j", [["n", 4]], n),
      example("ij,jk,kl->il", [[2, 3], [3, 4], [4, 2]]), example("ab,cd->abcd", [[2, 3], [4, 1]]),
      example(
        "iij,jk->ik", [["a", "b", "c"], ["d", "e"]],
        [Symbol("a"): 2, Symbol("b"): 2, Symbol("c"): 1, Symbol("d"): 3, Symbol("e"): 4]),
    ]
  }
}

/// An equation read for operands of given shapes: the axes of each and of the result, and how long each is.
struct EinsumPlan {
  /// A letter, or one of the axes that `…` stands for, counted from the last.
  enum Axis: Hashable {
    case letter(Character)
    case broadcast(Int)

    var text: String {
      switch self {
      case .letter(let letter): "axis \(letter)"
      case .broadcast(let place): "axis …\(place)"
      }
    }
  }

  private(set) var terms: [[Axis]] = []
  private(set) var result: [Axis] = []
  private var sizes: [Axis: Dim] = [:]

  func size(_ axis: Axis) -> Dim { sizes[axis] ?? 1 }

  static func distinct(_ axes: [Axis]) -> [Axis] {
    var seen: Set<Axis> = []
    return axes.filter { seen.insert($0).inserted }
  }

  init(_ equation: String, _ shapes: [[Dim]], _ obligations: inout Obligations) throws {
    func wrong(_ message: String) -> DiagnosticError {
      DiagnosticError(.user, "einsum.equation", "equation \"\(equation)\" \(message)")
    }
    let text = Array(equation.filter { $0 != " " })
    var (input, output) = (text, [Character]?.none)
    if let arrow = text.indices.dropLast().first(where: { text[$0] == "-" && text[$0 + 1] == ">" }) {
      input = Array(text[..<arrow])
      output = Array(text[(arrow + 2)...])
    }
    let parts = input.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count == shapes.count else { throw wrong("has \(parts.count) operands, but \(shapes.count) are given") }

    /// The axes of one operand; `rank` tells how many `…` is.
    func axes(_ part: some Collection<Character>, broadcast: (Int) -> Int) throws -> [Axis] {
      var result: [Axis] = []
      var rest = Array(part)[...]
      let letters = rest.filter { $0 != "." }.count
      while let next = rest.popFirst() {
        if next == "." {
          guard rest.first == ".", rest.dropFirst().first == "." else { throw wrong("has a single dot") }
          rest = rest.dropFirst(2)
          let count = broadcast(letters)
          guard count >= 0 else { throw wrong("names more axes than an operand has") }
          result += (0..<count).reversed().map { .broadcast($0) }
        } else if next.isLetter {
          result.append(.letter(next))
        } else {
          throw wrong("holds \"\(next)\"; axes are letters")
        }
      }
      return result
    }
    for (part, shape) in zip(parts, shapes) {
      let own = try axes(part) { shape.count - $0 }
      guard own.count == shape.count else {
        throw wrong("names \(own.count) axes of an operand that has \(shape.count)")
      }
      func subject(_ axis: Axis) -> String { "sizes of \(axis.text) of equation \"\(equation)\"" }
      // Several axes of one operand are its diagonal: no broadcasting there.
      var inside: [Axis: Dim] = [:]
      for (axis, size) in zip(own, shape) {
        inside[axis] =
          try inside[axis].map { try obligations.equal($0, size, subject(axis) + " in one operand") } ?? size
      }
      for axis in Self.distinct(own) {
        guard let size = inside[axis] else { continue }
        sizes[axis] = try sizes[axis].map { try obligations.joint($0, size, subject(axis)) } ?? size
      }
      terms.append(own)
    }
    let all = terms.flatMap { $0 }
    let broadcast = Self.distinct(all).compactMap { if case .broadcast(let n) = $0 { n + 1 } else { nil } }.max() ?? 0
    if let output {
      result = try axes(output) { _ in broadcast }
      if let unknown = result.first(where: { sizes[$0] == nil }) {
        throw wrong("has an axis in its result only: \(unknown)")
      }
    } else {
      // Without an arrow: the broadcast axes, then the letters that occur once, sorted.
      let letters = all.compactMap { if case .letter(let c) = $0 { c } else { nil } }
      let single = Set(letters).filter { c in letters.filter { $0 == c }.count == 1 }.sorted()
      result = (0..<broadcast).reversed().map { .broadcast($0) } + single.map { .letter($0) }
    }
  }
}

extension Einsum: Differentiable {
  /// Of each operand, the sum of products of the gradient and of the other operands over all axes that it lacks. Axes that it alone has are
  /// repeated; its diagonals are diagonals.
  public func gradients(_ node: GradientNode) throws -> [GradientTensor?] {
    let operands = try node.inputs.indices.map { try node.input($0) }
    var settled = Obligations()
    let plan = try EinsumPlan(equation, try operands.map { try $0.shape }, &settled)
    let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    let all = EinsumPlan.distinct(plan.terms.flatMap { $0 })
    guard all.count <= letters.count else {
      throw DiagnosticError(.limit, "gradient.operator", "an equation of \(all.count) axes cannot be differentiated")
    }
    let names = Dictionary(uniqueKeysWithValues: zip(all, letters))
    func text(_ axes: [EinsumPlan.Axis]) -> String { String(axes.compactMap { names[$0] }) }
    let g = try node.gradient()
    return try operands.indices.map { index in
      guard node.wants(index) else { return nil }
      let (x, own) = (operands[index], plan.terms[index])
      let others = operands.indices.filter { $0 != index }
      let factors = [plan.result] + others.map { plan.terms[$0] }
      let distinct = EinsumPlan.distinct(own)
      let reached = distinct.filter { axis in factors.contains { $0.contains(axis) } }
      let equation = factors.map(text).joined(separator: ",") + "->" + text(reached)
      var value = try node.tape.add(Einsum(equation), [g] + others.map { operands[$0] })[0]
      // Axes that the operand alone has, and the further places of those that it has twice.
      var seen: Set<EinsumPlan.Axis> = []
      value = try value.unsqueezed(own.indices.filter { !seen.insert(own[$0]).inserted || !reached.contains(own[$0]) })
      for (place, axis) in own.enumerated() {
        guard let first = own.firstIndex(of: axis), first < place else { continue }
        func places(_ at: Int) throws -> GradientTensor {
          try x.positions(along: at).unsqueezed(own.indices.filter { $0 != at })
        }
        value = try value.kept(where: try places(first).compare(.equal, places(place)))
      }
      return try (value + x.zeros()).summed(to: x)
    }
  }
}
