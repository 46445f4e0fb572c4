import SinterCore
import SinterForms

/// Writes a kernel statement by statement. Schedules talk to this, never to `Statement`.
///
/// Arithmetic on constants is done here, and so are the identities of index arithmetic, so that schedules can write
/// indices plainly.
package final class KernelBuilder {
  package private(set) var kernel: Kernel
  private var open: [[Statement]] = [[]]
  /// Scalar constants by value, per open block, so that each is made once.
  private var constants: [[ConstantKey: Register]] = [[:]]
  private var known: [Register: Scalar] = [:]
  /// Index arithmetic that is written already, per open block: schedules ask for the same sums and products again and again.
  private var indices: [[IndexKey: Register]] = [[:]]

  private struct ConstantKey: Hashable {
    let scalar: Scalar
    let type: RegisterType
  }

  private struct IndexKey: Hashable {
    let function: BinaryFunction
    let a, b: Register
  }

  /// Whether the processor multiplies and adds in one instruction. Where it does not, `multiplyAdd` would be a call.
  package let fusesMultiplyAdd: Bool

  package init(name: String, fusesMultiplyAdd: Bool = true) {
    kernel = Kernel(name: name)
    self.fusesMultiplyAdd = fusesMultiplyAdd
  }

  /// The kernel, once all is written.
  package func finish(named name: String? = nil) -> Kernel {
    kernel.body = Block(open[0])
    if let name { kernel.name = name }
    return kernel
  }

  // MARK: Parameters

  package func parameter(_ name: String, _ element: ElementType, _ access: Kernel.Parameter.Access) -> Memory {
    kernel.parameters.append(.init(name: name, element: element, access: access))
    return .parameter(kernel.parameters.count - 1)
  }

  /// Makes a parameter allow another access as well.
  package func widen(_ memory: Memory, _ access: Kernel.Parameter.Access) {
    guard case .parameter(let n) = memory, kernel.parameters[n].access != access else { return }
    kernel.parameters[n].access = .readWrite
  }

  package func local(_ name: String, _ element: ElementType, count: Int) -> Memory {
    kernel.locals.append(.init(name: name, element: element, count: count))
    return .local(kernel.locals.count - 1)
  }

  /// A new size argument; the caller passes its Dim at the same position of the call.
  package func size() -> Register {
    let register = new(RegisterType(.i64))
    // Sizes are read at the top, so that every block sees them.
    open[0].insert(.size(register, kernel.sizeCount), at: 0)
    kernel.sizeCount += 1
    return register
  }

  package var task: Register { kernel.task }

  package func element(of memory: Memory) -> ElementType {
    switch memory {
    case .parameter(let n): kernel.parameters[n].element
    case .local(let n): kernel.locals[n].element
    }
  }

  package func type(_ register: Register) -> RegisterType { kernel.registers[register] }

  // MARK: Values

  package func new(_ type: RegisterType) -> Register { kernel.registers.append(type) }

  package func emit(_ statement: Statement) { open[open.count - 1].append(statement) }

  package func constant(_ scalar: Scalar, _ element: ElementType, lanes: Int = 1) -> Register {
    let type = RegisterType(element, lanes: lanes)
    let key = ConstantKey(scalar: scalar, type: type)
    for block in constants { if let register = block[key] { return register } }
    let register = new(type)
    emit(.constant(register, scalar))
    constants[constants.count - 1][key] = register
    known[register] = scalar
    return register
  }

  package func index(_ value: Int) -> Register { constant(.int(Int64(value)), .i64) }
  package func float(_ value: Double, _ element: ElementType = .f32, lanes: Int = 1) -> Register {
    constant(.float(value), element, lanes: lanes)
  }

  /// The number that a scalar i64 register holds for certain.
  package func value(_ register: Register) -> Int? {
    if case .int(let value)? = known[register], type(register) == RegisterType(.i64) { Int(value) } else { nil }
  }

  /// The constant that every lane of a register holds for certain.
  package func knownScalar(_ register: Register) -> Scalar? { known[register] }

  package func unary(_ function: UnaryFunction, _ a: Register) -> Register {
    let operand = type(a)
    let result = new(function == .isNaN ? RegisterType(.bool, lanes: operand.lanes) : operand)
    emit(.unary(result, function, a))
    return result
  }

  package func binary(_ function: BinaryFunction, _ a: Register, _ b: Register) -> Register {
    let isIndex = type(a) == RegisterType(.i64)
    let key = IndexKey(function: function, a: a, b: b)
    if isIndex {
      if let simpler = simplifiedIndex(function, a, b) { return simpler }
      for block in indices { if let register = block[key] { return register } }
    }
    let result = new(type(a))
    emit(.binary(result, function, a, b))
    if isIndex { indices[indices.count - 1][key] = result }
    return result
  }

  private func simplifiedIndex(_ function: BinaryFunction, _ a: Register, _ b: Register) -> Register? {
    let x = value(a)
    let y = value(b)
    if let x, let y {
      switch function {
      case .add: return index(x &+ y)
      case .subtract: return index(x &- y)
      case .multiply: return index(x &* y)
      case .floorDivide where y > 0: return index(x >= 0 ? x / y : (x - y + 1) / y)
      case .modulo where y > 0: return index(((x % y) + y) % y)
      case .minimum: return index(Swift.min(x, y))
      case .maximum: return index(Swift.max(x, y))
      case .divide, .floorDivide, .modulo, .remainder, .power, .and, .or, .xor, .shiftLeft, .shiftRight, .arcTangent2:
        return nil
      }
    }
    switch (function, x, y) {
    case (.add, 0?, _), (.multiply, 1?, _): return b
    case (.add, _, 0?), (.subtract, _, 0?), (.multiply, _, 1?), (.floorDivide, _, 1?): return a
    case (.multiply, 0?, _), (.multiply, _, 0?), (.modulo, _, 1?): return index(0)
    default: return nil
    }
  }

  package func add(_ a: Register, _ b: Register) -> Register { binary(.add, a, b) }
  package func subtract(_ a: Register, _ b: Register) -> Register { binary(.subtract, a, b) }
  package func multiply(_ a: Register, _ b: Register) -> Register { binary(.multiply, a, b) }
  package func add(_ a: Register, _ b: Int) -> Register { binary(.add, a, index(b)) }
  package func multiply(_ a: Register, _ b: Int) -> Register { binary(.multiply, a, index(b)) }

  package func multiplyAdd(_ a: Register, _ b: Register, _ c: Register) -> Register {
    let result = new(type(a))
    emit(.multiplyAdd(result, a, b, c))
    return result
  }

  /// Sums of the products of four bytes, or of two i16 or bf16, in each lane, added to `c`; see `Statement.dot`.
  package func dot(_ a: Register, _ b: Register, _ c: Register) -> Register {
    let result = new(type(c))
    emit(.dot(result, a, b, c))
    return result
  }

  /// A vector repeated until it has so many lanes.
  package func repeated(_ a: Register, lanes: Int) -> Register {
    let count = type(a).lanes
    return lanes == count ? a : shuffle(a, a, (0..<lanes).map { $0 % count })
  }

  /// a · 2^exponent for whole exponents between -300 and 300.
  package func scale(_ a: Register, exponent: Register) -> Register {
    let result = new(type(a))
    emit(.scale(result, a, exponent: exponent))
    return result
  }

  package func compare(_ comparison: Comparison, _ a: Register, _ b: Register) -> Register {
    let result = new(RegisterType(.bool, lanes: type(a).lanes))
    emit(.compare(result, comparison, a, b))
    return result
  }

  package func select(_ condition: Register, _ a: Register, _ b: Register) -> Register {
    let result = new(type(a))
    emit(.select(result, condition, a, b))
    return result
  }

  package func cast(_ a: Register, to element: ElementType) -> Register {
    let from = type(a)
    if from.element == element { return a }
    let result = new(RegisterType(element, lanes: from.lanes))
    emit(.cast(result, a))
    return result
  }

  package func bitcast(_ a: Register, to element: ElementType) -> Register {
    let result = new(RegisterType(element, lanes: type(a).lanes))
    emit(.bitcast(result, a))
    return result
  }

  package func broadcast(_ a: Register, lanes: Int) -> Register {
    if lanes == type(a).lanes { return a }
    if let scalar = known[a] { return constant(scalar, type(a).element, lanes: lanes) }
    let result = new(RegisterType(type(a).element, lanes: lanes))
    emit(.broadcast(result, a))
    return result
  }

  /// 0, 1, 2 and so on as a vector.
  package func laneNumbers(_ lanes: Int, _ element: ElementType = .i64) -> Register {
    let result = new(RegisterType(element, lanes: lanes))
    emit(.lanes(result))
    return result
  }

  package func extract(_ a: Register, lane: Int) -> Register {
    let result = new(RegisterType(type(a).element))
    emit(.extract(result, a, lane: lane))
    return result
  }

  package func combineLanes(_ combine: Combine, _ a: Register) -> Register {
    if type(a).lanes == 1 { return a }
    let result = new(RegisterType(type(a).element))
    emit(.combineLanes(result, combine, a))
    return result
  }

  package func shuffle(_ a: Register, _ b: Register, _ positions: [Int]) -> Register {
    let result = new(RegisterType(type(a).element, lanes: positions.count))
    emit(.shuffle(result, a, b, positions))
    return result
  }

  // MARK: Memory

  package func load(_ memory: Memory, at: Register, lanes: Int = 1, mask: Register? = nil) -> Register {
    let result = new(RegisterType(element(of: memory), lanes: lanes))
    emit(.load(result, memory, at: at, mask: mask))
    return result
  }

  package func store(_ value: Register, _ memory: Memory, at: Register, mask: Register? = nil) {
    emit(.store(value, memory, at: at, mask: mask))
  }

  /// Asks for the cache line of an element.
  package func prefetch(_ memory: Memory, at: Register) { emit(.prefetch(memory, at: at)) }

  /// Sums a block of products; see `TileDot`.
  package func tileDot(_ block: TileDot) { emit(.tileDot(block)) }

  package func gather(_ memory: Memory, at: Register, mask: Register? = nil) -> Register {
    let result = new(RegisterType(element(of: memory), lanes: type(at).lanes))
    emit(.gather(result, memory, at: at, mask: mask))
    return result
  }

  /// For each byte the element of that number of a table of 256 bytes.
  package func lookup(_ byte: Register, in table: Memory) -> Register {
    let result = new(RegisterType(element(of: table), lanes: type(byte).lanes))
    emit(.lookup(result, table, byte))
    return result
  }

  package func scatter(_ value: Register, _ memory: Memory, at: Register, mask: Register? = nil) {
    emit(.scatter(value, memory, at: at, mask: mask))
  }

  // MARK: Control

  /// A loop that carries values; `body` gets the index and the current values and gives the next ones. Gives the final
  /// ones.
  @discardableResult
  package func loop(
    _ name: String, from: Register, to: Register, step: Int = 1, unroll: Int = 1, carrying initial: [Register] = [],
    _ body: (Register, [Register]) -> [Register]
  ) -> [Register] {
    let index = new(RegisterType(.i64))
    let current = initial.map { new(type($0)) }
    push()
    let next = body(index, current)
    let block = pop()
    let final = initial.map { new(type($0)) }
    let carried = initial.indices.map {
      Loop.Carried(initial: initial[$0], current: current[$0], next: next[$0], final: final[$0])
    }
    emit(
      .loop(
        Loop(name: name, index: index, from: from, to: to, step: step, carried: carried, body: block, unroll: unroll)))
    return final
  }

  /// A loop that carries nothing.
  package func loop(
    _ name: String, from: Register, to: Register, step: Int = 1, unroll: Int = 1, _ body: (Register) -> Void
  ) {
    loop(name, from: from, to: to, step: step, unroll: unroll, carrying: []) { index, _ in
      body(index)
      return []
    }
  }

  /// One of two blocks; each gives the same number of values.
  @discardableResult
  package func branch(_ condition: Register, then: () -> [Register], otherwise: () -> [Register]) -> [Register] {
    push()
    let a = then()
    let thenBlock = pop()
    push()
    let b = otherwise()
    let otherwiseBlock = pop()
    let results = a.map { new(type($0)) }
    emit(
      .branch(
        Branch(
          condition: condition, then: thenBlock, otherwise: otherwiseBlock,
          results: a.indices.map { (a[$0], b[$0], results[$0]) })))
    return results
  }

  package func when(_ condition: Register, _ body: () -> Void) {
    branch(
      condition,
      then: {
        body(); return []
      }, otherwise: { [] })
  }

  package func check(_ condition: Register, error: Int, value: Register, bound: Register) {
    emit(.check(condition, error: error, value: value, bound: bound))
  }

  private func push() {
    open.append([])
    constants.append([:])
    indices.append([:])
  }

  private func pop() -> Block {
    constants.removeLast()
    indices.removeLast()
    return Block(open.removeLast())
  }
}
