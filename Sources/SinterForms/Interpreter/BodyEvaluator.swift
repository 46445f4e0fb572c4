import SinterCore

/// Computes a body over a space, some consecutive elements at a time.
///
/// Each expression has an array of `chunk` elements of the type that arithmetic on it is done in. The memory of the values that the
/// body loads from is held for as long as the evaluator lives.
final class BodyEvaluator {
  static let chunk = 512

  /// The type of an expression's array.
  enum Lane { case single, double, integer }

  private enum Memo {
    /// The same for all elements; computed once.
    case invariant, varying
  }

  private let body: Body
  private let extents: [Int]
  private let memory: FormMemory
  private let operands: [FormValueID: FormMemory.Stored]
  private let accumulators: [FormMemory.Stored]
  private let registers: UnsafeMutableRawPointer
  private let scratch: UnsafeMutablePointer<Int64>
  private var memos: [Memo]
  private var hasInvariants = false
  /// Loads that read the element at the very place that is computed.
  private var isDirect: [Bool]
  /// Checks that count only where a load with a condition takes place, and the loads of such checks.
  private var deferred: Set<ExprID> = []
  private var checks: [ExprID: [ExprID]] = [:]

  /// - Parameters:
  ///   - extents: the sizes of the body's axes.
  ///   - accumulators: what `accumulator(n)` stands for, over the same space.
  init(_ body: Body, extents: [Int], memory: FormMemory, accumulators: [FormMemory.Stored] = []) throws {
    self.body = body
    self.extents = extents
    self.memory = memory
    self.accumulators = accumulators
    let count = extents.reduce(1, *)
    for case .accumulator(let n) in body.exprs.map(\.node)
    where !accumulators.indices.contains(n) || accumulators[n].count != count {
      throw DiagnosticError(
        .bug, "form.accumulator", "accumulator \(n) of \(accumulators.map(\.shape)) is taken over the space \(extents)")
    }
    var operands: [FormValueID: FormMemory.Stored] = [:]
    for operand in body.operands { operands[operand] = try memory.value(operand) }
    self.operands = operands
    var memos: [Memo] = []
    for expr in body.exprs {
      switch expr.node {
      case .constant, .size: memos.append(.invariant)
      case .axis, .load, .accumulator, .checked: memos.append(.varying)
      case .unary, .binary, .compare, .select, .cast, .bitcast:
        let isInvariant = expr.node.arguments.allSatisfy { memos[$0.position] == .invariant }
        memos.append(isInvariant ? .invariant : .varying)
      }
    }
    self.memos = memos
    isDirect = body.exprs.map { expr in
      guard case .load(let value, let indices, nil, _) = expr.node, operands[value]?.shape == extents else {
        return false
      }
      return indices.enumerated().allSatisfy { body[$1].node == .axis($0) }
    }
    for (check, loads) in body.conditionalChecks {
      deferred.insert(check)
      for load in loads { checks[load, default: []].append(check) }
    }
    registers = .allocate(byteCount: Swift.max(body.exprs.count, 1) * Self.chunk * 8, alignment: 64)
    scratch = .allocate(capacity: Self.chunk)
  }

  deinit {
    registers.deallocate()
    scratch.deallocate()
  }

  static func lane(of type: ElementType) throws -> Lane {
    switch type.kind {
    case .float: type == .f64 ? .double : .single
    case .signed, .unsigned, .bool, .string: .integer
    // A complex number of 64 bits moves as a word.
    case .complex:
      if type == .c64 {
        .integer
      } else {
        throw DiagnosticError(.limit, "form.complex", "\(type) is not supported here")
      }
    }
  }

  private func register<T>(_ id: ExprID, _: T.Type) -> UnsafeMutablePointer<T> {
    (registers + id.position * Self.chunk * 8).assumingMemoryBound(to: T.self)
  }
  private func single(_ id: ExprID) -> UnsafeMutablePointer<Float> { register(id, Float.self) }
  private func double(_ id: ExprID) -> UnsafeMutablePointer<Double> { register(id, Double.self) }
  private func integer(_ id: ExprID) -> UnsafeMutablePointer<Int64> { register(id, Int64.self) }

  // MARK: Results

  func type(ofResult n: Int) -> ElementType { body[body.results[n]].type }
  func singles(_ n: Int) -> UnsafeMutablePointer<Float> { single(body.results[n]) }
  func doubles(_ n: Int) -> UnsafeMutablePointer<Double> { double(body.results[n]) }
  func integers(_ n: Int) -> UnsafeMutablePointer<Int64> { integer(body.results[n]) }

  /// Writes result `n` of the elements computed last to `base`, from element `position` on.
  func encode(_ n: Int, count: Int, to base: UnsafeMutableRawPointer, at position: Int) throws {
    let type = type(ofResult: n)
    switch try Self.lane(of: type) {
    case .single: ElementCodec.encode(type, singles(n), count: count, to: base) { $0 &+ position }
    case .double: ElementCodec.encode(doubles(n), count: count, to: base) { $0 &+ position }
    case .integer:
      ElementCodec.encode(type == .string ? .i64 : type, integers(n), count: count, to: base) { $0 &+ position }
    }
  }

  /// Computes all of `range` in pieces, handing each to `body` as (first element, number of elements).
  func forEachChunk(in range: Range<Int>, _ body: (Int, Int) throws -> Void) throws {
    var start = range.lowerBound
    while start < range.upperBound {
      let count = Swift.min(Self.chunk, range.upperBound - start)
      try evaluate(start, count)
      try body(start, count)
      start += count
    }
  }

  // MARK: Evaluation

  /// Computes `count` elements, at most `chunk`, from element `start` of the space on, row-major.
  func evaluate(_ start: Int, _ count: Int) throws {
    for index in body.exprs.indices {
      let isInvariant = memos[index] == .invariant
      if isInvariant && hasInvariants { continue }
      try evaluate(ExprID(index), start, isInvariant ? Self.chunk : count)
    }
    hasInvariants = true
  }

  private func evaluate(_ id: ExprID, _ start: Int, _ count: Int) throws {
    let expr = body[id]
    let lane = try Self.lane(of: expr.type)
    switch expr.node {
    case .constant(let scalar): try fill(id, scalar, count)
    case .size(let dim): integer(id).update(repeating: Int64(try memory.size(dim)), count: count)
    case .axis(let n): fillAxis(n, integer(id), start, count)
    case .accumulator(let n): decode(accumulators[n], id, lane, count) { start &+ $0 }
    case .load(let value, let indices, let condition, let otherwise):
      guard let operand = operands[value] else { return }
      if isDirect[id.position] {
        decode(operand, id, lane, count) { start &+ $0 }
      } else {
        try load(id, lane, value, operand, indices, condition, otherwise, count)
      }
    case .unary(let function, let a):
      if function == .isNaN {
        switch try Self.lane(of: body[a].type) {
        case .single: for i in 0..<count { integer(id)[i] = single(a)[i].isNaN ? 1 : 0 }
        case .double: for i in 0..<count { integer(id)[i] = double(a)[i].isNaN ? 1 : 0 }
        case .integer: integer(id).update(repeating: 0, count: count)
        }
        return
      }
      switch lane {
      case .single:
        ScalarLanes.unary(function, single(a), single(id), count)
        ScalarLanes.round(single(id), to: expr.type, count)
      case .double: ScalarLanes.unary(function, double(a), double(id), count)
      case .integer: ScalarLanes.unary(function, expr.type, integer(a), integer(id), count)
      }
    case .binary(let function, let a, let b):
      switch lane {
      case .single:
        ScalarLanes.binary(function, single(a), single(b), single(id), count)
        ScalarLanes.round(single(id), to: expr.type, count)
      case .double: ScalarLanes.binary(function, double(a), double(b), double(id), count)
      case .integer: ScalarLanes.binary(function, expr.type, integer(a), integer(b), integer(id), count)
      }
    case .compare(let comparison, let a, let b):
      switch try Self.lane(of: body[a].type) {
      case .single: ScalarLanes.compare(comparison, single(a), single(b), integer(id), count)
      case .double: ScalarLanes.compare(comparison, double(a), double(b), integer(id), count)
      case .integer: ScalarLanes.compare(comparison, body[a].type, integer(a), integer(b), integer(id), count)
      }
    case .select(let condition, let a, let b):
      let chosen = integer(condition)
      switch lane {
      case .single: for i in 0..<count { single(id)[i] = chosen[i] != 0 ? single(a)[i] : single(b)[i] }
      case .double: for i in 0..<count { double(id)[i] = chosen[i] != 0 ? double(a)[i] : double(b)[i] }
      case .integer: for i in 0..<count { integer(id)[i] = chosen[i] != 0 ? integer(a)[i] : integer(b)[i] }
      }
    case .cast(let a): try cast(a, to: id, lane, count)
    case .bitcast(let a): try bitcast(a, to: id, lane, count)
    case .checked(let a, let bound, let error):
      integer(id).update(from: integer(a), count: count)
      if !deferred.contains(id) { try check(a, bound, error, count) }
    }
  }

  private func check(_ a: ExprID, _ bound: ExprID, _ error: Int, where condition: ExprID? = nil, _ count: Int) throws {
    let (values, bounds, wanted) = (integer(a), integer(bound), condition.map { integer($0) })
    for i in 0..<count where (values[i] < 0 || values[i] >= bounds[i]) && wanted?[i] != 0 {
      throw memory.error(error, value: values[i], bound: bounds[i])
    }
  }

  private func fill(_ id: ExprID, _ scalar: Scalar, _ count: Int) throws {
    let type = body[id].type
    let float: Double
    let int: Int64
    switch scalar {
    case .float(let value):
      float = value
      int = type.integer(saturating: value)
    case .int(let value):
      float = Double(value)
      int = value
    }
    switch try Self.lane(of: type) {
    case .single: single(id).update(repeating: NarrowFloat.rounded(Float(float), to: type), count: count)
    case .double: double(id).update(repeating: float, count: count)
    case .integer: integer(id).update(repeating: type.wrapped(int), count: count)
    }
  }

  private func fillAxis(_ n: Int, _ out: UnsafeMutablePointer<Int64>, _ start: Int, _ count: Int) {
    let stride = extents[(n + 1)...].reduce(1, *)
    let extent = extents[n]
    guard extent > 0, stride > 0 else { return }
    var value = (start / stride) % extent
    var i = 0
    if stride == 1 {
      while i < count {
        let run = Swift.min(extent - value, count - i)
        for j in 0..<run { out[i &+ j] = Int64(value &+ j) }
        i += run
        value = 0
      }
      return
    }
    var left = stride - start % stride
    while i < count {
      let run = Swift.min(left, count - i)
      (out + i).update(repeating: Int64(value), count: run)
      i += run
      left = stride
      value = value + 1 == extent ? 0 : value + 1
    }
  }

  @inline(__always)
  private func decode(
    _ operand: FormMemory.Stored, _ id: ExprID, _ lane: Lane, _ count: Int, position: (Int) -> Int
  ) {
    switch lane {
    case .single: ElementCodec.decode(operand.codec, operand.base, count: count, into: single(id), position: position)
    case .double: ElementCodec.decode(operand.base, count: count, into: double(id), position: position)
    case .integer: ElementCodec.decode(operand.codec, operand.base, count: count, into: integer(id), position: position)
    }
  }

  private func load(
    _ id: ExprID, _ lane: Lane, _ value: FormValueID, _ operand: FormMemory.Stored, _ indices: [ExprID],
    _ condition: ExprID?, _ otherwise: Scalar, _ count: Int
  ) throws {
    guard indices.count == operand.shape.count else {
      throw DiagnosticError(
        .bug, "form.load", "\(value) has \(operand.shape.count) axes, but is read with \(indices.count) indices")
    }
    scratch.update(repeating: 0, count: count)
    var isOutside = false
    let wanted = condition.map { integer($0) }
    for (index, extent) in zip(indices, operand.shape) {
      let places = integer(index)
      let extent = Int64(extent)
      if let wanted {
        for i in 0..<count {
          isOutside = isOutside || (wanted[i] != 0 && UInt64(bitPattern: places[i]) >= UInt64(extent))
          scratch[i] = scratch[i] &* extent &+ places[i]
        }
      } else {
        var high: UInt64 = 0
        for i in 0..<count {
          high = Swift.max(high, UInt64(bitPattern: places[i]))
          scratch[i] = scratch[i] &* extent &+ places[i]
        }
        isOutside = isOutside || high >= UInt64(extent)
      }
    }
    for id in checks[id] ?? [] {
      if case .checked(let a, let bound, let error) = body[id].node {
        try check(a, bound, error, where: condition, count)
      }
    }
    if isOutside { throw outside(value, operand, indices, condition, count) }
    if let wanted {
      for i in 0..<count where wanted[i] == 0 { scratch[i] = 0 }
      if operand.count == 0 { return try fill(id, otherwise, count) }
    }
    let places = scratch
    decode(operand, id, lane, count) { Int(truncatingIfNeeded: places[$0]) }
    if let wanted {
      let type = body[id].type
      switch (lane, otherwise) {
      case (.single, .float(let x)):
        let x = NarrowFloat.rounded(Float(x), to: type)
        for i in 0..<count where wanted[i] == 0 { single(id)[i] = x }
      case (.single, .int(let x)): for i in 0..<count where wanted[i] == 0 { single(id)[i] = Float(x) }
      case (.double, .float(let x)): for i in 0..<count where wanted[i] == 0 { double(id)[i] = x }
      case (.double, .int(let x)): for i in 0..<count where wanted[i] == 0 { double(id)[i] = Double(x) }
      case (.integer, .int(let x)): for i in 0..<count where wanted[i] == 0 { integer(id)[i] = type.wrapped(x) }
      case (.integer, .float(let x)):
        for i in 0..<count where wanted[i] == 0 { integer(id)[i] = type.integer(saturating: x) }
      }
    }
  }

  private func outside(
    _ value: FormValueID, _ operand: FormMemory.Stored, _ indices: [ExprID], _ condition: ExprID?, _ count: Int
  ) -> DiagnosticError {
    for i in 0..<count where condition.map({ integer($0)[i] != 0 }) ?? true {
      let place = indices.map { integer($0)[i] }
      if zip(place, operand.shape).contains(where: { $0 < 0 || $0 >= $1 }) {
        return DiagnosticError(
          .bug, "form.index", "element \(place) of \(value) is read, whose shape is \(operand.shape)",
          at: memory.program.values[value].origin)
      }
    }
    return DiagnosticError(.bug, "form.index", "an element outside \(value) is read")
  }

  private func cast(_ a: ExprID, to id: ExprID, _ lane: Lane, _ count: Int) throws {
    let from = body[a].type
    let type = body[id].type
    switch (try Self.lane(of: from), lane) {
    case (.single, .single):
      single(id).update(from: single(a), count: count)
      ScalarLanes.round(single(id), to: type, count)
    case (.single, .double): for i in 0..<count { double(id)[i] = Double(single(a)[i]) }
    case (.single, .integer): ScalarLanes.convert(single(a), integer(id), of: type, count)
    case (.double, .single):
      // The narrow floats are reached through f32, as ONNX's reference does.
      for i in 0..<count { single(id)[i] = Float(double(a)[i]) }
      ScalarLanes.round(single(id), to: type, count)
    case (.double, .double): double(id).update(from: double(a), count: count)
    case (.double, .integer): ScalarLanes.convert(double(a), integer(id), of: type, count)
    case (.integer, .single):
      ScalarLanes.convert(integer(a), of: from, single(id), count)
      ScalarLanes.round(single(id), to: type, count)
    case (.integer, .double): ScalarLanes.convert(integer(a), of: from, double(id), count)
    case (.integer, .integer):
      integer(id).update(from: integer(a), count: count)
      ScalarLanes.wrap(type, integer(id), count)
    }
  }

  private func bitcast(_ a: ExprID, to id: ExprID, _ lane: Lane, _ count: Int) throws {
    let from = body[a].type
    let type = body[id].type
    guard from.bits == type.bits else {
      throw DiagnosticError(.bug, "form.bitcast", "the bits of \(from) cannot be those of \(type)")
    }
    let sourceLane = try Self.lane(of: from)
    for i in 0..<count {
      let bits: UInt64 =
        switch sourceLane {
        case .single: UInt64(NarrowFloat.code(of: single(a)[i], as: from))
        case .double: double(a)[i].bitPattern
        case .integer: UInt64(bitPattern: integer(a)[i])
        }
      switch lane {
      case .single: single(id)[i] = NarrowFloat.decode(UInt32(truncatingIfNeeded: bits), as: type)
      case .double: double(id)[i] = Double(bitPattern: bits)
      case .integer: integer(id)[i] = type.wrapped(Int64(bitPattern: bits))
      }
    }
  }
}
