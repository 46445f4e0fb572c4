import SinterCore
import SinterForms

/// Makes random programs of relayouts, arithmetic, reductions and the rest, and inputs for them.
package struct RandomForms {
  var random: SeededGenerator
  /// Sizes stand for symbols where this is set.
  let isSymbolic: Bool
  package private(set) var lowering: Lowering
  package private(set) var inputs: [HostTensor] = []
  private var values: [Operand] = []

  private static let symbols: [Symbol: Int] = [Symbol("n"): 3, Symbol("m"): 4]

  package init(seed: Int, isSymbolic: Bool) {
    random = SeededGenerator(seed: UInt64(seed))
    self.isSymbolic = isSymbolic
    lowering = Lowering(name: "random\(seed)")
  }

  private mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &random)] }
  private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

  private func evaluated(_ dim: Dim) -> Int { dim.evaluated { Self.symbols[$0] } ?? 0 }

  private mutating func dim() -> Dim {
    let choices: [Dim] = isSymbolic ? ["n", "m", 2, 3, 1] : [1, 2, 3, 4, 6]
    return pick(choices)
  }

  package mutating func program(steps: Int) throws -> FormProgram {
    for index in 0..<3 {
      let shape = (0..<number(1...3)).map { _ in dim() }
      let type = TensorType(.f32, shape)
      values.append(lowering.input(type, named: "x\(index)"))
      let sizes = shape.map { evaluated($0) }
      inputs.append(
        .f32(sizes, (0..<sizes.reduce(1, *)).map { _ in Float(Int.random(in: -8...8, using: &random)) / 4 }))
    }
    // Symbols must be found in inputs.
    if isSymbolic {
      values.append(lowering.input(TensorType(.f32, ["n", "m"]), named: "sizes"))
      inputs.append(.f32([3, 4], (0..<12).map { Float($0) }))
    }
    for _ in 0..<steps {
      if let value = try step() { values.append(value) }
    }
    var taken: Set<FormValueID> = []
    let computed = values.dropFirst(inputs.count)
    for operand in computed.suffix(1)
      + computed.filter({ _ in Bool.random(using: &random) && Bool.random(using: &random) })
    where taken.insert(operand.id).inserted {
      lowering.output(operand, named: "y\(taken.count)")
    }
    return lowering.program
  }

  private mutating func operand() -> Operand { values[Swift.max(0, values.count - 1 - number(0...5))] }

  private mutating func step() throws -> Operand? {
    let x = operand()
    switch number(0...17) {
    case 0, 1:
      let function: UnaryFunction = pick([.exp, .tanh, .negate, .abs, .sqrt])
      return try lowering.element(x.shape) { b, i in b.load(x.id, i).minimum(b.constant(2.0, .f32)).unary(function) }
    case 2, 3:
      return try binary(x, operand())
    case 4: return try transpose(x)
    case 5: return try reshape(x)
    case 6: return try slice(x)
    case 7: return try concat(x, operand())
    case 8: return try pad(x)
    case 9: return try reduce(x)
    case 10: return try contract(x, operand())
    case 11, 14: return try softmax(x)
    case 15: return try normalization(x)
    case 12: return try gather(x)
    case 16: return try quantization(x)
    case 13:
      guard x.rank > 0 else { return nil }
      let axis = number(0...(x.rank - 1))
      return try lowering.scan(.sum, x.shape, axis: axis, exclusive: false, reversed: true) { b, i in b.load(x.id, i) }
    default:
      let rounded = try lowering.element(x.shape) { b, i in b.load(x.id, i).rounded(to: .f16) }
      return try lowering.element(x.shape) { b, i in b.load(rounded.id, i).cast(to: .f32) + 1 }
    }
  }

  private mutating func binary(_ x: Operand, _ y: Operand) throws -> Operand? {
    // Axes are lined up from the last, as ONNX does.
    let rank = Swift.max(x.rank, y.rank)
    var shape: [Dim] = []
    for axis in 0..<rank {
      let a = axis < rank - x.rank ? 1 : x.shape[axis - rank + x.rank]
      let b = axis < rank - y.rank ? 1 : y.shape[axis - rank + y.rank]
      guard a == b || a == 1 || b == 1 else { return nil }
      shape.append(a == 1 ? b : a)
    }
    let function: BinaryFunction = pick([.add, .multiply, .subtract, .maximum])
    func read(_ b: BodyBuilder, _ v: Operand, _ i: [Expr]) -> Expr {
      b.load(
        v.id,
        zip(v.shape, i.suffix(v.rank)).map { size, index in size == 1 ? b.constant(0, .i64) : index })
    }
    return try lowering.element(shape) { b, i in read(b, x, i).applying(function, read(b, y, i)) }
  }

  private mutating func transpose(_ x: Operand) throws -> Operand {
    let order = Array(x.shape.indices).shuffled(using: &random)
    return try lowering.element(order.map { x.shape[$0] }) { b, i in
      var source = i
      for (to, from) in order.enumerated() { source[from] = i[to] }
      return b.load(x.id, source)
    }
  }

  private mutating func reshape(_ x: Operand) throws -> Operand {
    // Merges two axes, or splits one, or sets all anew.
    var shape = x.shape
    switch number(0...2) {
    case 0 where x.rank >= 2:
      let axis = number(0...(x.rank - 2))
      shape.replaceSubrange(axis...(axis + 1), with: [x.shape[axis] * x.shape[axis + 1]])
    case 1 where x.rank >= 1 && x.rank < 4:
      let axis = number(0...(x.rank - 1))
      for factor: Dim in [2, 3, "n", "m"] {
        if let rest = x.shape[axis].exactQuotient(by: factor), evaluated(factor) > 0 {
          shape.replaceSubrange(axis...axis, with: Bool.random(using: &random) ? [factor, rest] : [rest, factor])
          break
        }
      }
    default:
      shape = [x.type.count]
    }
    let result = shape
    return try lowering.element(result) { b, i in
      var position = b.constant(0, .i64)
      for (index, size) in zip(i, result) { position = position * b.size(size) + index }
      var source: [Expr] = []
      for size in x.shape.reversed() {
        source.append(position.modulo(b.size(size)))
        position = position.floorDivided(by: b.size(size))
      }
      return b.load(x.id, source.reversed())
    }
  }

  private mutating func slice(_ x: Operand) throws -> Operand? {
    guard x.rank > 0 else { return nil }
    let axis = number(0...(x.rank - 1))
    guard let size = x.shape[axis].value, size > 1 else { return nil }
    let start = number(0...(size - 1))
    let step = number(1...2)
    var shape = x.shape
    shape[axis] = Dim((size - start + step - 1) / step)
    return try lowering.element(shape) { b, i in
      var source = i
      source[axis] = i[axis] * b.constant(step, .i64) + b.constant(start, .i64)
      return b.load(x.id, source)
    }
  }

  private mutating func concat(_ x: Operand, _ y: Operand) throws -> Operand? {
    guard x.rank == y.rank, x.rank > 0 else { return nil }
    let axis = number(0...(x.rank - 1))
    guard x.shape.indices.allSatisfy({ $0 == axis || x.shape[$0] == y.shape[$0] }) else { return nil }
    var shape = x.shape
    shape[axis] = x.shape[axis] + y.shape[axis]
    return try lowering.element(shape) { b, i in
      let isFirst = i[axis] < b.size(x.shape[axis])
      var second = i
      second[axis] = i[axis] - b.size(x.shape[axis])
      return b.select(isFirst, b.load(x.id, i, where: isFirst), b.load(y.id, second, where: !isFirst))
    }
  }

  private mutating func pad(_ x: Operand) throws -> Operand? {
    guard x.rank > 0 else { return nil }
    let axis = number(0...(x.rank - 1))
    let (before, after) = (number(-1...2), number(0...2))
    guard let size = x.shape[axis].value, size + before + after > 0 else { return nil }
    var shape = x.shape
    shape[axis] = Dim(size + before + after)
    return try lowering.element(shape) { b, i in
      var source = i
      source[axis] = i[axis] - b.constant(before, .i64)
      let isInside = source[axis] >= b.constant(0, .i64) && source[axis] < b.constant(size, .i64)
      return b.load(x.id, source, where: isInside, otherwise: .float(0.5))
    }
  }

  private mutating func reduce(_ x: Operand) throws -> Operand? {
    guard x.rank > 0 else { return nil }
    let axis = number(0...(x.rank - 1))
    let keeps = Bool.random(using: &random)
    var shape = x.shape
    if keeps { shape[axis] = 1 } else { shape.remove(at: axis) }
    let combine: Combine = pick([.sum, .maximum, .minimum])
    return try lowering.reduce(combine, shape, over: [x.shape[axis]]) { b, o, i in
      var source = o
      if keeps { source[axis] = i[0] } else { source.insert(i[0], at: axis) }
      return b.load(x.id, source)
    }
  }

  private mutating func contract(_ x: Operand, _ y: Operand) throws -> Operand? {
    guard x.rank == 2, y.rank == 2, x.shape[1] == y.shape[0] else { return nil }
    return try lowering.contract(
      batch: [], m: [x.shape[0]], n: [y.shape[1]], k: [x.shape[1]], accumulate: .f32,
      lhs: { b, _, m, k in b.load(x.id, m + k) }, rhs: { b, _, n, k in b.load(y.id, k + n) })
  }

  private mutating func softmax(_ x: Operand) throws -> Operand? {
    guard x.rank > 0 else { return nil }
    let outer = Array(x.shape.dropLast())
    guard let last = x.shape.last else { return nil }
    func row(_ b: BodyBuilder, _ i: [Expr]) -> [Expr] { i.dropLast() + [b.constant(0, .i64)] }
    let top = try lowering.reduce(.maximum, outer + [1], over: [last]) { b, o, i in b.load(x.id, o.dropLast() + i) }
    let power = try lowering.element(x.shape) { b, i in (b.load(x.id, i) - b.load(top.id, row(b, i))).unary(.exp) }
    let sum = try lowering.reduce(.sum, outer + [1], over: [last]) { b, o, i in b.load(power.id, o.dropLast() + i) }
    return try lowering.element(x.shape) { b, i in b.load(power.id, i) / b.load(sum.id, row(b, i)) }
  }

  private mutating func normalization(_ x: Operand) throws -> Operand? {
    guard x.rank > 0, let last = x.shape.last else { return nil }
    let outer = Array(x.shape.dropLast())
    func row(_ b: BodyBuilder, _ i: [Expr]) -> [Expr] { i.dropLast() + [b.constant(0, .i64)] }
    let sum = try lowering.reduce(.sum, outer + [1], over: [last]) { b, o, i in b.load(x.id, o.dropLast() + i) }
    let mean = try lowering.element(outer + [1]) { b, i in b.load(sum.id, i) / b.size(last).cast(to: .f32) }
    let centred = try lowering.element(x.shape) { b, i in b.load(x.id, i) - b.load(mean.id, row(b, i)) }
    let squares = try lowering.element(x.shape) { b, i in b.load(centred.id, i) * b.load(centred.id, i) }
    let variance = try lowering.reduce(.sum, outer + [1], over: [last]) { b, o, i in
      b.load(squares.id, o.dropLast() + i)
    }
    let scale = try lowering.element(outer + [1]) { b, i in 1 / (b.load(variance.id, i) + 0.5).unary(.sqrt) }
    return try lowering.element(x.shape) { b, i in b.load(centred.id, i) * b.load(scale.id, row(b, i)) }
  }

  /// Reductions of everything to one element, and work that needs several of these at once.
  private mutating func quantization(_ x: Operand) throws -> Operand? {
    guard x.rank > 0 else { return nil }
    func zero(_ b: BodyBuilder) -> Expr { b.constant(0.0, .f32) }
    let least = try lowering.reduce(.minimum, [], over: x.shape) { b, _, i in b.load(x.id, i) }
    let greatest = try lowering.reduce(.maximum, [], over: x.shape) { b, _, i in b.load(x.id, i) }
    let scale = try lowering.element([]) { b, _ in
      (b.load(greatest.id, []).maximum(zero(b)) - b.load(least.id, []).minimum(zero(b))) / 255
    }
    let offset = try lowering.element([]) { b, _ in
      (-b.load(least.id, []).minimum(zero(b)) / b.load(scale.id, [])).unary(.round)
    }
    return try lowering.element(x.shape) { b, i in
      (b.load(x.id, i) / b.load(scale.id, []) + b.load(offset.id, [])).unary(.round) - b.load(offset.id, [])
    }
  }

  private mutating func gather(_ x: Operand) throws -> Operand? {
    guard x.rank > 0, evaluated(x.shape[0]) > 0 else { return nil }
    let count = number(1...3)
    let index = lowering.constant(.i64([count], (0..<count).map { _ in number(0...(evaluated(x.shape[0]) - 1)) }))
    let error = lowering.error("index %0 lies outside 0 ..< %1")
    return try lowering.element([Dim(count)] + x.shape.dropFirst()) { b, i in
      let place = b.load(index.id, [i[0]]).checked(below: b.size(x.shape[0]), error: error)
      return b.load(x.id, [place] + i.dropFirst())
    }
  }
}
