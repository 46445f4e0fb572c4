import Glibc
import SinterCore
import SinterForms

/// The registers of one kernel at work, and what its statements do to them.
///
/// A register holds its lanes as `Float` (f32 and narrower floats), `Double` or `Int64` (integers, truth values), eight
/// bytes a lane.
final class KernelMachine {
  enum Lane { case single, double, integer }

  let kernel: Kernel
  let spans: [KernelMemory.Span]
  let sizes: [Int64]
  let memory: KernelMemory
  private let file: UnsafeMutableRawPointer
  private var offsets: [Int] = []
  private let locals: [UnsafeMutableRawPointer]
  private(set) var task = 0

  init(_ kernel: Kernel, spans: [KernelMemory.Span], sizes: [Int64], memory: KernelMemory) {
    self.kernel = kernel
    self.spans = spans
    self.sizes = sizes
    self.memory = memory
    var total = 0
    for type in kernel.registers.elements {
      offsets.append(total)
      total += 8 * type.lanes
    }
    file = .allocate(byteCount: Swift.max(8, total), alignment: 64)
    file.initializeMemory(as: UInt8.self, repeating: 0, count: Swift.max(8, total))
    locals = kernel.locals.map { local in
      let bytes = Swift.max(8, local.element.byteCount(local.count))
      let base = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: bytes)
      return base
    }
  }

  deinit {
    file.deallocate()
    for local in locals { local.deallocate() }
  }

  func run(task: Int) throws {
    self.task = task
    integers(kernel.task)[0] = Int64(task)
    try run(kernel.body)
  }

  // MARK: Registers

  func type(_ register: Register) -> RegisterType { kernel.registers[register] }
  func lanes(_ register: Register) -> Int { type(register).lanes }
  func kind(_ register: Register) -> Lane { Self.kind(type(register).element) }

  static func kind(_ element: ElementType) -> Lane {
    switch element {
    case .f64: .double
    case .f32, .f16, .bf16, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1: .single
    case .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool, .i4, .u4, .i2, .u2, .string, .c64, .c128: .integer
    }
  }

  private func raw(_ register: Register) -> UnsafeMutableRawPointer { file + offsets[register.position] }
  func singles(_ r: Register) -> UnsafeMutablePointer<Float> { raw(r).assumingMemoryBound(to: Float.self) }
  func doubles(_ r: Register) -> UnsafeMutablePointer<Double> { raw(r).assumingMemoryBound(to: Double.self) }
  func integers(_ r: Register) -> UnsafeMutablePointer<Int64> { raw(r).assumingMemoryBound(to: Int64.self) }

  private func move(_ to: Register, _ from: Register) {
    raw(to).copyMemory(from: raw(from), byteCount: 8 * lanes(to))
  }

  /// One lane of a register to a lane of another of the same element type.
  private func move(_ to: Register, _ lane: Int, _ from: Register, _ source: Int) {
    switch kind(to) {
    case .single: singles(to)[lane] = singles(from)[source]
    case .double: doubles(to)[lane] = doubles(from)[source]
    case .integer: integers(to)[lane] = integers(from)[source]
    }
  }

  // MARK: Statements

  private func run(_ block: Block) throws {
    for statement in block.statements { try run(statement) }
  }

  private func run(_ statement: Statement) throws {
    switch statement {
    case .constant(let r, let scalar): fill(r, scalar)
    case .size(let r, let n): integers(r)[0] = sizes[n]
    case .unary(let r, let function, let a): unary(r, function, a)
    case .binary(let r, let function, let a, let b): binary(r, function, a, b)
    case .scale(let r, let a, let exponent):
      for lane in 0..<lanes(r) {
        let power = singles(exponent)[lane]
        singles(r)[lane] = power.isNaN ? power : Float(scalbn(Double(singles(a)[lane]), Int(power)))
      }
    case .multiplyAdd(let r, let a, let b, let c):
      for lane in 0..<lanes(r) {
        switch kind(r) {
        case .single: singles(r)[lane] = singles(c)[lane].addingProduct(singles(a)[lane], singles(b)[lane])
        case .double: doubles(r)[lane] = doubles(c)[lane].addingProduct(doubles(a)[lane], doubles(b)[lane])
        case .integer: integers(r)[lane] = integers(c)[lane] &+ integers(a)[lane] &* integers(b)[lane]
        }
      }
      if kind(r) == .integer { ScalarLanes.wrap(type(r).element, integers(r), lanes(r)) }
    case .dot(let r, let a, let b, let c) where kind(r) == .single:
      for lane in 0..<lanes(r) {
        singles(r)[lane] = [2 * lane + 1, 2 * lane].reduce(singles(c)[lane]) {
          $0.addingProduct(singles(a)[$1], singles(b)[$1])
        }
      }
    case .dot(let r, let a, let b, let c):
      let depth = lanes(a) / lanes(r)
      for lane in 0..<lanes(r) {
        integers(r)[lane] = (depth * lane..<depth * (lane + 1)).reduce(integers(c)[lane]) {
          $0 &+ integers(a)[$1] &* integers(b)[$1]
        }
      }
      ScalarLanes.wrap(type(r).element, integers(r), lanes(r))
    case .compare(let r, let comparison, let a, let b):
      switch kind(a) {
      case .single: ScalarLanes.compare(comparison, singles(a), singles(b), integers(r), lanes(r))
      case .double: ScalarLanes.compare(comparison, doubles(a), doubles(b), integers(r), lanes(r))
      case .integer:
        ScalarLanes.compare(comparison, type(a).element, integers(a), integers(b), integers(r), lanes(r))
      }
    case .select(let r, let condition, let a, let b):
      for lane in 0..<lanes(r) { move(r, lane, integers(condition)[lane] != 0 ? a : b, lane) }
    case .cast(let r, let a): cast(r, a)
    case .bitcast(let r, let a): for lane in 0..<lanes(r) { setBits(r, lane, bits(a, lane)) }
    case .broadcast(let r, let a): for lane in 0..<lanes(r) { move(r, lane, a, 0) }
    case .lanes(let r): for lane in 0..<lanes(r) { integers(r)[lane] = Int64(lane) }
    case .extract(let r, let a, let lane): move(r, 0, a, lane)
    case .combineLanes(let r, let combine, let a): combineLanes(r, combine, a)
    case .shuffle(let r, let a, let b, let positions):
      let width = lanes(a)
      for (lane, position) in positions.enumerated() {
        if position < width { move(r, lane, a, position) } else { move(r, lane, b, position - width) }
      }
    case .load(let r, let memory, let at, let mask):
      try access(memory, r, mask, isStore: false) { Int(self.integers(at)[0]) + $0 }
    case .store(let r, let memory, let at, let mask):
      try access(memory, r, mask, isStore: true) { Int(self.integers(at)[0]) + $0 }
    case .gather(let r, let memory, let at, let mask):
      try access(memory, r, mask, isStore: false) { Int(self.integers(at)[$0]) }
    case .scatter(let r, let memory, let at, let mask):
      try access(memory, r, mask, isStore: true) { Int(self.integers(at)[$0]) }
    case .lookup(let r, let memory, let byte):
      try access(memory, r, nil, isStore: false) { Int(UInt8(truncatingIfNeeded: self.integers(byte)[$0])) }
    case .loop(let loop): try run(loop)
    case .branch(let branch):
      let holds = integers(branch.condition)[0] != 0
      try run(holds ? branch.then : branch.otherwise)
      for result in branch.results { move(result.result, holds ? result.then : result.otherwise) }
    case .check(let condition, let error, let value, let bound):
      if integers(condition)[0] == 0 {
        throw memory.error(error, value: integers(value)[0], bound: integers(bound)[0])
      }
    case .prefetch: break
    case .tileDot(let block): try run(block)
    }
  }

  private func run(_ loop: Loop) throws {
    guard loop.step > 0 else { throw DiagnosticError(.bug, "kernel.loop", "loop \(loop.name) does not advance") }
    let to = integers(loop.to)[0]
    var index = integers(loop.from)[0]
    for carried in loop.carried { move(carried.current, carried.initial) }
    while index < to {
      integers(loop.index)[0] = index
      try run(loop.body)
      // All at once: what one leaves may be the current value of another.
      let saved = loop.carried.map { carried in
        Array(UnsafeRawBufferPointer(start: raw(carried.next), count: 8 * lanes(carried.next)))
      }
      for (carried, bytes) in zip(loop.carried, saved) {
        bytes.withUnsafeBytes { raw(carried.current).copyMemory(from: $0.baseAddress!, byteCount: bytes.count) }
      }
      index += Int64(loop.step)
    }
    for carried in loop.carried { move(carried.final, carried.current) }
  }

  // MARK: Arithmetic

  private func fill(_ r: Register, _ scalar: Scalar) {
    let element = type(r).element
    for lane in 0..<lanes(r) {
      switch (kind(r), scalar) {
      case (.single, .float(let value)): singles(r)[lane] = NarrowFloat.rounded(Float(value), to: element)
      case (.single, .int(let value)): singles(r)[lane] = NarrowFloat.rounded(Float(value), to: element)
      case (.double, .float(let value)): doubles(r)[lane] = value
      case (.double, .int(let value)): doubles(r)[lane] = Double(value)
      case (.integer, .float(let value)): integers(r)[lane] = element.integer(saturating: value)
      case (.integer, .int(let value)): integers(r)[lane] = element.wrapped(value)
      }
    }
  }

  private func unary(_ r: Register, _ function: UnaryFunction, _ a: Register) {
    let count = lanes(r)
    if function == .isNaN {
      for lane in 0..<count {
        integers(r)[lane] =
          switch kind(a) {
          case .single: singles(a)[lane].isNaN ? 1 : 0
          case .double: doubles(a)[lane].isNaN ? 1 : 0
          case .integer: 0
          }
      }
      return
    }
    switch kind(r) {
    case .single: ScalarLanes.unary(function, singles(a), singles(r), count)
    case .double: ScalarLanes.unary(function, doubles(a), doubles(r), count)
    case .integer: ScalarLanes.unary(function, type(r).element, integers(a), integers(r), count)
    }
  }

  private func binary(_ r: Register, _ function: BinaryFunction, _ a: Register, _ b: Register) {
    let count = lanes(r)
    switch kind(r) {
    case .single: ScalarLanes.binary(function, singles(a), singles(b), singles(r), count)
    case .double: ScalarLanes.binary(function, doubles(a), doubles(b), doubles(r), count)
    case .integer: ScalarLanes.binary(function, type(r).element, integers(a), integers(b), integers(r), count)
    }
  }

  private func cast(_ r: Register, _ a: Register) {
    let count = lanes(r)
    let element = type(r).element
    let source = type(a).element
    switch (kind(a), kind(r)) {
    case (.single, .single):
      singles(r).update(from: singles(a), count: count)
      ScalarLanes.round(singles(r), to: element, count)
    case (.single, .double): for i in 0..<count { doubles(r)[i] = Double(singles(a)[i]) }
    case (.single, .integer): ScalarLanes.convert(singles(a), integers(r), of: element, count)
    case (.double, .single):
      for i in 0..<count { singles(r)[i] = Float(doubles(a)[i]) }
      ScalarLanes.round(singles(r), to: element, count)
    case (.double, .double): doubles(r).update(from: doubles(a), count: count)
    case (.double, .integer): ScalarLanes.convert(doubles(a), integers(r), of: element, count)
    case (.integer, .single):
      ScalarLanes.convert(integers(a), of: source, singles(r), count)
      ScalarLanes.round(singles(r), to: element, count)
    case (.integer, .double): ScalarLanes.convert(integers(a), of: source, doubles(r), count)
    case (.integer, .integer):
      integers(r).update(from: integers(a), count: count)
      ScalarLanes.wrap(element, integers(r), count)
    }
  }

  private func bits(_ r: Register, _ lane: Int) -> UInt64 {
    switch kind(r) {
    case .single: UInt64(NarrowFloat.code(of: singles(r)[lane], as: type(r).element))
    case .double: doubles(r)[lane].bitPattern
    case .integer: UInt64(bitPattern: integers(r)[lane])
    }
  }

  private func setBits(_ r: Register, _ lane: Int, _ bits: UInt64) {
    switch kind(r) {
    case .single: singles(r)[lane] = NarrowFloat.decode(UInt32(truncatingIfNeeded: bits), as: type(r).element)
    case .double: doubles(r)[lane] = Double(bitPattern: bits)
    case .integer: integers(r)[lane] = type(r).element.wrapped(Int64(bitPattern: bits))
    }
  }

  /// Halves are combined until one lane is left.
  private func combineLanes(_ r: Register, _ combine: Combine, _ a: Register) {
    guard let function = combine.function else { return }
    let element = type(a).element
    func fold<T>(
      _ lanes: UnsafeMutablePointer<T>,
      _ apply: (UnsafePointer<T>, UnsafePointer<T>, UnsafeMutablePointer<T>, Int) -> Void
    )
      -> T
    {
      var values = Array(UnsafeBufferPointer(start: lanes, count: type(a).lanes))
      while values.count > 1 {
        let half = values.count / 2
        var next = Array(values[..<half])
        values.withUnsafeBufferPointer { all in
          guard let base = all.baseAddress else { return }
          next.withUnsafeMutableBufferPointer { out in
            if let out = out.baseAddress { apply(base, base + half, out, half) }
          }
        }
        values = next
      }
      return values[0]
    }
    switch kind(a) {
    case .single: singles(r)[0] = fold(singles(a)) { ScalarLanes.binary(function, $0, $1, $2, $3) }
    case .double: doubles(r)[0] = fold(doubles(a)) { ScalarLanes.binary(function, $0, $1, $2, $3) }
    case .integer: integers(r)[0] = fold(integers(a)) { ScalarLanes.binary(function, element, $0, $1, $2, $3) }
    }
  }

  // MARK: Memory

  private func access(
    _ place: Memory, _ r: Register, _ mask: Register?, isStore: Bool, _ index: (Int) -> Int
  ) throws {
    let place = try region(place, isStore: isStore)
    for lane in 0..<lanes(r) {
      if let mask, integers(mask)[lane] == 0 {
        if !isStore { clear(r, lane) }
        continue
      }
      let (base, element) = (place.base, place.element)
      let position = try place.position(index(lane), self) { "lane \(lane), task \(self.task)" }
      switch (kind(r), isStore) {
      case (.single, false): ElementCodec.decode(element, base, count: 1, into: singles(r) + lane) { _ in position }
      case (.double, false): ElementCodec.decode(base, count: 1, into: doubles(r) + lane) { _ in position }
      case (.integer, false): ElementCodec.decode(element, base, count: 1, into: integers(r) + lane) { _ in position }
      case (.single, true): ElementCodec.encode(element, singles(r) + lane, count: 1, to: base) { _ in position }
      case (.double, true): ElementCodec.encode(doubles(r) + lane, count: 1, to: base) { _ in position }
      case (.integer, true): ElementCodec.encode(element, integers(r) + lane, count: 1, to: base) { _ in position }
      }
    }
  }

  /// Memory as a statement reaches it.
  struct Region {
    var place: Memory
    var isStore: Bool
    var base: UnsafeMutableRawPointer
    var element: ElementType
    /// Elements before and behind the first one.
    var before, behind: Int

    /// Where an element lies behind the base, if the task may reach it.
    func position(_ at: Int, _ machine: KernelMachine, _ reason: () -> String) throws -> Int {
      guard at >= -before, at < behind else {
        throw DiagnosticError(
          .bug, "kernel.bounds",
          "\(isStore ? "a store to" : "a load from") element \(at) of \(place) lies outside \(-before) ..< \(behind) (\(reason()))"
        )
      }
      let position = at + before
      if isStore, case .parameter(let n) = place,
        !machine.memory.write(machine.spans[n].buffer, position, task: machine.task)
      {
        throw DiagnosticError(
          .bug, "kernel.race", "task \(machine.task) writes element \(at) of \(place), and so does another task")
      }
      return position
    }
  }

  func region(_ place: Memory, isStore: Bool) throws -> Region {
    switch place {
    case .parameter(let n):
      let element = kernel.parameters[n].element
      let width = spans[n].element.bits
      guard element.bits == width else {
        throw DiagnosticError(.bug, "kernel.element", "a buffer of \(spans[n].element) is taken for one of \(element)")
      }
      if isStore, !memory.isWritable(spans[n].buffer) {
        throw DiagnosticError(
          .bug, "kernel.write", "an input or constant is written through \(kernel.parameters[n].name)")
      }
      return Region(
        place: place, isStore: isStore, base: spans[n].base, element: element, before: spans[n].before,
        behind: spans[n].behind)
    case .local(let n):
      return Region(
        place: place, isStore: isStore, base: locals[n], element: kernel.locals[n].element, before: 0,
        behind: kernel.locals[n].count)
    }
  }

  private func clear(_ r: Register, _ lane: Int) {
    switch kind(r) {
    case .single: singles(r)[lane] = 0
    case .double: doubles(r)[lane] = 0
    case .integer: integers(r)[lane] = 0
    }
  }
}
