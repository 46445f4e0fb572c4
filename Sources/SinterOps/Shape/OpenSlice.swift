import SinterCore
import SinterForms
import SinterIR

/// What a slice takes whose axes or steps are known only at run time.
struct OpenSlice {
  private let node: LoweringNode
  private let rank: Int
  private let entries: Int

  init(_ node: LoweringNode, rank: Int) {
    self.node = node
    self.rank = rank
    entries = node.facts.contents(1)?.count ?? 0
  }

  private func entry(_ builder: BodyBuilder, _ input: Int, _ k: Int, absent: Int) throws -> Expr {
    guard node.has(input) else { return builder.constant(absent, .i64) }
    return builder.load(try node.input(input).id, [builder.constant(k, .i64)]).cast(to: .i64)
  }

  private func isHere(_ builder: BodyBuilder, _ k: Int, _ axis: Int) throws -> Expr {
    let named = try entry(builder, 3, k, absent: k)
    return (named .== builder.constant(axis, .i64)) || (named .== builder.constant(axis - rank, .i64))
  }

  /// The first place along an axis, and what lies between two.
  func range(_ builder: BodyBuilder, _ axis: Int, size: Dim) throws -> (start: Expr, step: Expr) {
    let all = try bounds(builder, axis, size: size)
    return (all.start, all.step)
  }

  /// How many elements are taken along an axis; -1 where the entries are not right.
  func count(_ builder: BodyBuilder, _ axis: Int, size: Dim) throws -> Expr {
    func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
    let (start, end, step) = try bounds(builder, axis, size: size)
    let isUpward = step > number(0)
    let span = builder.select(isUpward, end - start, start - end)
    // A step that is longer than the axis is as good as one that is as long; the least number has no opposite.
    let limit = builder.size(size).maximum(number(1))
    let stride = builder.select(isUpward, step, -step.maximum(number(-Int(Int.max)))).clamped(number(1), limit)
    let count = (span + stride - 1).floorDivided(by: stride).maximum(number(0))
    return builder.select(try areRight(builder), count, number(-1))
  }

  private func bounds(_ builder: BodyBuilder, _ axis: Int, size: Dim) throws -> (start: Expr, end: Expr, step: Expr) {
    func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
    let extent = builder.size(size)
    var result = (start: number(0), end: extent, step: number(1))
    for k in 0..<entries {
      let step = try entry(builder, 4, k, absent: 1)
      let isUpward = step > number(0)
      func place(_ input: Int) throws -> Expr {
        let given = try entry(builder, input, k, absent: 0)
        return builder.select(given < number(0), given + extent, given)
      }
      let first = try place(1).maximum(number(0))
      let start = builder.select(isUpward, first.minimum(extent), first.minimum(extent - 1))
      let last = try place(2).minimum(extent)
      let end = builder.select(isUpward, last.maximum(number(0)), last.maximum(number(-1)))
      let isHere = try isHere(builder, k, axis)
      result.start = builder.select(isHere, start, result.start)
      result.end = builder.select(isHere, end, result.end)
      result.step = builder.select(isHere, step, result.step)
    }
    return result
  }

  /// Whether each entry names an axis of its own and no step is zero.
  private func areRight(_ builder: BodyBuilder) throws -> Expr {
    func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
    var named = number(0)
    for axis in 0..<rank {
      var isNamed = builder.bool(false)
      for k in 0..<entries { isNamed = isNamed || (try isHere(builder, k, axis)) }
      named = named + builder.select(isNamed, number(1), number(0))
    }
    var right = named .== number(entries)
    for k in 0..<entries { right = right && !(try entry(builder, 4, k, absent: 1) .== number(0)) }
    return right
  }
}
