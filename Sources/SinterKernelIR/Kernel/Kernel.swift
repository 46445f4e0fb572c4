import SinterCore
import SinterForms

/// A value inside a kernel: computed once, never changed.
package struct Register: EntityIndex {
  package let rawValue: Int32
  package init(rawValue: Int32) { self.rawValue = rawValue }
  package static var prefix: String { "%" }
}

/// What a register holds: one element, or several side by side. Truth values are `bool` (a mask where there are
/// several).
package struct RegisterType: Hashable, Sendable {
  package var element: ElementType
  package var lanes: Int

  package init(_ element: ElementType, lanes: Int = 1) {
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
package struct Kernel: Hashable, Sendable {
  package struct Parameter: Hashable, Sendable {
    package enum Access: String, Hashable, Sendable { case read, write, readWrite }
    package var name: String
    package var element: ElementType
    package var access: Access

    package init(name: String, element: ElementType, access: Access) {
      self.name = name
      self.element = element
      self.access = access
    }
  }

  /// Memory of the task's own, on the stack: at most `Kernel.localLimit` bytes all together.
  package struct Local: Hashable, Sendable {
    package var name: String
    package var element: ElementType
    package var count: Int
    package init(name: String, element: ElementType, count: Int) {
      self.name = name
      self.element = element
      self.count = count
    }
  }

  /// Tells operation, types, shape and tile, as in `contract_f32_m128_n768_k768_8x48`.
  package var name: String
  package var parameters: [Parameter]
  /// The number of i64 size arguments.
  package var sizeCount: Int
  package var locals: [Local]
  package var registers: EntityMap<Register, RegisterType>
  /// The number of this task, an i64.
  package var task: Register
  package var body: Block

  package static var localLimit: Int { 256 * 1024 }

  package init(name: String) {
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
package struct Block: Hashable, Sendable {
  package var statements: [Statement]
  package init(_ statements: [Statement] = []) { self.statements = statements }
}

/// Memory that a kernel reads or writes; elements are counted, not bytes.
package enum Memory: Hashable, Sendable {
  case parameter(Int)
  case local(Int)
}

/// One step of a kernel. The first register of a case is the one it defines.
package indirect enum Statement: Hashable, Sendable {
  /// Every lane the same.
  case constant(Register, Scalar)
  /// Size argument n.
  case size(Register, Int)
  case unary(Register, UnaryFunction, Register)
  case binary(Register, BinaryFunction, Register, Register)
  /// a · b + c, rounded once.
  case multiplyAdd(Register, Register, Register, Register)
  /// c + Σ over j < d of a[d·l + j] · b[d·l + j] in each lane l. Products are exact.
  ///
  /// Bytes (a u8 or i8, b i8, d = 4) and pairs of i16 (d = 2) are summed in i32 and wrap around. Pairs of bf16 (d = 2) are summed in f32: the product of j = 1 is added first,
  /// then that of j = 0, each sum rounded. Of those, subnormal operands and sums may count as zero.
  case dot(Register, Register, Register, Register)
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
  /// Lane by lane from the first 256 elements, which are bytes, by the bits of another byte.
  case lookup(Register, Memory, Register)
  case loop(Loop)
  case branch(Branch)
  /// Ends the kernel with error `number` of the program where the condition (a scalar) is false; `value` and the
  /// `bound` that it did not keep are reported.
  case check(Register, error: Int, value: Register, bound: Register)
  /// A hint that the cache line of an element will be read, though not next: it is brought to the second-level cache.
  case prefetch(Memory, at: Register)
  case tileDot(TileDot)
}

/// A block of sums of products from rows and a panel, as tiles of a matrix unit compute it:
/// sums[r, c] = Σ over k < depth of left[r, k] · right[k, c].
///
/// Memory holds sums row after row, rows on the left `leftPitch` elements apart, and on the right, for each `interleave` steps along k, so many
/// neighbours of one column after those of another. A row on the left may consist of stretches of `depth` elements, as a window's lines lie in an
/// image; on the right these follow each other without a gap.
///
/// Bytes (left u8 or i8, right i8, `interleave` 4) are summed in i32 and wrap around. Numbers of bf16 (`interleave` 2) are summed in f32, `run` of
/// them at a time: the products of even places are added up in order, and those of odd places, from 0 and each sum rounded; then the two are added
/// to each other, and what that gives to the sum. Subnormal operands and sums may count as zero.
package struct TileDot: Hashable, Sendable {
  package var sums, left, right: Memory
  package var sumsAt, leftAt, rightAt: Register
  /// Elements from one row on the left to the next.
  package var leftPitch: Int
  /// Elements on the right from the first of `interleave` steps along k to the first of the next ones.
  package var rightPitch: Int
  /// Multiples of 16, at most 32.
  package var rows, columns: Int
  /// An i64; a multiple of `run`. Where it is none, the sums are zero.
  package var depth: Register
  /// Where the stretches of a row lie, the outermost of several nested counts first; empty where a row is one.
  package var stretches: [Stretch]

  /// So many stretches, from one to the next of which are `pitch` elements.
  package struct Stretch: Hashable, Sendable {
    package var count, pitch: Int

    package init(count: Int, pitch: Int) { (self.count, self.pitch) = (count, pitch) }
  }

  /// What the right side will be read from next: a hint, as `Statement.prefetch` is.
  package var request: Request?

  /// In each step along k, so many runs of elements on the right are asked for, from `at` on.
  package struct Request: Hashable, Sendable {
    package var at: Register
    package var runs: Int

    package init(at: Register, runs: Int) { (self.at, self.runs) = (at, runs) }
  }

  package init(
    sums: Memory, at sumsAt: Register, left: Memory, at leftAt: Register, pitch leftPitch: Int, right: Memory,
    at rightAt: Register, pitch rightPitch: Int, rows: Int, columns: Int, depth: Register, stretches: [Stretch] = [],
    request: Request? = nil
  ) {
    (self.sums, self.sumsAt, self.left, self.leftAt, self.leftPitch) = (sums, sumsAt, left, leftAt, leftPitch)
    (self.right, self.rightAt, self.rightPitch) = (right, rightAt, rightPitch)
    (self.rows, self.columns, self.depth, self.stretches) = (rows, columns, depth, stretches)
    self.request = request
  }

  /// Where each stretch of a row begins, from the row's first element on.
  package var stretchStarts: [Int] {
    stretches.reduce([0]) { starts, stretch in
      starts.flatMap { start in (0..<stretch.count).map { start + $0 * stretch.pitch } }
    }
  }

  /// Rows and columns of one tile of sums.
  package static let tileRows = 16
  /// Bytes of a row of a tile.
  package static let rowBytes = 64
  /// Rows and columns of a block are no more.
  package static let mostRows = 32

  /// Elements of a type along k that lie side by side for a column: as many as fill 32 bits.
  package static func interleave(_ element: ElementType) -> Int { 32 / Swift.max(8, element.bits) }
  /// Elements of a type along k that one instruction takes: as many as fill a row of a tile.
  package static func run(_ element: ElementType) -> Int { rowBytes * 8 / Swift.max(8, element.bits) }
}

/// `for index in stride(from: from, to: to, by: step)`, carrying values from iteration to iteration.
package struct Loop: Hashable, Sendable {
  package struct Carried: Hashable, Sendable {
    /// Before the first iteration; inside; what the iteration leaves; after the last iteration.
    package var initial, current, next, final: Register
    package init(initial: Register, current: Register, next: Register, final: Register) {
      self.initial = initial
      self.current = current
      self.next = next
      self.final = final
    }
  }
  package var name: String
  package var index, from, to: Register
  package var step: Int
  package var carried: [Carried]
  package var body: Block
  /// How often LLVM may repeat the body in place; 1 keeps the loop as it is.
  package var unroll: Int

  package init(
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
package struct Branch: Hashable, Sendable {
  package var condition: Register
  package var then, otherwise: Block
  /// For each result: the value that `then` leaves, that `otherwise` leaves, and the register that holds it after.
  package var results: [(then: Register, otherwise: Register, result: Register)] {
    get { triples.map { ($0.then, $0.otherwise, $0.result) } }
    set { triples = newValue.map { Triple(then: $0.then, otherwise: $0.otherwise, result: $0.result) } }
  }
  private var triples: [Triple]
  private struct Triple: Hashable, Sendable { var then, otherwise, result: Register }

  package init(
    condition: Register, then: Block, otherwise: Block,
    results: [(then: Register, otherwise: Register, result: Register)] = []
  ) {
    self.condition = condition
    self.then = then
    self.otherwise = otherwise
    triples = results.map { Triple(then: $0.then, otherwise: $0.otherwise, result: $0.result) }
  }
}
