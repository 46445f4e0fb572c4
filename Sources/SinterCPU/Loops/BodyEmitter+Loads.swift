import SinterCore
import SinterForms
import SinterKernelIR

extension BodyEmitter {
  // MARK: Index vectors

  /// What a flat index grows by from lane to lane; nil where the steps differ.
  func stride(of flat: Dim) -> Dim? {
    guard let lanes else { return 0 }
    var stride = Dim(0)
    for term in flat.terms {
      let piece = term.factors.reduce(Dim(term.coefficient)) { $0 * Dim(atom: $1) }
      if !varies(piece) { continue }
      guard let at = term.factors.firstIndex(of: .symbol(lanes.symbol)) else { return nil }
      var others = term.factors
      others.remove(at: at)
      let factor = others.reduce(Dim(term.coefficient)) { $0 * Dim(atom: $1) }
      if varies(factor) { return nil }
      stride = stride + factor
    }
    return stride
  }

  /// Whether an index differs between lanes.
  private func varies(_ dim: Dim) -> Bool {
    guard let lanes else { return false }
    let found = indices.symbols(of: dim)
    return found.contains(lanes.symbol) || found.contains(BodyIndices.varying)
  }

  /// Makes sure that the opaque parts of an index have their registers.
  func prepare(_ dim: Dim) {
    for symbol in dim.symbols {
      guard let id = indices.opaque[symbol] else { continue }
      if case .uniform(let register) = value(id) { scope.bind(symbol, to: register) }
    }
  }

  /// An index in each lane, as an i64 vector.
  func laneIndex(_ dim: Dim) -> Register {
    guard let lanes else { return scope.index(dim) }
    prepare(dim)
    var uniform = Dim(dim.constant)
    var stride = Dim(0)
    var general: Register?
    for term in dim.terms {
      let piece = term.factors.reduce(Dim(term.coefficient)) { $0 * Dim(atom: $1) }
      if !varies(piece) {
        uniform = uniform + piece
        continue
      }
      if let at = term.factors.firstIndex(of: .symbol(lanes.symbol)) {
        var others = term.factors
        others.remove(at: at)
        let factor = others.reduce(Dim(term.coefficient)) { $0 * Dim(atom: $1) }
        if !varies(factor) {
          stride = stride + factor
          uniform = uniform + piece
          continue
        }
      }
      var product = builder.broadcast(builder.index(term.coefficient), lanes: lanes.count)
      // A factor may be there several times.
      for (place, factor) in term.factors.enumerated() {
        let value = laneAtom(factor, lanes)
        product = term.coefficient == 1 && place == 0 ? value : builder.multiply(product, value)
      }
      general = general.map { builder.add($0, product) } ?? product
    }
    if stride.value == 0, uniform.value == 0, let general { return general }
    var sum = builder.broadcast(scope.index(uniform), lanes: lanes.count)
    if stride.value != 0 {
      let steps =
        stride.value == 1
        ? builder.laneNumbers(lanes.count)
        : builder.multiply(
          builder.laneNumbers(lanes.count), builder.broadcast(scope.index(stride), lanes: lanes.count))
      sum = builder.add(sum, steps)
    }
    return general.map { builder.add($0, sum) } ?? sum
  }

  private func laneAtom(_ atom: Dim.Atom, _ lanes: Lanes) -> Register {
    if !varies(Dim(atom: atom)) { return builder.broadcast(scope.index(Dim(atom: atom)), lanes: lanes.count) }
    switch atom {
    case .symbol(let symbol):
      if let id = indices.opaque[symbol] { return vector(id) }
      return builder.add(
        builder.broadcast(scope.index(Dim(symbol)), lanes: lanes.count), builder.laneNumbers(lanes.count))
    case .quotient(let a, let b): return divide(a, b, .floorDivide, .divide)
    case .remainder(let a, let b): return divide(a, b, .modulo, .remainder)
    case .minimum(let a, let b): return builder.binary(.minimum, laneIndex(a), laneIndex(b))
    case .maximum(let a, let b): return builder.binary(.maximum, laneIndex(a), laneIndex(b))
    case .joint(let a, let b): return builder.joint(laneIndex(a), laneIndex(b))
    case .place(let a, let b): return builder.place(laneIndex(a), in: laneIndex(b))
    case .scaled(let a, let b): return builder.scaled(laneIndex(a), by: b.value.flatMap { Dim.factor($0) } ?? 0)
    case .product(let a, let b): return builder.multiply(laneIndex(a), laneIndex(b))
    case .overflow: return builder.broadcast(scope.index(.overflow), lanes: lanes.count)
    }
  }

  /// Division of index vectors: 64-bit lanes have no instruction for it, but 32-bit ones by a constant are multiplied.
  private func divide(_ a: Dim, _ b: Dim, _ function: BinaryFunction, _ unsigned: BinaryFunction) -> Register {
    let x = laneIndex(a)
    let y = laneIndex(b)
    guard b.value != nil, indices.simplifier.isNonNegative(a),
      let most = indices.simplifier.upper(a)?.value, most < 1 << 31
    else { return builder.binary(function, x, y) }
    return builder.cast(builder.binary(unsigned, builder.cast(x, to: .u32), builder.cast(y, to: .u32)), to: .i64)
  }

  // MARK: Loads

  func load(_ id: ExprID, of value: FormValueID, where condition: ExprID?, otherwise: Scalar) -> Value {
    let type = body[id].type
    if let byte = placeInTable(id), !isUniform(id), scope.sources[value] == nil {
      return .lanes(builder.lookup(vector(byte), in: scope.memory(value)))
    }
    var condition = condition
    if let given = condition, let known = decided[given] ?? indices.known[given] {
      if !known { return .uniform(builder.constant(otherwise, type)) }
      condition = nil
    }
    var flat = indices.flats[id] ?? 0
    let memory: Memory
    switch scope.sources[value] {
    case .register(let register):
      guard let condition else { return .uniform(register) }
      let truth = vector(condition)
      let lanes = builder.type(truth).lanes
      let chosen = builder.select(
        truth, builder.broadcast(register, lanes: lanes), builder.constant(otherwise, type, lanes: lanes))
      return lanes == laneCount && lanes > 1 ? .lanes(chosen) : .uniform(chosen)
    case .memory(let other, let base):
      memory = other
      builder.widen(other, .read)
      flat = indices.simplifier.simplified(flat - base)
    case nil:
      memory = scope.memory(value)
    }

    guard let condition else { return read(memory, flat, id: id, mask: lanes?.mask) }
    if isUniform(condition) {
      // One test for all lanes: nothing is read, and no index computed, where it fails.
      let truth = scalar(condition)
      let uniform = isUniform(id)
      let results = builder.branch(
        truth,
        then: {
          scoped {
            let value = read(memory, flat, id: id, mask: lanes?.mask)
            if uniform, case .uniform(let register) = value { return [register] }
            return [wide(value)]
          }
        },
        otherwise: { [builder.constant(otherwise, type, lanes: uniform ? 1 : laneCount)] })
      return uniform ? .uniform(results[0]) : .lanes(results[0])
    }
    let truth = vector(condition)
    let mask = lanes?.mask.map { builder.binary(.and, truth, $0) } ?? truth
    prepare(flat)
    let loaded: Register
    switch stride(of: flat)?.value {
    case 1: loaded = builder.load(memory, at: scope.index(flat), lanes: laneCount, mask: mask)
    case let stride:
      // Inside, where the condition holds for all lanes, the loads need no mask.
      loaded =
        builder.branch(
          builder.combineLanes(.and, mask),
          then: { scoped { [wide(read(memory, flat, id: id, mask: nil))] } },
          otherwise: {
            scoped {
              stride == 2 && scope.machine.hasMasks
                ? [everySecond(memory, flat, mask: mask)] : [builder.gather(memory, at: laneIndex(flat), mask: mask)]
            }
          })[0]
    }
    if otherwise == .int(0) || otherwise == .float(0) { return .lanes(loaded) }
    return .lanes(builder.select(truth, loaded, builder.constant(otherwise, type, lanes: laneCount)))
  }

  /// The byte by whose bits a load picks one of the 256 bytes of a constant; nil where it is another load.
  private func placeInTable(_ id: ExprID) -> ExprID? {
    guard case .load(let value, let list, nil, _) = body[id].node, list.count == 1, scope.values[value].constant != nil,
      [.u8, .i8].contains(body[id].type), scope.values[value].type.shape == [256],
      case .cast(let byte) = body[list[0]].node, body[byte].type == .u8
    else { return nil }
    return byte
  }

  /// The condition of all loads that have one, where it is one and the same along an axis.
  func commonCondition(apartFrom symbol: Symbol) -> ExprID? {
    var found: ExprID?
    for expr in body.exprs {
      guard case .load(_, _, let condition?, _) = expr.node, indices.known[condition] == nil else { continue }
      if found != nil && found != condition { return nil }
      found = condition
    }
    guard let found else { return nil }
    let dependence = indices.dependence[found.position]
    return dependence.contains(symbol) || dependence.contains(BodyIndices.varying) ? nil : found
  }

  /// Writes what `work` writes where a condition is known to hold, or not to.
  func deciding<R>(_ condition: ExprID, _ holds: Bool, _ work: () -> R) -> R {
    decided[condition] = holds
    defer { decided[condition] = nil }
    return scoped(work)
  }

  private func wide(_ value: Value) -> Register {
    switch value {
    case .uniform(let register): builder.broadcast(register, lanes: laneCount)
    case .lanes(let register): register
    }
  }

  /// A load that may happen in each lane that counts.
  private func read(_ memory: Memory, _ flat: Dim, id: ExprID, mask: Register?) -> Value {
    prepare(flat)
    guard lanes != nil, !isUniform(id) else { return .uniform(builder.load(memory, at: scope.index(flat))) }
    guard let stride = stride(of: flat) else {
      return .lanes(builder.gather(memory, at: laneIndex(flat), mask: mask))
    }
    switch (stride.value, mask) {
    case (0, nil): return .lanes(builder.broadcast(builder.load(memory, at: scope.index(flat)), lanes: laneCount))
    case (1, _): return .lanes(builder.load(memory, at: scope.index(flat), lanes: laneCount, mask: mask))
    case (-1, nil):
      let first = builder.add(scope.index(flat), 1 - laneCount)
      let backwards = builder.load(memory, at: first, lanes: laneCount)
      return .lanes(builder.shuffle(backwards, backwards, (0..<laneCount).reversed()))
    case (2?, nil),
      (3?, nil) where laneCount >= 4, (4?, nil) where laneCount >= 4:
      return .lanes(strided(memory, flat, stride: stride.value ?? 1))
    case (2?, let mask?) where scope.machine.hasMasks: return .lanes(everySecond(memory, flat, mask: mask))
    default: return .lanes(builder.gather(memory, at: laneIndex(flat), mask: mask))
    }
  }

  /// Elements a few apart: all that lie between are loaded as well, as vectors side by side, and sorted out. The last
  /// vector ends with the last element that is wanted, so that nothing behind it is read.
  private func strided(_ memory: Memory, _ flat: Dim, stride: Int) -> Register {
    let base = scope.index(flat)
    let count = laneCount
    let starts = (0..<stride).map { $0 == stride - 1 ? (stride - 1) * count - stride + 1 : $0 * count }
    let pieces = starts.map { builder.load(memory, at: builder.add(base, $0), lanes: count) }
    var result = pieces[0]
    for piece in 1..<stride {
      let positions = (0..<count).map { lane -> Int in
        let at = lane * stride
        if piece == 1 && at < count { return at }
        if at >= starts[piece] && (piece == stride - 1 || at < starts[piece] + count) && at - starts[piece] < count {
          return count + at - starts[piece]
        }
        return lane
      }
      result = builder.shuffle(result, pieces[piece], positions)
    }
    return result
  }

  /// Every second element, those that `mask` leaves out not read.
  private func everySecond(_ memory: Memory, _ flat: Dim, mask: Register) -> Register {
    let base = scope.index(flat)
    let count = laneCount
    if count == 1 { return builder.load(memory, at: base, mask: mask) }
    let none = builder.constant(.bool(false), .bool, lanes: count)
    func spread(_ from: Int) -> Register {
      builder.shuffle(mask, none, (0..<count).map { $0 % 2 == 0 ? from + $0 / 2 : count })
    }
    let low = builder.load(memory, at: base, lanes: count, mask: spread(0))
    let high = builder.load(memory, at: builder.add(base, count), lanes: count, mask: spread(count / 2))
    return builder.shuffle(low, high, (0..<count).map { 2 * $0 })
  }
}
