internal import CLLVM
import SinterKernelIR

extension KernelEmitter {
  /// Writes iterations of a loop, `copies` of the body in each, as long as that many are left, and gives the index of the
  /// first iteration that is not done and the values that it would start from.
  @discardableResult
  func iterations(
    from: IRValue, to: IRValue, step: Int, copies: Int, initial: [IRValue],
    _ body: (IRValue, [IRValue]) throws -> [IRValue]
  ) rethrows -> (index: IRValue, carried: [IRValue]) {
    let function = ir.currentFunction
    let before = ir.currentBlock
    let inner = ir.block("loop", in: function)
    let after = ir.block("done", in: function)
    let last = Int64((copies - 1) * step)
    let enters = ir.icmp(LLVMIntSLT, ir.add(from, last), to)
    let alwaysEnters = ir.knownInt(enters).map { $0 != 0 } ?? false
    if alwaysEnters { ir.jump(inner) } else { ir.jump(if: enters, inner, else: after) }

    ir.position(at: inner)
    let index = ir.phi(ir.i64, [(from, before)])
    let current = initial.map { ir.phi(ir.type($0), [($0, before)]) }
    var next = current
    for copy in 0..<copies { next = try body(ir.add(index, Int64(copy * step)), next) }
    let nextIndex = LLVMBuildNSWAdd(ir.builder, index, ir.index(copies * step), "")!
    let latch = ir.currentBlock
    ir.jump(if: ir.icmp(LLVMIntSLT, ir.add(nextIndex, last), to), inner, else: after)
    ir.addIncoming(index, nextIndex, latch)
    for (phi, value) in zip(current, next) { ir.addIncoming(phi, value, latch) }

    ir.position(at: after)
    if alwaysEnters { return (nextIndex, next) }
    let finalIndex = ir.phi(ir.i64, [(from, before), (nextIndex, latch)])
    let final = zip(initial, next).map { ir.phi(ir.type($0), [($0, before), ($1, latch)]) }
    return (finalIndex, final)
  }

  func emit(_ loop: Loop) throws {
    let from = try self[loop.from]
    let to = try self[loop.to]
    var carried = try loop.carried.map { try self[$0.initial] }
    func body(_ index: IRValue, _ current: [IRValue]) throws -> [IRValue] {
      values[loop.index.position] = index
      for (names, value) in zip(loop.carried, current) { values[names.current.position] = value }
      try emit(loop.body)
      return try loop.carried.map { try self[$0.next] }
    }

    let count = try iterationCount(loop, from, to)
    let copies = max(1, loop.unroll)
    if let count, count <= copies {
      for iteration in 0..<count { carried = try body(ir.add(from, Int64(iteration * loop.step)), carried) }
    } else {
      let main = try iterations(from: from, to: to, step: loop.step, copies: copies, initial: carried, body)
      carried = main.carried
      let isDone = copies == 1 || count.map { $0 % copies == 0 } ?? false
      if !isDone {
        carried = try iterations(from: main.index, to: to, step: loop.step, copies: 1, initial: carried, body).carried
      }
    }
    for (names, value) in zip(loop.carried, carried) { values[names.final.position] = value }
  }

  /// The number of iterations, where it is known.
  private func iterationCount(_ loop: Loop, _ from: IRValue, _ to: IRValue) throws -> Int? {
    guard loop.step > 0 else { throw bug("loop \(loop.name) has step \(loop.step)") }
    guard let first = ir.knownInt(from), let end = ir.knownInt(to) else { return nil }
    return end > first ? (end - first + loop.step - 1) / loop.step : 0
  }

  func emit(_ branch: Branch) throws {
    let function = ir.currentFunction
    let then = ir.block("then", in: function)
    let otherwise = ir.block("else", in: function)
    let after = ir.block("endif", in: function)
    ir.jump(if: try self[branch.condition], then, else: otherwise)

    func side(_ block: IRBlock, _ body: Block, _ results: [Register]) throws -> ([IRValue], IRBlock) {
      ir.position(at: block)
      try emit(body)
      let values = try results.map { try self[$0] }
      let end = ir.currentBlock
      ir.jump(after)
      return (values, end)
    }
    let (a, aEnd) = try side(then, branch.then, branch.results.map(\.then))
    let (b, bEnd) = try side(otherwise, branch.otherwise, branch.results.map(\.otherwise))
    ir.position(at: after)
    for (index, result) in branch.results.enumerated() {
      values[result.result.position] = ir.phi(ir.type(a[index]), [(a[index], aEnd), (b[index], bEnd)])
    }
  }

  /// Ends the kernel with the error's number, plus one, where the condition does not hold; the runtime keeps value and
  /// bound for the message.
  func check(_ condition: IRValue, error: Int, value: IRValue, bound: IRValue) {
    let function = ir.currentFunction
    let fails = ir.block("fails", in: function)
    let holds = ir.block("holds", in: function)
    ir.jump(if: condition, holds, else: fails)
    ir.position(at: fails)
    let report = ir.external("sinter_report", ir.functionType(ir.i32, [ir.i32, ir.i64, ir.i64]), isHidden: true)
    if usesTiles { releaseTiles() }
    ir.giveBack(ir.call(report, [ir.int(ir.i32, Int64(error + 1)), value, bound]))
    ir.position(at: holds)
  }

  /// A scalar as the i64 that messages show.
  func wide(_ value: IRValue, _ type: RegisterType) throws -> IRValue {
    try cast(value, from: type.element, to: .i64)
  }

  /// Runs `body` where `condition` holds and gives its value; `otherwise` where not.
  func when(_ condition: IRValue, otherwise: IRValue, _ body: () -> IRValue) -> IRValue {
    let function = ir.currentFunction
    let before = ir.currentBlock
    let then = ir.block("then", in: function)
    let after = ir.block("endif", in: function)
    ir.jump(if: condition, then, else: after)
    ir.position(at: then)
    let value = body()
    let end = ir.currentBlock
    ir.jump(after)
    ir.position(at: after)
    return ir.phi(ir.type(value), [(otherwise, before), (value, end)])
  }

  func when(_ condition: IRValue, _ body: () -> Void) {
    let function = ir.currentFunction
    let then = ir.block("then", in: function)
    let after = ir.block("endif", in: function)
    ir.jump(if: condition, then, else: after)
    ir.position(at: then)
    body()
    ir.jump(after)
    ir.position(at: after)
  }
}
