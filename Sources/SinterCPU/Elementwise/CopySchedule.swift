import SinterCore
import SinterForms
import SinterKernelIR

/// Moves a dense value from one place to another.
enum CopySchedule {
  static func schedule(
    _ type: TensorType, from: ScheduleContext.Place, to: ScheduleContext.Place, context: inout ScheduleContext
  ) throws {
    if type.count.value == 0 { return }
    // Packed elements move as the bytes that hold them.
    let isPacked = type.element.bits < 8
    let element = isPacked ? ElementType.u8 : type.element
    let count = isPacked ? type.count.ceilDivided(by: Dim(8 / type.element.bits)) : type.count
    let scope = context.kernel(named: "copy")
    let builder = scope.builder
    let source = scope.memory(from, element: element, .read)
    let target = scope.memory(to, element: element, .write)
    let part = TaskSplit.part * 4
    let lanes = context.machine.lanes(element)
    scope.vectorLoop(
      "copy", over: scope.stretch(count, part: builder.task, size: part), lanes: lanes, unroll: 4
    ) { index, width, mask in
      builder.store(builder.load(source, at: index, lanes: width, mask: mask), target, at: index, mask: mask)
    }
    let bytes = count * Dim(element.bits / 8 * 2)
    try context.append(
      scope, tasks: count.ceilDivided(by: Dim(part)), grain: TaskSplit.grain(elementsPerTask: part, cost: 1),
      bytes: bytes, name: "copy_\(element)_\(Symbol.sanitizedName("\(count)"))")
  }
}
