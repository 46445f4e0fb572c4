import SinterCore
import SinterForms

/// The text form of a kernel, which `Kernel(parsing:)` reads back:
///
///     kernel "element_f32_100" (read f32 "x0", write f32 "y1") sizes 1 {
///       %1: i64 = size 0
///       %2: i64 = constant 0
///       for %3 = %2 to %1 step 16 unroll 1 "n" {
///         %4: f32x16 = load p0[%3]
///         %5: f32x16 = exp %4
///         store %5 p1[%3] where %9
///       }
///     }
///
/// `p0` is the first parameter, `l0` the first local; `%0` is the number of the task. A loop that carries values names
/// them behind `carrying`, ends its body with `next`, and gives the final ones behind `->`; the blocks of an `if` end
/// with `yield`.
extension Kernel: CustomStringConvertible {
  package var description: String {
    var printer = KernelPrinter(kernel: self)
    printer.print()
    return printer.text
  }
}

struct KernelPrinter {
  let kernel: Kernel
  var text = ""
  var indent = ""
  /// Registers that some statement defines.
  private var defined: Set<Register> = []

  init(kernel: Kernel, indent: String = "") {
    self.kernel = kernel
    self.indent = indent
  }

  private mutating func line(_ content: String) { text += indent + content + "\n" }

  mutating func print() {
    let parameters = kernel.parameters.map { "\($0.access.rawValue) \($0.element) \(TensorText.quoted($0.name))" }
    line(
      "kernel \(TensorText.quoted(kernel.name)) (\(parameters.joined(separator: ", "))) sizes \(kernel.sizeCount) {")
    indent += "  "
    for local in kernel.locals { line("local \(local.element)[\(local.count)] \(TensorText.quoted(local.name))") }
    defined = [kernel.task]
    print(kernel.body)
    for register in kernel.registers.indices where !defined.contains(register) {
      line("unused \(declared(register))")
    }
    indent.removeLast(2)
    line("}")
  }

  private mutating func print(_ block: Block) { for statement in block.statements { print(statement) } }

  private func type(_ register: Register) -> String {
    let type = kernel.registers[register]
    return type.lanes == 1 ? "\(type.element)" : "\(type.element)x\(type.lanes)"
  }

  private func declared(_ register: Register) -> String { "\(register): \(type(register))" }

  private func scalar(_ scalar: Scalar) -> String {
    switch scalar {
    case .int(let value): "\(value)"
    case .float(let value): "\(value)"
    }
  }

  private func name(_ memory: Memory) -> String {
    switch memory {
    case .parameter(let n): "p\(n)"
    case .local(let n): "l\(n)"
    }
  }

  private func place(_ memory: Memory, _ at: Register, _ mask: Register?) -> String {
    "\(name(memory))[\(at)]" + (mask.map { " where \($0)" } ?? "")
  }

  private func list(_ registers: [Register]) -> String { registers.map(\.description).joined(separator: ", ") }

  private mutating func define(_ register: Register, _ text: String) {
    defined.insert(register)
    line("\(declared(register)) = \(text)")
  }

  private mutating func print(_ statement: Statement) {
    switch statement {
    case .constant(let r, let value): define(r, "constant \(scalar(value))")
    case .size(let r, let n): define(r, "size \(n)")
    case .unary(let r, let function, let a): define(r, "\(function.rawValue) \(a)")
    case .binary(let r, let function, let a, let b): define(r, "\(function.rawValue) \(a), \(b)")
    case .scale(let r, let a, let exponent): define(r, "scale \(a), \(exponent)")
    case .multiplyAdd(let r, let a, let b, let c): define(r, "multiplyAdd \(a), \(b), \(c)")
    case .dot(let r, let a, let b, let c): define(r, "dot \(a), \(b), \(c)")
    case .compare(let r, let comparison, let a, let b): define(r, "\(comparison.rawValue) \(a), \(b)")
    case .select(let r, let condition, let a, let b): define(r, "select \(condition), \(a), \(b)")
    case .cast(let r, let a): define(r, "cast \(a)")
    case .bitcast(let r, let a): define(r, "bitcast \(a)")
    case .broadcast(let r, let a): define(r, "broadcast \(a)")
    case .lanes(let r): define(r, "lanes")
    case .extract(let r, let a, let lane): define(r, "extract \(a) lane \(lane)")
    case .combineLanes(let r, let combine, let a): define(r, "combineLanes \(combine.rawValue) \(a)")
    case .shuffle(let r, let a, let b, let positions):
      define(r, "shuffle \(a), \(b) [" + positions.map(String.init).joined(separator: ", ") + "]")
    case .load(let r, let memory, let at, let mask): define(r, "load \(place(memory, at, mask))")
    case .gather(let r, let memory, let at, let mask): define(r, "gather \(place(memory, at, mask))")
    case .lookup(let r, let memory, let byte): define(r, "lookup \(name(memory)), \(byte)")
    case .store(let r, let memory, let at, let mask): line("store \(r) \(place(memory, at, mask))")
    case .scatter(let r, let memory, let at, let mask): line("scatter \(r) \(place(memory, at, mask))")
    case .loop(let loop): print(loop)
    case .branch(let branch): print(branch)
    case .check(let condition, let error, let value, let bound):
      line("check \(condition) error \(error) value \(value) bound \(bound)")
    case .prefetch(let memory, let at): line("prefetch \(place(memory, at, nil))")
    case .tileDot(let block):
      line(
        "tileDot \(place(block.sums, block.sumsAt, nil)) = \(place(block.left, block.leftAt, nil)) pitch \(block.leftPitch), "
          + "\(place(block.right, block.rightAt, nil)) pitch \(block.rightPitch) "
          + "rows \(block.rows) columns \(block.columns) depth \(block.depth)"
          + block.stretches.map { " by \($0.count) pitch \($0.pitch)" }.joined()
          + (block.request.map { " request \($0.at) runs \($0.runs)" } ?? ""))
    }
  }

  private mutating func print(_ loop: Loop) {
    var head = "for \(loop.index) = \(loop.from) to \(loop.to) step \(loop.step) unroll \(loop.unroll) "
    head += TensorText.quoted(loop.name)
    if !loop.carried.isEmpty {
      head += " carrying " + loop.carried.map { "\(declared($0.current)) = \($0.initial)" }.joined(separator: ", ")
    }
    line(head + " {")
    defined.insert(loop.index)
    for carried in loop.carried { defined.formUnion([carried.current, carried.final]) }
    indent += "  "
    print(loop.body)
    if !loop.carried.isEmpty { line("next " + list(loop.carried.map(\.next))) }
    indent.removeLast(2)
    line("}" + (loop.carried.isEmpty ? "" : " -> " + list(loop.carried.map(\.final))))
  }

  private mutating func print(_ branch: Branch) {
    let results = branch.results
    line("if \(branch.condition) {")
    indent += "  "
    print(branch.then)
    if !results.isEmpty { line("yield " + list(results.map(\.then))) }
    indent.removeLast(2)
    line("} else {")
    indent += "  "
    print(branch.otherwise)
    if !results.isEmpty { line("yield " + list(results.map(\.otherwise))) }
    indent.removeLast(2)
    line("}" + (results.isEmpty ? "" : " -> " + results.map { declared($0.result) }.joined(separator: ", ")))
    for result in results { defined.insert(result.result) }
  }
}
