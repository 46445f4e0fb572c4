import SinterCore

/// Checks that a kernel is well formed:
///
/// - Each register is defined once, before its uses, in the same block or one around it; the task number is defined
///   from the start.
/// - Operands have the types that the statement asks for; lanes agree; comparisons and masks give and take `bool`.
/// - Narrow floats and packed integers are loaded, stored, cast, moved between lanes, and nothing else.
/// - Memory exists, has the register's element type, and is written only where its access allows; indices are i64.
/// - Loops advance; what they carry has one type; conditions of branches and checks are scalars.
/// - All locals together stay below `Kernel.localLimit`.
package final class KernelVerifier {
  private let kernel: Kernel
  private var defined: Set<Register>
  private var everDefined: Set<Register>
  private var problems: [String] = []

  /// All that is wrong with a kernel; empty where it is right.
  package static func problems(in kernel: Kernel) -> [String] {
    let verifier = KernelVerifier(kernel)
    verifier.verify()
    return verifier.problems
  }

  /// Throws all that is wrong with the kernels of a program and with the calls of them.
  package static func verify(_ program: KernelProgram) throws {
    var diagnostics: [Diagnostic] = []
    for kernel in program.kernels.elements {
      diagnostics += problems(in: kernel).map { Diagnostic(.bug, "kernel.verify", $0, at: [kernel.name]) }
    }
    func check(_ steps: [KernelProgram.Step]) {
      for step in steps {
        switch step {
        case .loop, .branch: step.parts.forEach(check)
        case .define, .require, .output: break
        case .invoke(let invocation):
          let function = invocation.function
          if invocation.buffers.count != function.operandCount + 1
            || invocation.counts.count != invocation.buffers.count
            || invocation.parameters.count != function.parameterCount
          {
            diagnostics.append(
              Diagnostic(.bug, "kernel.invoke", "\(function.rawValue) gets \(invocation.buffers.count) places"))
          }
        case .reserve(let buffer), .grow(let buffer, _):
          guard case .dynamic = program.buffers[buffer].storage else {
            diagnostics.append(
              Diagnostic(
                .bug, "kernel.reserve", "\(program.buffers[buffer].name) gets memory during a run, but is not dynamic"))
            continue
          }
        case .call(let call):
          let kernel = program.kernels[call.kernel]
          func fail(_ text: String) { diagnostics.append(Diagnostic(.bug, "kernel.call", text, at: [kernel.name])) }
          if call.buffers.count != kernel.parameters.count {
            fail("\(call.buffers.count) buffers are passed for \(kernel.parameters.count) parameters")
          }
          if call.sizes.count != kernel.sizeCount {
            fail("\(call.sizes.count) sizes are passed for \(kernel.sizeCount)")
          }
          for (argument, parameter) in zip(call.buffers, kernel.parameters) {
            let buffer = program.buffers[argument.buffer]
            // Copies move packed elements by the byte.
            let isByBytes = buffer.element.bits < 8 && parameter.element == .u8
            if buffer.element.bits != parameter.element.bits, !isByBytes {
              fail("\(buffer.name) of \(buffer.element) is passed as \(parameter.name) of \(parameter.element)")
            }
            if parameter.access != .read {
              switch buffer.storage {
              case .input, .constant: fail("\(buffer.name), which may not be written, is passed as \(parameter.name)")
              case .output, .arena, .dynamic: break
              }
            }
          }
        }
      }
    }
    check(program.steps)
    if !diagnostics.isEmpty { throw DiagnosticError(diagnostics) }
  }

  private init(_ kernel: Kernel) {
    self.kernel = kernel
    defined = [kernel.task]
    everDefined = [kernel.task]
  }

  private func verify() {
    let bytes = kernel.locals.reduce(0) { $0 + ($1.element.byteCount($1.count) + 63) / 64 * 64 }
    require(bytes <= Kernel.localLimit, "locals take \(bytes) bytes, more than \(Kernel.localLimit)")
    block(kernel.body)
  }

  // MARK: Registers

  private func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { problems.append(message()) }
  }

  private func type(_ register: Register) -> RegisterType {
    kernel.registers.contains(register) ? kernel.registers[register] : RegisterType(.string)
  }

  private func text(_ type: RegisterType) -> String {
    type.lanes == 1 ? "\(type.element)" : "\(type.element)x\(type.lanes)"
  }

  private func define(_ register: Register) {
    require(kernel.registers.contains(register), "\(register) does not exist")
    require(everDefined.insert(register).inserted, "\(register) is defined twice")
    defined.insert(register)
  }

  private func use(_ register: Register) {
    require(defined.contains(register), "\(register) is used where it is not defined")
  }

  private func use(_ register: Register, as wanted: RegisterType, in what: String) {
    use(register)
    let given = type(register)
    require(given == wanted, "\(what) wants \(text(wanted)), but \(register) is \(text(given))")
  }

  private func requireArithmetic(_ register: Register, _ what: String) {
    let element = type(register).element
    require(
      element.computeType == element && element != .string && element != .c64 && element != .c128,
      "\(what) is not done on \(element)")
  }

  // MARK: Statements

  private func block(_ block: Block) {
    for statement in block.statements { check(statement) }
  }

  private func inner(_ body: Block, defining registers: [Register] = [], yields: [Register]) {
    let outer = defined
    registers.forEach { define($0) }
    block(body)
    yields.forEach { use($0) }
    defined = outer
  }

  private func check(_ statement: Statement) {
    switch statement {
    case .constant(let r, _): define(r)
    case .size(let r, let n):
      require(n >= 0 && n < kernel.sizeCount, "size argument \(n) does not exist")
      require(type(r) == RegisterType(.i64), "a size is i64")
      define(r)
    case .unary(let r, let function, let a):
      use(a)
      requireArithmetic(a, function.rawValue)
      let result = function == .isNaN ? RegisterType(.bool, lanes: type(a).lanes) : type(a)
      require(type(r) == result, "\(function.rawValue) of \(text(type(a))) does not give \(text(type(r)))")
      define(r)
    case .binary(let r, let function, let a, let b):
      use(a, as: type(r), in: function.rawValue)
      use(b, as: type(r), in: function.rawValue)
      requireArithmetic(r, function.rawValue)
      define(r)
    case .multiplyAdd(let r, let a, let b, let c):
      for operand in [a, b, c] { use(operand, as: type(r), in: "multiplyAdd") }
      requireArithmetic(r, "multiplyAdd")
      define(r)
    case .dot(let r, let a, let b, let c):
      let isFloat = type(r).element == .f32
      let (left, right): (ElementType, ElementType) =
        isFloat
        ? (.bf16, .bf16) : type(a).element == .i16 ? (.i16, .i16) : (type(a).element == .i8 ? .i8 : .u8, .i8)
      let lanes = 32 / left.bits * type(r).lanes
      use(a, as: RegisterType(left, lanes: lanes), in: "dot")
      use(b, as: RegisterType(right, lanes: lanes), in: "dot")
      use(c, as: type(r), in: "dot")
      require(isFloat || type(r).element == .i32, "dot sums in i32 or f32, not in \(type(r).element)")
      define(r)
    case .scale(let r, let a, let exponent):
      for operand in [a, exponent] { use(operand, as: type(r), in: "scale") }
      require(type(r).element == .f32, "scale is for f32, not for \(type(r).element)")
      define(r)
    case .compare(let r, let comparison, let a, let b):
      use(a)
      use(b, as: type(a), in: comparison.rawValue)
      requireArithmetic(a, comparison.rawValue)
      require(
        type(r) == RegisterType(.bool, lanes: type(a).lanes), "\(comparison.rawValue) gives bool in as many lanes")
      define(r)
    case .select(let r, let condition, let a, let b):
      use(condition, as: RegisterType(.bool, lanes: type(r).lanes), in: "select")
      use(a, as: type(r), in: "select")
      use(b, as: type(r), in: "select")
      define(r)
    case .cast(let r, let a):
      use(a)
      require(type(r).lanes == type(a).lanes, "cast keeps the number of lanes")
      define(r)
    case .bitcast(let r, let a):
      use(a)
      require(
        type(r).lanes == type(a).lanes && type(r).element.bits == type(a).element.bits,
        "the bits of \(text(type(a))) are not those of \(text(type(r)))")
      define(r)
    case .broadcast(let r, let a):
      use(a, as: RegisterType(type(r).element), in: "broadcast")
      define(r)
    case .lanes(let r):
      require(type(r).element.isInteger, "lanes are integers")
      define(r)
    case .extract(let r, let a, let lane):
      use(a)
      require(type(r) == RegisterType(type(a).element), "extract gives a scalar of \(type(a).element)")
      require(lane >= 0 && lane < type(a).lanes, "\(a) has no lane \(lane)")
      define(r)
    case .combineLanes(let r, let combine, let a):
      use(a)
      require(combine.function != nil, "lanes are not combined by \(combine.rawValue)")
      require(type(r) == RegisterType(type(a).element), "combineLanes gives a scalar of \(type(a).element)")
      let lanes = type(a).lanes
      require(lanes & (lanes - 1) == 0, "combineLanes wants a power of two of lanes, not \(lanes)")
      define(r)
    case .shuffle(let r, let a, let b, let positions):
      use(a)
      use(b, as: type(a), in: "shuffle")
      require(
        type(r) == RegisterType(type(a).element, lanes: positions.count), "shuffle gives \(positions.count) lanes")
      require(positions.allSatisfy { $0 >= 0 && $0 < 2 * type(a).lanes }, "shuffle names a lane that does not exist")
      define(r)
    case .load(let r, let memory, let at, let mask):
      use(at, as: RegisterType(.i64), in: "load")
      access(memory, r, mask, isStore: false)
      define(r)
    case .store(let r, let memory, let at, let mask):
      use(r)
      use(at, as: RegisterType(.i64), in: "store")
      access(memory, r, mask, isStore: true)
    case .gather(let r, let memory, let at, let mask):
      use(at, as: RegisterType(.i64, lanes: type(r).lanes), in: "gather")
      access(memory, r, mask, isStore: false)
      define(r)
    case .scatter(let r, let memory, let at, let mask):
      use(r)
      use(at, as: RegisterType(.i64, lanes: type(r).lanes), in: "scatter")
      access(memory, r, mask, isStore: true)
    case .lookup(let r, let memory, let byte):
      use(byte)
      let bytes: Set<ElementType> = [.u8, .i8]
      require(
        bytes.contains(type(byte).element) && bytes.contains(type(r).element) && type(r).lanes == type(byte).lanes,
        "lookup takes bytes and gives as many")
      access(memory, r, nil, isStore: false)
      define(r)
    case .loop(let loop): check(loop)
    case .branch(let branch):
      use(branch.condition, as: RegisterType(.bool), in: "a branch")
      let results = branch.results
      inner(branch.then, yields: results.map(\.then))
      inner(branch.otherwise, yields: results.map(\.otherwise))
      for result in results {
        require(
          type(result.then) == type(result.result) && type(result.otherwise) == type(result.result),
          "\(result.result) of a branch has other types on its sides")
        define(result.result)
      }
    case .check(let condition, _, let value, let bound):
      use(condition, as: RegisterType(.bool), in: "a check")
      use(value, as: RegisterType(.i64), in: "a check")
      use(bound, as: RegisterType(.i64), in: "a check")
    case .prefetch(let memory, let at):
      use(at, as: RegisterType(.i64), in: "prefetch")
      require(parameter(memory) != nil, "\(memory) does not exist")
    case .tileDot(let block): check(block)
    }
  }

  private func check(_ block: TileDot) {
    for register in [block.sumsAt, block.leftAt, block.rightAt, block.depth] + (block.request.map { [$0.at] } ?? []) {
      use(register, as: RegisterType(.i64), in: "tileDot")
    }
    guard let sums = parameter(block.sums), let left = parameter(block.left), let right = parameter(block.right) else {
      problems.append("memory of tileDot does not exist")
      return
    }
    require(sums.access != .read, "\(block.sums) is written, but may only be read")
    require(left.access != .write && right.access != .write, "tileDot reads what may only be written")
    let types = (left.element, right.element, sums.element)
    require(
      types == (.bf16, .bf16, .f32) || types == (.u8, .i8, .i32) || types == (.i8, .i8, .i32),
      "tileDot does not sum \(types.0) times \(types.1) in \(types.2)")
    for size in [block.rows, block.columns] {
      require(
        size > 0 && size % TileDot.tileRows == 0 && size <= TileDot.mostRows,
        "a block of tileDot has 16 or 32 rows and columns, not \(size)")
    }
    let interleave = TileDot.interleave(types.1)
    require(
      block.leftPitch > 0 && block.rightPitch % interleave == 0 && block.rightPitch >= block.columns * interleave,
      "tileDot's pitches of \(block.leftPitch) and \(block.rightPitch) do not fit its block")
    require(
      block.stretches.allSatisfy { $0.count > 0 && $0.pitch > 0 },
      "tileDot's rows have no stretches, or none that advance")
    require(block.request.map { $0.runs > 0 } ?? true, "tileDot asks for nothing")
  }

  private func check(_ loop: Loop) {
    require(loop.step > 0, "loop \(loop.name) does not advance")
    use(loop.from, as: RegisterType(.i64), in: "loop \(loop.name)")
    use(loop.to, as: RegisterType(.i64), in: "loop \(loop.name)")
    require(type(loop.index) == RegisterType(.i64), "the index of loop \(loop.name) is i64")
    for carried in loop.carried {
      use(carried.initial)
      let types = [carried.initial, carried.current, carried.next, carried.final].map { type($0) }
      require(Set(types).count == 1, "loop \(loop.name) carries \(carried.current) with several types")
    }
    inner(loop.body, defining: [loop.index] + loop.carried.map(\.current), yields: loop.carried.map(\.next))
    for carried in loop.carried { define(carried.final) }
  }

  /// The element type of memory, and whether it may be read and written.
  private func parameter(_ memory: Memory) -> (element: ElementType, access: Kernel.Parameter.Access)? {
    switch memory {
    case .parameter(let n):
      kernel.parameters.indices.contains(n) ? (kernel.parameters[n].element, kernel.parameters[n].access) : nil
    case .local(let n): kernel.locals.indices.contains(n) ? (kernel.locals[n].element, .readWrite) : nil
    }
  }

  private func access(_ memory: Memory, _ r: Register, _ mask: Register?, isStore: Bool) {
    if let mask { use(mask, as: RegisterType(.bool, lanes: type(r).lanes), in: "a mask") }
    guard let (element, access) = parameter(memory) else {
      problems.append("\(memory) does not exist")
      return
    }
    require(type(r).element == element, "\(memory) holds \(element), not \(type(r).element)")
    if isStore { require(access != .read, "\(memory) is written, but may only be read") }
    if !isStore { require(access != .write, "\(memory) is read, but may only be written") }
    require(element.bits >= 8 || type(r).lanes == 1, "packed elements are loaded and stored one at a time")
  }
}
