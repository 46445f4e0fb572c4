import SinterCore
import SinterKernelIR

/// Makes weights of the scores of one row at a time: applies the body, finds the greatest score, and replaces each by its exponential.
struct ScoreRows {
  let scope: KernelScope
  /// The body of the scores; nil where they are the products themselves.
  let emitter: BodyEmitter?
  /// The key within the block, in the body.
  let keySymbol: Symbol
  /// Loop indices that are bound outside of a row's loops.
  let fixed: Set<Symbol>
  let accumulate: ElementType
  let lanes: Int
  let scores: Memory

  private var b: KernelBuilder { scope.builder }

  /// Scores of rows up to so many vectors stay in registers.
  static let vectorLimit = 8

  /// - Parameters:
  ///   - at: the place of the row's first score.
  ///   - count: the keys of the block; `known` where it is a number.
  ///   - greatest: the greatest score before this block, finite.
  /// - Returns: the greatest score, and the sum of the exponentials of their distances to it.
  func weigh(at: Register, count: Register, known: Int?, greatest: Register) -> (greatest: Register, sum: Register) {
    if let known, known <= Self.vectorLimit * lanes { return weighShort(at: at, count: known, greatest: greatest) }
    emitter?.hoist(fixed, loads: false)
    let whole = b.multiply(b.binary(.floorDivide, count, b.index(lanes)), lanes)
    let padded = b.multiply(b.binary(.floorDivide, b.add(count, lanes - 1), b.index(lanes)), lanes)
    let start = b.broadcast(greatest, lanes: lanes)
    var most = b.loop("score", from: b.index(0), to: whole, step: lanes, carrying: [start]) { key, current in
      let place = b.add(at, key)
      let value = score(place, key, mask: nil)
      if emitter != nil { b.store(value, scores, at: place) }
      return [greater(value, current[0])]
    }[0]
    func tail() -> Register {
      let place = b.add(at, whole)
      let value = score(place, whole, mask: scope.prefixMask(b.subtract(count, whole), lanes: lanes))
      b.store(value, scores, at: place)
      return greater(value, most)
    }
    if let known {
      if known % lanes != 0 { most = tail() }
    } else {
      most = b.branch(b.compare(.less, whole, count), then: { [tail()] }, otherwise: { [most] })[0]
    }
    let top = greatestLane(most)
    let wide = b.broadcast(top, lanes: lanes)
    let sum = b.loop(
      "weight", from: b.index(0), to: padded, step: lanes, carrying: [b.float(0, accumulate, lanes: lanes)]
    ) { key, current in
      let place = b.add(at, key)
      let weight = b.math(.weight, b.subtract(b.load(scores, at: place, lanes: lanes), wide))
      b.store(weight, scores, at: place)
      return [b.add(current[0], weight)]
    }[0]
    return (top, b.combineLanes(.sum, sum))
  }

  private func weighShort(at: Register, count: Int, greatest: Register) -> (greatest: Register, sum: Register) {
    let places = stride(from: 0, to: count, by: lanes).map { b.add(at, $0) }
    let values = places.enumerated().map { number, place in
      let left = count - number * lanes
      return score(
        place, b.index(number * lanes), mask: left < lanes ? scope.prefixMask(b.index(left), lanes: lanes) : nil)
    }
    let top = greatestLane(joined([b.broadcast(greatest, lanes: lanes)] + values, greater))
    let wide = b.broadcast(top, lanes: lanes)
    let weights = values.map { b.math(.weight, b.subtract($0, wide)) }
    for (place, weight) in zip(places, weights) { b.store(weight, scores, at: place) }
    return (top, b.combineLanes(.sum, joined(weights, b.add)))
  }

  /// Pairs joined until one is left.
  private func joined(_ values: [Register], _ join: (Register, Register) -> Register) -> Register {
    var values = values
    while values.count > 1 {
      let half = (values.count + 1) / 2
      values = (0..<half).map { $0 + half < values.count ? join(values[$0], values[$0 + half]) : values[$0] }
    }
    return values[0]
  }

  /// One instruction; a score that is no number is never greater, and shows in the sum.
  private func greater(_ a: Register, _ b: Register) -> Register { self.b.select(self.b.compare(.greater, a, b), a, b) }

  /// The greatest lane: halves are joined until one is left.
  private func greatestLane(_ vector: Register) -> Register {
    var vector = vector
    var width = lanes
    while width > 1 {
      let half = width / 2
      vector = greater(b.shuffle(vector, vector, Array(0..<half)), b.shuffle(vector, vector, Array(half..<width)))
      width = half
    }
    return vector
  }

  /// A vector of scores; minus infinity in lanes that do not exist.
  private func score(_ place: Register, _ key: Register, mask: Register?) -> Register {
    var value = b.load(scores, at: place, lanes: lanes)
    if let emitter {
      scope.bind(keySymbol, to: key)
      value = emitter.emit(lanes: .init(keySymbol, count: lanes, mask: mask), accumulators: [value])[0]
    }
    guard let mask else { return value }
    return b.select(mask, value, b.float(-.infinity, accumulate, lanes: lanes))
  }
}
