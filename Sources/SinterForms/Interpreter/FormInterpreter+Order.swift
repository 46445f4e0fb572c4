import SinterCore

extension FormInterpreter {
  func scatter(
    _ form: ScatterForm, _ element: ElementType, _ shape: [Int], _ memory: FormMemory
  ) throws -> FormMemory.Stored {
    var target = Column(try materialize(form.base, shape, memory))
    let domain = try memory.sizes(form.domain)
    let update = try BodyEvaluator(form.update, extents: domain, memory: memory)
    let rank = shape.count
    guard form.update.results.count == rank + 1, update.type(ofResult: rank) == element else {
      throw DiagnosticError(.bug, "form.scatter", "the update's results do not fit a \(element) with \(rank) axes")
    }
    let lane = try BodyEvaluator.lane(of: element)
    try update.forEachChunk(in: 0..<domain.reduce(1, *)) { _, count in
      for i in 0..<count {
        var position = 0
        var isInside = true
        for axis in 0..<rank {
          let index = update.integers(axis)[i]
          isInside = isInside && index >= 0 && index < shape[axis]
          position = position &* shape[axis] &+ Int(index)
        }
        guard isInside else { continue }
        switch lane {
        case .single: target.combine(Double(update.singles(rank)[i]), at: position, form.combine)
        case .double: target.combine(update.doubles(rank)[i], at: position, form.combine)
        case .integer: target.combine(update.integers(rank)[i], at: position, form.combine)
        }
      }
    }
    return target.stored(shape)
  }

  func sort(_ form: SortForm, _ shape: [Int], _ memory: FormMemory) throws -> FormMemory.Stored {
    let length = try memory.size(form.extent)
    var extents = shape
    extents[form.axis] = length
    _ = try memory.sizes(extents.map { Dim($0) })
    let kept = shape[form.axis]
    guard kept <= length else {
      throw DiagnosticError(
        .user, "run.sort", "the first \(kept) elements of an axis that is \(length) long are asked for")
    }
    let keys = Column(try materialize(form.body, extents, memory))
    let stride = shape[(form.axis + 1)...].reduce(1, *)
    let lines = shape[..<form.axis].reduce(1, *) * stride
    var result = [Int64](repeating: 0, count: lines * kept)
    for line in 0..<lines {
      let outer = line / stride
      let first = outer * stride * length + line % stride
      let order = keys.order(first: first, stride: stride, count: length, isDescending: form.isDescending)
      let target = outer * stride * kept + line % stride
      for place in 0..<kept { result[target + place * stride] = Int64(order[place]) }
    }
    return FormMemory.Stored(element: .i64, shape: shape, bytes: HostTensor(.i64, shape, values: result).bytes)
  }
}

/// All elements of a value, in the types that arithmetic on the host is done in.
private struct Column {
  private let element: ElementType
  private var floats: [Double] = []
  private var integers: [Int64] = []

  init(_ value: FormMemory.Stored) {
    element = value.element
    // Complex numbers move as words.
    let tensor = HostTensor(element == .c64 ? .i64 : value.codec, value.shape, bytes: value.bytes)
    if element.isFloat { floats = tensor.doubles ?? [] } else { integers = tensor.int64s ?? [] }
  }

  mutating func combine(_ value: Double, at position: Int, _ combine: Combine?) {
    switch combine {
    case nil: floats[position] = value
    case .sum?: floats[position] += value
    case .product?: floats[position] *= value
    case .minimum?: floats[position] = ScalarLanes.minimum(floats[position], value)
    case .maximum?: floats[position] = ScalarLanes.maximum(floats[position], value)
    case .and?, .or?, .firstMinimumIndex?, .lastMinimumIndex?, .firstMaximumIndex?, .lastMaximumIndex?: break
    }
  }

  mutating func combine(_ value: Int64, at position: Int, _ combine: Combine?) {
    let flip: Int64 = element == .u64 ? .min : 0
    let old = integers[position]
    switch combine {
    case nil: integers[position] = value
    case .sum?: integers[position] = element.wrapped(old &+ value)
    case .product?: integers[position] = element.wrapped(old &* value)
    case .minimum?: integers[position] = old ^ flip < value ^ flip ? old : value
    case .maximum?: integers[position] = old ^ flip > value ^ flip ? old : value
    case .and?: integers[position] = old & value
    case .or?: integers[position] = old | value
    case .firstMinimumIndex?, .lastMinimumIndex?, .firstMaximumIndex?, .lastMaximumIndex?: break
    }
  }

  func stored(_ shape: [Int]) -> FormMemory.Stored {
    let tensor =
      element.isFloat
      ? HostTensor(element, shape, doubles: floats)
      : HostTensor(element == .string || element == .c64 ? .i64 : element, shape, integers: integers)
    return FormMemory.Stored(element: element, shape: shape, bytes: tensor.bytes)
  }

  /// The places of a line in the order that sorting gives. Equal elements stay in the order of their places.
  func order(first: Int, stride: Int, count: Int, isDescending: Bool) -> [Int] {
    let places = Array(0..<count)
    if element.isFloat {
      let keys = places.map { floats[first + $0 * stride] }
      func isLess(_ a: Double, _ b: Double) -> Bool { a < b || (b.isNaN && !a.isNaN) }
      return places.sorted { a, b in
        let (x, y) = isDescending ? (keys[b], keys[a]) : (keys[a], keys[b])
        return isLess(x, y) || (!isLess(y, x) && a < b)
      }
    }
    let flip: Int64 = element == .u64 ? .min : 0
    let keys = places.map { integers[first + $0 * stride] ^ flip }
    return places.sorted { a, b in
      keys[a] == keys[b] ? a < b : (keys[a] < keys[b]) != isDescending
    }
  }
}
