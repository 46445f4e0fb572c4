import SinterKernelIR

/// What is known of scalar i64 registers: a power of two, at most 8, that divides their value.
///
/// Packed elements at such an index begin at a byte.
struct KnownMultiples {
  private var divisors: [Int]

  static let limit = 8

  init(kernel: Kernel) {
    divisors = Array(repeating: 1, count: kernel.registers.count)
    visit(kernel.body)
  }

  subscript(register: Register) -> Int { divisors[register.position] }

  private mutating func visit(_ block: Block) {
    for statement in block.statements {
      switch statement {
      case .constant(let r, .int(let value)):
        divisors[r.position] = value == 0 ? Self.limit : min(Self.limit, 1 << value.trailingZeroBitCount)
      case .binary(let r, let function, let a, let b):
        let (x, y) = (self[a], self[b])
        switch function {
        case .add, .subtract, .minimum, .maximum: divisors[r.position] = min(x, y)
        case .multiply: divisors[r.position] = min(Self.limit, x * y)
        case .and: divisors[r.position] = max(x, y)
        case .divide, .floorDivide, .modulo, .remainder, .power, .or, .xor, .shiftLeft, .shiftRight, .arcTangent2: break
        }
      case .select(let r, _, let a, let b): divisors[r.position] = min(self[a], self[b])
      case .loop(let loop):
        let step = loop.step == 0 ? Self.limit : 1 << loop.step.trailingZeroBitCount
        divisors[loop.index.position] = min(self[loop.from], step)
        visit(loop.body)
      case .branch(let branch):
        visit(branch.then)
        visit(branch.otherwise)
      case .constant, .size, .unary, .multiplyAdd, .dot, .scale, .compare, .cast, .bitcast, .broadcast, .lanes,
        .extract,
        .combineLanes,
        .shuffle, .load, .store, .gather, .scatter, .lookup, .check, .prefetch, .tileDot:
        break
      }
    }
  }
}
