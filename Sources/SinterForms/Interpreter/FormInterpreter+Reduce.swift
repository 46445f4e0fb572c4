import SinterCore

extension FormInterpreter {
  func reduce(_ form: ReduceForm, _ shape: [Int], _ memory: FormMemory) throws -> FormMemory.Stored {
    let inner = try memory.sizes(form.inner)
    let evaluator = try BodyEvaluator(form.body, extents: shape + inner, memory: memory)
    let bodyType = evaluator.type(ofResult: 0)
    let type = form.combine.isIndex ? .i64 : bodyType
    let innerCount = inner.reduce(1, *)
    let rows = shape.reduce(1, *)
    let lane = try BodyEvaluator.lane(of: bodyType)
    let bytes = try TensorBytes(limited: type.byteCount(rows)) { out in
      guard let base = out.baseAddress else { return }
      var accumulator = Accumulator(form.combine, bodyType)
      var row = 0
      var filled = 0
      func finishRow() {
        accumulator.write(to: base, type, at: row)
        accumulator = Accumulator(form.combine, bodyType)
        row += 1
        filled = 0
      }
      if innerCount == 0 { while row < rows { finishRow() } }
      try evaluator.forEachChunk(in: 0..<(rows * innerCount)) { _, count in
        var i = 0
        while i < count {
          let run = Swift.min(innerCount - filled, count - i)
          switch lane {
          case .single: accumulator.add(evaluator.singles(0) + i, run, at: filled)
          case .double: accumulator.add(evaluator.doubles(0) + i, run, at: filled)
          case .integer: accumulator.add(evaluator.integers(0) + i, run, at: filled)
          }
          filled += run
          i += run
          if filled == innerCount { finishRow() }
        }
      }
    }
    return FormMemory.Stored(element: type, shape: shape, bytes: bytes)
  }

  func scan(_ form: ScanForm, _ shape: [Int], _ memory: FormMemory) throws -> FormMemory.Stored {
    let values = try materialize(form.body, shape, memory)
    let type = values.element
    let lane = try BodyEvaluator.lane(of: type)
    let length = shape[form.axis]
    let stride = shape[(form.axis + 1)...].reduce(1, *)
    let lines = shape.reduce(1, *) / Swift.max(length, 1)
    let bytes = try TensorBytes(limited: type.byteCount(lines * length)) { out in
      guard let base = out.baseAddress, length > 0 else { return }
      var single: Float = 0
      var double = 0.0
      var integer: Int64 = 0
      for line in 0..<lines {
        let first = line / stride * stride * length + line % stride
        var accumulator = Accumulator(form.combine, type)
        for step in 0..<length {
          let position = first + (form.isReversed ? length - 1 - step : step) * stride
          if form.isExclusive { accumulator.write(to: base, type, at: position) }
          switch lane {
          case .single:
            ElementCodec.decode(type, values.base, count: 1, into: &single) { _ in position }
            accumulator.add(&single, 1, at: step)
          case .double:
            ElementCodec.decode(values.base, count: 1, into: &double) { _ in position }
            accumulator.add(&double, 1, at: step)
          case .integer:
            ElementCodec.decode(type, values.base, count: 1, into: &integer) { _ in position }
            accumulator.add(&integer, 1, at: step)
          }
          if !form.isExclusive { accumulator.write(to: base, type, at: position) }
        }
      }
    }
    return FormMemory.Stored(element: type, shape: shape, bytes: bytes)
  }
}

/// Many values becoming one. Floats are gathered in Double.
struct Accumulator {
  private let combine: Combine
  private let type: ElementType
  private var float: Double
  private var integer: Int64
  private var position: Int64 = -1

  init(_ combine: Combine, _ type: ElementType) {
    self.combine = combine
    self.type = type
    switch combine.identity(of: type) {
    case .float(let value)?:
      float = value
      integer = 0
    case .int(let value)?:
      float = Double(value)
      integer = value
    case nil:
      float = 0
      integer = 0
    }
  }

  /// Takes in `count` values; the first has the given position among all.
  @inline(__always)
  mutating func add<T: BinaryFloatingPoint>(_ values: UnsafePointer<T>, _ count: Int, at first: Int) {
    switch combine {
    case .sum: for i in 0..<count { float += Double(values[i]) }
    case .product: for i in 0..<count { float *= Double(values[i]) }
    case .minimum: for i in 0..<count { float = ScalarLanes.minimum(float, Double(values[i])) }
    case .maximum: for i in 0..<count { float = ScalarLanes.maximum(float, Double(values[i])) }
    case .and: for i in 0..<count { integer = integer != 0 && values[i] != 0 ? 1 : 0 }
    case .or: for i in 0..<count { integer = integer != 0 || values[i] != 0 ? 1 : 0 }
    case .firstMinimumIndex, .lastMinimumIndex, .firstMaximumIndex, .lastMaximumIndex:
      for i in 0..<count {
        let value = Double(values[i])
        let isBetter: Bool
        if position < 0 {
          isBetter = true
        } else if value.isNaN || float.isNaN {
          isBetter = value.isNaN && (!float.isNaN || combine.isLast)
        } else {
          isBetter = value == float ? combine.isLast : (value < float) == combine.isMinimum
        }
        if isBetter {
          float = value
          position = Int64(first + i)
        }
      }
    }
  }

  @inline(__always)
  mutating func add(_ values: UnsafePointer<Int64>, _ count: Int, at first: Int) {
    // Flipping the top bit makes the order of signed numbers that of unsigned ones.
    let flip: Int64 = type == .u64 ? .min : 0
    switch combine {
    case .sum: for i in 0..<count { integer &+= values[i] }
    case .product: for i in 0..<count { integer &*= values[i] }
    case .minimum: for i in 0..<count where values[i] ^ flip < integer ^ flip { integer = values[i] }
    case .maximum: for i in 0..<count where values[i] ^ flip > integer ^ flip { integer = values[i] }
    case .and: for i in 0..<count { integer &= values[i] }
    case .or: for i in 0..<count { integer |= values[i] }
    case .firstMinimumIndex, .lastMinimumIndex, .firstMaximumIndex, .lastMaximumIndex:
      for i in 0..<count {
        let value = values[i] ^ flip
        let best = integer ^ flip
        if position < 0 || (value == best ? combine.isLast : (value < best) == combine.isMinimum) {
          integer = values[i]
          position = Int64(first + i)
        }
      }
    }
  }

  /// The position that a search for an extremum has found.
  var place: Int { Int(position) }

  func write(to base: UnsafeMutableRawPointer, _ type: ElementType, at place: Int) {
    if combine.isIndex {
      // Where there is no element nobody may ask for its place.
      var value = Swift.max(position, 0)
      ElementCodec.encode(.i64, &value, count: 1, to: base) { _ in place }
    } else if type == .f64 {
      var value = float
      ElementCodec.encode(&value, count: 1, to: base) { _ in place }
    } else if type.isFloat {
      var value = Float(float)
      ElementCodec.encode(type, &value, count: 1, to: base) { _ in place }
    } else {
      var value = integer
      ElementCodec.encode(type, &value, count: 1, to: base) { _ in place }
    }
  }
}

extension Combine {
  var isLast: Bool { self == .lastMinimumIndex || self == .lastMaximumIndex }
  var isMinimum: Bool { self == .firstMinimumIndex || self == .lastMinimumIndex || self == .minimum }
}
