import SinterCore
import SinterForms
import SinterKernelIR
import TestSupport
import Testing

@testable import SinterCPU

/// Products of which each batch reads a matrix of a stack.
@Suite("Schedules of products with stacks of matrices")
struct StackedProductTests {
  struct Case: CustomTestStringConvertible {
    var rows: Int, columns: Int, depth: Int
    var isConstant = true
    /// Whether a matrix lies with what is summed side by side, or with its columns so.
    var isTransposed = true
    var testDescription: String {
      "\(rows)x\(columns)x\(depth)\(isConstant ? " constant" : "")\(isTransposed ? " transposed" : "")"
    }
  }

  static let cases: [Case] = [1, 3, 9, 40].flatMap { rows in
    [(5, 7), (40, 33)].flatMap { columns, depth in
      [true, false].flatMap { isConstant in
        [true, false].map {
          Case(rows: rows, columns: columns, depth: depth, isConstant: isConstant, isTransposed: $0)
        }
      }
    }
  }

  private static let stackSize = 4

  /// A product whose right side for a batch is the matrix that `matrix` names.
  private static func product(
    _ c: Case, _ l: inout Lowering, _ inputs: [Operand], matrix: (BodyBuilder, [Expr]) -> Expr
  ) throws -> Operand {
    let stack = noise([stackSize] + (c.isTransposed ? [c.columns, c.depth] : [c.depth, c.columns]), seed: 3)
    let weights = c.isConstant ? l.constant(stack) : inputs[2]
    return try l.contract(
      batch: [inputs[0].type.shape[0]], m: [Dim(c.rows)], n: [Dim(c.columns)], k: [Dim(c.depth)], accumulate: .f32,
      lhs: { b, batch, m, k in b.load(inputs[0].id, batch + m + k) },
      rhs: { b, batch, n, k in b.load(weights.id, [matrix(b, batch)] + (c.isTransposed ? n + k : k + n)) })
  }

  private static func inputs(_ c: Case, picks: [Int]) -> [HostTensor] {
    let stack = noise([stackSize] + (c.isTransposed ? [c.columns, c.depth] : [c.depth, c.columns]), seed: 4)
    return [noise([picks.count, c.rows, c.depth]), .i64([picks.count], picks)] + (c.isConstant ? [] : [stack])
  }

  @Test(arguments: cases) func dataPickAMatrix(_ c: Case) throws {
    let inputs = Self.inputs(c, picks: [2, 0, 3, 3, 1])
    try checkSchedules(inputs.map { ($0.type, $0) }) { l, x in
      [try Self.product(c, &l, x) { b, batch in b.load(x[1].id, batch) }]
    }
  }

  @Test(arguments: cases.filter(\.isConstant)) func batchesHaveMatricesOfTheirOwn(_ c: Case) throws {
    let inputs = Self.inputs(c, picks: [0, 0, 0, 0])
    try checkSchedules(inputs.map { ($0.type, $0) }) { l, x in [try Self.product(c, &l, x) { _, batch in batch[0] }] }
  }

  /// Constants are packed once, whatever picks them; nothing is copied while the library runs.
  @Test func constantsArePackedAheadOfTime() throws {
    let c = Case(rows: 9, columns: 40, depth: 33)
    var lowering = Lowering(name: "test")
    let operands = Self.inputs(c, picks: [2, 0]).enumerated().map { lowering.input($1.type, named: "x\($0)") }
    for number in 0..<2 {
      let y = try Self.product(c, &lowering, operands) { b, batch in b.load(operands[1].id, batch) }
      lowering.output(y, named: "y\(number)")
    }
    let program = try Scheduler.schedule(lowering.program, for: .x86_64_v3)
    let constants = program.buffers.elements.filter { if case .constant = $0.storage { true } else { false } }
    #expect(program.kernels.elements.allSatisfy { $0.name.hasPrefix("contract") })
    // Columns fill up whole vectors of 8.
    #expect(Set(constants.map(\.count)) == [Dim(Self.stackSize * 40 * 33)])
  }

  /// A number that no matrix has is an error of the run, and nothing is read there.
  @Test(arguments: [-1, 4, Int(Int32.max)]) func wrongPicksAreErrors(pick: Int) throws {
    let c = Case(rows: 3, columns: 40, depth: 33)
    let inputs = Self.inputs(c, picks: [1, pick])
    var lowering = Lowering(name: "test")
    let x = inputs.enumerated().map { lowering.input($1.type, named: "x\($0)") }
    let error = lowering.error("index %0 of %1")
    let y = try Self.product(c, &lowering, x) { b, batch in
      b.load(x[1].id, batch).checked(below: b.constant(Self.stackSize, .i64), error: error)
    }
    lowering.output(y, named: "y")
    var program = try Scheduler.schedule(lowering.program, for: .x86_64_v3)
    MemoryPlanner.plan(&program)
    #expect { try KernelInterpreter(program).run(inputs) } throws: { "\($0)".contains("index \(pick) of 4") }
  }
}
