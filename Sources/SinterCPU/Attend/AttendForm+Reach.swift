import SinterCore
import SinterForms

extension AttendForm {
  /// Where a causal mask ends: the scores of row r and all keys from r + this on are minus infinity, for r along the last axis of rows.
  /// Nil where nothing of the kind is known.
  var keyReach: Dim? {
    guard case .select(let condition, _, let other) = score[score.results[0]].node,
      case .constant(.float(-.infinity)) = score[other].node
    else { return nil }
    var work = [condition]
    while let id = work.popLast() {
      switch score[id].node {
      case .binary(.and, let a, let b): work += [a, b]
      case .compare(let comparison, let a, let b):
        if let reach = reach(comparison, a, b) { return reach }
      case .constant, .axis, .size, .load, .accumulator, .unary, .binary, .select, .cast, .bitcast, .checked: break
      }
    }
    return nil
  }

  private func reach(_ comparison: Comparison, _ a: ExprID, _ b: ExprID) -> Dim? {
    let last = batch.count + rows.count - 1
    guard score[a].type == .i64, last >= batch.count, let x = score.indexDim(a), let y = score.indexDim(b) else {
      return nil
    }
    func distance(_ difference: Dim) -> Dim? {
      // key - row + rest
      guard let (key, others) = difference.linear(in: AffineAccess.axisSymbol(last + 1)), key == 1,
        let (row, rest) = others.linear(in: AffineAccess.axisSymbol(last)), row == -1,
        !rest.symbols.contains(where: \.isIndex)
      else { return nil }
      return -rest
    }
    switch comparison {
    case .less: return distance(x - y)
    case .lessOrEqual: return distance(x - y).map { $0 + 1 }
    case .greater: return distance(y - x)
    case .greaterOrEqual: return distance(y - x).map { $0 + 1 }
    case .equal, .notEqual: return nil
    }
  }
}
