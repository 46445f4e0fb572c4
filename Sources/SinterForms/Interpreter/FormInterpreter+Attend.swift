import Glibc
import SinterCore

extension FormInterpreter {
  func attend(_ form: AttendForm, _ shape: [Int], _ memory: FormMemory) throws -> FormMemory.Stored {
    let rows = try memory.sizes(form.batch + form.rows)
    let keys = try memory.size(form.keys)
    try memory.requireRoom(rows + [keys])
    let products = try contract(form.products, rows + [keys], memory)
    let scores = try materialize(form.score, rows + [keys], memory, accumulators: [products])
    let type = form.accumulate
    let count = rows.reduce(1, *)
    let weights = try TensorBytes(limited: type.byteCount(count * keys)) { out in
      guard let base = out.baseAddress, keys > 0 else { return }
      switch type {
      case .f64:
        Self.softmax(
          scores.base.assumingMemoryBound(to: Double.self), base.assumingMemoryBound(to: Double.self), rows: count,
          keys: keys, emptyIsZero: form.emptyIsZero)
      default:
        Self.softmax(
          scores.base.assumingMemoryBound(to: Float.self), base.assumingMemoryBound(to: Float.self), rows: count,
          keys: keys, emptyIsZero: form.emptyIsZero)
      }
    }
    let stored = FormMemory.Stored(element: type, shape: rows + [keys], bytes: weights)
    let plain = Body(exprs: [.init(node: .accumulator(0), type: type)], results: [ExprID(0)])
    return try contract(form.sums(plain), shape, memory, accumulators: [stored])
  }

  private static func softmax<T: BinaryFloatingPoint>(
    _ scores: UnsafePointer<T>, _ weights: UnsafeMutablePointer<T>, rows: Int, keys: Int, emptyIsZero: Bool
  ) {
    for row in 0..<rows {
      let (from, to) = (scores + row * keys, weights + row * keys)
      let greatest = (0..<keys).reduce(-Double.infinity) { ScalarLanes.maximum($0, Double(from[$1])) }
      if emptyIsZero && greatest == -.infinity {
        for key in 0..<keys { to[key] = 0 }
        continue
      }
      let exponentials = (0..<keys).map {
        ScalarLanes.weight(Double(from[$0]) - greatest, isWide: T.self == Double.self)
      }
      let sum = exponentials.reduce(0, +)
      for key in 0..<keys { to[key] = T(exponentials[key] / sum) }
    }
  }
}
