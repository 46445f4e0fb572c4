import SinterCore

/// A value inside a kernel: computed once, never changed.
public struct Register: EntityIndex {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public static var prefix: String { "%" }
}

/// What a register holds: one element, or several side by side. Truth values are `bool` (a mask where there are
/// several).
public struct RegisterType: Hashable, Sendable {
  public var element: ElementType
  public var lanes: Int

  public init(_ element: ElementType, lanes: Int = 1) {
    self.element = element
    self.lanes = lanes
  }
}

/// Named loops over buffers with explicit vectors: what is emitted, almost line by line, as LLVM.
///
/// A kernel does one task of a grid: `task` holds its number. Different tasks write different memory, so that they may
/// run in any order and at once. Registers are in static single assignment form; what a loop carries is passed
/// explicitly.
///
/// Narrow floats (f16, bf16, the 8- and 4-bit kinds) and packed integers exist only in memory: a load gives them as
/// they are, and `cast` converts them; arithmetic is on f32, f64, bool and the integers of a byte and more. Complex
/// numbers are pairs that schedules take apart.
public struct Kernel: Hashable, Sendable {
  public struct Parameter: Hashable, Sendable {
    public enum Access: String, Hashable, Sendable { case read, write, readWrite }
    public var name: String
    public var element: ElementType
    public var access: Access

    public init(name: String, element: ElementType, access: Access) {
      self.name = name
      self.element = element
      self.access = access
    }
  }

  /// Memory of the task's own, on the stack: at most `Kernel.localLimit` bytes all together.
  public struct Local: Hashable, Sendable {
    public var name: String
    public var element: ElementType
    public var count: Int
    public init(name: String, element: ElementType, count: Int) {
      self.name = name
      self.element = element
      self.count = count
    }
  }

  /// Tells operation, types, shape and tile, as in `contract_f32_m128_n768_k768_8x48`.
  public var name: String
  public var parameters: [Parameter]
  /// The number of i64 size arguments.
  public var sizeCount: Int
  public var locals: [Local]
  public var registers: EntityMap<Register, RegisterType>
  /// The number of this task, an i64.
  public var task: Register
  public var body: Block

  public static var localLimit: Int { 256 * 1024 }

  public init(name: String) {
    self.name = name
    parameters = []
    sizeCount = 0
    locals = []
    registers = EntityMap()
    task = registers.append(RegisterType(.i64))
    body = Block()
  }
}

/// Statements that run one after another.
public struct Block: Hashable, Sendable {
  public var statements: [Statement]
  public init(_ statements: [Statement] = []) { self.statements = statements }
}

/// Memory that a kernel reads or writes; elements are counted, not bytes.
public enum Memory: Hashable, Sendable {
  case parameter(Int)
  case local(Int)
}

/// One step of a kernel. The first register of a case is the one it defines.
public indirect enum Statement: Hashable, Sendable {
  /// Every lane the same.
  case constant(Register, Scalar)
  /// Size argument n.
  case size(Register, Int)
  case unary(Register, UnaryFunction, Register)
  case binary(Register, BinaryFunction, Register, Register)
  /// a · b + c, rounded once.
  case multiplyAdd(Register, Register, Register, Register)
  /// a · 2^b, rounded once; f32, b a whole number between -300 and 300, or NaN where a is.
  case scale(Register, Register, exponent: Register)
  case compare(Register, Comparison, Register, Register)
  case select(Register, Register, Register, Register)
  case cast(Register, Register)
  case bitcast(Register, Register)
  /// A scalar in every lane.
  case broadcast(Register, Register)
  /// Lane n holds n; an integer type.
  case lanes(Register)
  case extract(Register, Register, lane: Int)
  /// All lanes of a vector as one value, in a fixed tree: halves are combined until one lane is left.
  case combineLanes(Register, Combine, Register)
  /// `lanes` elements of two vectors, one after the other, by position in their concatenation.
  case shuffle(Register, Register, Register, [Int])
  /// As many elements as the register has lanes, side by side from element `at`. Lanes that `mask` leaves out are zero
  /// and not read.
  case load(Register, Memory, at: Register, mask: Register?)
  case store(Register, Memory, at: Register, mask: Register?)
  /// Lane by lane from the elements that an i64 vector names.
  case gather(Register, Memory, at: Register, mask: Register?)
  case scatter(Register, Memory, at: Register, mask: Register?)
  case loop(Loop)
  case branch(Branch)
  /// Ends the kernel with error `number` of the program where the condition (a scalar) is false; `value` and the
  /// `bound` that it did not keep are reported.
  case check(Register, error: Int, value: Register, bound: Register)
  /// A hint that the cache line of an element will be read, though not next: it is brought to the second-level cache.
  case prefetch(Memory, at: Register)
}

/// `for index in stride(from: from, to: to, by: step)`, carrying values from turn to turn.
public struct Loop: Hashable, Sendable {
  public struct Carried: Hashable, Sendable {
    /// Before the first turn; inside; what the turn leaves; after the last turn.
    public var initial, current, next, final: Register
    public init(initial: Register, current: Register, next: Register, final: Register) {
      self.initial = initial
      self.current = current
      self.next = next
      self.final = final
    }
  }
  public var name: String
  public var index, from, to: Register
  public var step: Int
  public var carried: [Carried]
  public var body: Block
  /// How often LLVM may repeat the body in place; 1 keeps the loop as it is.
  public var unroll: Int

  public init(
    name: String, index: Register, from: Register, to: Register, step: Int, carried: [Carried], body: Block,
    unroll: Int = 1
  ) {
    self.name = name
    self.index = index
    self.from = from
    self.to = to
    self.step = step
    self.carried = carried
    self.body = body
    self.unroll = unroll
  }
}

/// One of two blocks, by a scalar condition; both leave values of the same types.
public struct Branch: Hashable, Sendable {
  public var condition: Register
  public var then, otherwise: Block
  /// For each result: the value that `then` leaves, that `otherwise` leaves, and the register that holds it after.
  public var results: [(then: Register, otherwise: Register, result: Register)] {
    get { triples.map { ($0.then, $0.otherwise, $0.result) } }
    set { triples = newValue.map { Triple(then: $0.then, otherwise: $0.otherwise, result: $0.result) } }
  }
  private var triples: [Triple]
  private struct Triple: Hashable, Sendable { var then, otherwise, result: Register }

  public init(
    condition: Register, then: Block, otherwise: Block,
    results: [(then: Register, otherwise: Register, result: Register)] = []
  ) {
    self.condition = condition
    self.then = then
    self.otherwise = otherwise
    triples = results.map { Triple(then: $0.then, otherwise: $0.otherwise, result: $0.result) }
  }
}
