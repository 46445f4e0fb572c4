import SinterCore
import SinterForms

/// Finds dear expressions that several members of a row group compute for the same elements, such as the exponentials
/// of softmax, which are summed first and divided later. The first reduction that computes one keeps it for the others.
struct RowSharing {
  /// An expression of a reduction's body whose values are kept as elements of a value.
  struct Kept {
    var expr: ExprID
    var value: FormValueID
    /// The member that reads the kept elements last, and may write its own over them.
    var last: FormValueID?
  }

  /// Rewrites members to load what an earlier reduction keeps. Gives what is kept, by reduction.
  static func apply(to group: inout RowGroup, context: inout ScheduleContext) -> [FormValueID: Kept] {
    var kept: [FormValueID: Kept] = [:]
    for position in group.members.indices {
      guard case .reduce(let form) = group.members[position].form else { continue }
      var table: [Body.Expr: Int] = [:]
      let member = group.members[position]
      let rank = context.shape(member.value).count
      let own = canonical(form.body, rows: group.rows.count, rank: rank, &table)
      let candidates = form.body.exprs.indices.reversed().filter { isDear(form.body, ExprID($0)) }
      let later = group.members.indices.filter { $0 > position && space(group, $0, context) == form.inner }
      let bodies = later.map {
        canonical(body(group, $0), rows: group.rows.count, rank: self.rank(group, $0, context), &table)
      }
      guard
        let choice = candidates.first(where: { candidate in bodies.contains { $0.contains(own[candidate]) } })
      else { continue }

      let expr = form.body.exprs[choice]
      let value = context.values.append(
        .init(type: TensorType(expr.type, group.rows + form.inner), origin: context.values[member.value].origin))
      var result = Kept(expr: ExprID(choice), value: value, last: nil)
      for (number, index) in later.enumerated() where bodies[number].contains(own[choice]) {
        replace(own[choice], by: value, in: &group.members[index], ids: bodies[number], rows: group.rows.count, context)
        result.last = nil
        if case .element = group.members[index].form,
          context.type(group.members[index].value) == context.type(value)
        {
          result.last = group.members[index].value
        }
      }
      kept[member.value] = result
    }
    return kept
  }

  private static func isDear(_ body: Body, _ id: ExprID) -> Bool {
    guard body[id].type == .f32 || body[id].type == .f64 else { return false }
    if case .unary(let function, _) = body[id].node { return function.isCostly }
    return false
  }

  private static func body(_ group: RowGroup, _ index: Int) -> Body {
    switch group.members[index].form {
    case .element(let form): form.body
    case .reduce(let form): form.body
    case .contract, .attend, .convolve, .scan, .scatter, .sort, .call: Body()
    }
  }

  /// The sizes that a member's body runs over inside a row.
  private static func space(_ group: RowGroup, _ index: Int, _ context: ScheduleContext) -> [Dim]? {
    switch group.members[index].form {
    case .element: Array(context.shape(group.members[index].value)[group.rows.count...])
    case .reduce(let form): form.inner
    case .contract, .attend, .convolve, .scan, .scatter, .sort, .call: nil
    }
  }

  /// Where the axes inside a row begin among those of a member's body.
  private static func rank(_ group: RowGroup, _ index: Int, _ context: ScheduleContext) -> Int {
    if case .reduce = group.members[index].form {
      context.shape(group.members[index].value).count
    } else {
      group.rows.count
    }
  }

  /// A number for each expression of a body, equal for equal expressions of all bodies that share the table.
  private static func canonical(_ body: Body, rows: Int, rank: Int, _ table: inout [Body.Expr: Int]) -> [Int] {
    var ids: [Int] = []
    for expr in body.exprs {
      var node = expr.node.mapArguments { ExprID(ids[$0.position]) }
      if case .axis(let axis) = expr.node {
        node = axis >= rank ? .axis(1 << 16 + axis - rank) : axis >= rows ? .constant(.int(0)) : .axis(axis)
      }
      let key = Body.Expr(node: node, type: expr.type)
      let id = table[key] ?? table.count
      table[key] = id
      ids.append(id)
    }
    return ids
  }

  private static func replace(
    _ id: Int, by value: FormValueID, in member: inout RowGroup.Member, ids: [Int], rows: Int,
    _ context: ScheduleContext
  ) {
    func rewritten(_ body: Body, rank: Int) -> Body {
      // The load's indices come first, then everything else, moved up.
      let count = context.shape(value).count
      let axes = (0..<count).map { $0 < rows ? $0 : rank + $0 - rows }
      var result = Body()
      result.exprs = axes.map { Body.Expr(node: .axis($0), type: .i64) }
      for (position, expr) in body.exprs.enumerated() {
        let node: ExprNode =
          ids[position] == id
          ? .load(value, (0..<count).map { ExprID($0) }, condition: nil, otherwise: .float(0))
          : expr.node.mapArguments { ExprID($0.position + count) }
        result.exprs.append(Body.Expr(node: node, type: expr.type))
      }
      result.results = body.results.map { ExprID($0.position + count) }
      return result.pruned()
    }
    switch member.form {
    case .element(var form):
      form.body = rewritten(form.body, rank: rows)
      member.form = .element(form)
    case .reduce(var form):
      form.body = rewritten(form.body, rank: context.shape(member.value).count)
      member.form = .reduce(form)
    case .contract, .attend, .convolve, .scan, .scatter, .sort, .call: break
    }
  }
}
