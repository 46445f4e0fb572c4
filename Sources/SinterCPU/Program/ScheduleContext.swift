import SinterCore
import SinterForms
import SinterKernelIR

/// What a schedule sees and adds to while it turns one form into kernels and calls.
///
/// A schedule asks for a `kernel(named:)` scope, writes the kernel through it, and hands it back with `append`. Values
/// are dense and row-major wherever they are stored.
package struct ScheduleContext {
  /// Where a value is stored.
  package struct Place: Hashable, Sendable {
    package var buffer: BufferID
    /// Elements before the value's first one.
    package var offset: Dim

    package init(buffer: BufferID, offset: Dim = 0) {
      self.buffer = buffer
      self.offset = offset
    }
  }

  package let machine: Machine
  package let options: ScheduleOptions
  package internal(set) var values: EntityMap<FormValueID, FormProgram.Value>
  /// The value that the form at hand computes.
  package internal(set) var result: FormValueID
  package internal(set) var program: KernelProgram
  /// Values that have a buffer by now. Constants get one when a kernel first reads them as they are.
  var places: [FormValueID: Place] = [:]
  /// Constants that are packed already, by what was packed how.
  private var packings: [PackingKey: BufferID] = [:]
  /// Equal kernels exist once.
  private var kernels: [Kernel: KernelID] = [:]
  private var kernelNames: [String: Int] = [:]
  /// The convolutions that are transformed, by their results.
  var transforms: [FormValueID: WinogradPlan] = [:]
  /// The calls of the innermost list of steps.
  var steps: [KernelProgram.Step] = []
  /// The repetitions around the form at hand, from the outermost on.
  var repetitions: [RepetitionScope] = []

  init(program: FormProgram, machine: Machine, options: ScheduleOptions) {
    self.machine = machine
    self.options = options
    values = program.values
    result = FormValueID(0)
    self.program = KernelProgram(name: program.name)
  }

  /// How the form at hand is to be scheduled, where tuning has found out.
  var choice: ScheduleChoice? { options.choices[result] }

  // MARK: Values

  package func type(_ value: FormValueID) -> TensorType { values[value].type }
  package func shape(_ value: FormValueID) -> [Dim] { values[value].type.shape }
  package func element(_ value: FormValueID) -> ElementType { values[value].type.element }
  /// The contents, where they are known at compile time.
  package func constant(_ value: FormValueID) -> HostTensor? { values[value].constant }

  /// Where a value lies; a constant gets its buffer by this.
  package mutating func place(_ value: FormValueID) throws -> Place {
    if let place = places[value] { return place }
    guard let tensor = values[value].constant else {
      throw DiagnosticError(
        .bug, "schedule.order", "value \(value) is read before it is computed", at: values[value].origin)
    }
    let place = Place(buffer: addConstant(tensor, named: values[value].name, origin: values[value].origin))
    places[value] = place
    return place
  }

  /// Where a value's first element lies.
  mutating func argument(_ value: FormValueID) throws -> KernelProgram.Call.Argument {
    let place = try place(value)
    return .init(place.buffer, offset: place.offset)
  }

  // MARK: Buffers

  /// A constant that kernels read; packed by the caller as they want it.
  package mutating func addConstant(_ tensor: HostTensor, named name: String, origin: [String] = []) -> BufferID {
    program.buffers.append(
      .init(name: name, element: tensor.element, count: Dim(tensor.count), storage: .constant(tensor), origin: origin))
  }

  /// A constant that bodies read.
  mutating func addValue(_ tensor: HostTensor, named name: String) -> FormValueID {
    values.append(.init(type: tensor.type, name: name, constant: tensor))
  }

  /// What identifies a packed copy of a constant.
  struct PackingKey: Hashable {
    var value: FormValueID
    var base: Int
    var columnStride: Int
    var depthOffsets: [Int]
    var layout: PanelLayout
    /// Steps along k of each part that is packed by itself, where there are several.
    var parts: [Int] = []
    /// How many matrices of the kind are packed one after another, and their distance; empty for one.
    var stack: [Int] = []
  }

  /// A packed copy of a constant, made once however often it is used.
  mutating func packedConstant(_ key: PackingKey, make: () -> HostTensor?) -> BufferID? {
    if let known = packings[key] { return known }
    guard let tensor = make() else { return nil }
    let buffer = addConstant(tensor, named: values[key.value].name, origin: values[key.value].origin)
    packings[key] = buffer
    return buffer
  }

  /// A body computed into memory of its own ahead of the form at hand: a value that only this form reads. Where it is the same in all iterations
  /// of a repetition, it is computed ahead of that.
  mutating func materialize(_ body: Body, shape: [Dim], named name: String) throws -> FormValueID {
    let type = TensorType(body[body.results[0]].type, shape)
    let value = values.append(.init(type: type, name: name, origin: values[result].origin))
    places[value] = Place(
      buffer: addScratch(type.element, count: type.count, named: name, origin: values[result].origin))
    let outer = result
    result = value
    defer { result = outer }
    let form = ElementForm(body: body)
    guard
      let scope = repetitions.indices.first(where: { repetitions[$0].isConstant(body, shape) })
    else {
      try ElementSchedule.schedule(form, context: &self)
      return value
    }
    let inner = steps
    steps = repetitions[scope].ahead
    defer { (repetitions[scope].ahead, steps) = (steps, inner) }
    try ElementSchedule.schedule(form, context: &self)
    for place in repetitions.indices where place >= scope { repetitions[place].constant.insert(value) }
    return value
  }

  /// A combination computed into memory of its own ahead of the form at hand: a value that only this form reads.
  mutating func materialize(_ form: ReduceForm, shape: [Dim], type: ElementType, named name: String) throws
    -> FormValueID
  {
    let value = values.append(.init(type: TensorType(type, shape), name: name, origin: values[result].origin))
    places[value] = Place(
      buffer: addScratch(type, count: shape.reduce(1, *), named: name, origin: values[result].origin))
    let outer = result
    result = value
    defer { result = outer }
    try ReduceSchedule.schedule(form, context: &self)
    return value
  }

  /// A builder of bodies over this program's values.
  func bodyBuilder() -> BodyBuilder {
    let values = values
    return BodyBuilder { values[$0].type.element }
  }

  /// Memory between the kernels of one form (or for a value that the scheduler stores).
  package mutating func addScratch(_ element: ElementType, count: Dim, named name: String, origin: [String] = [])
    -> BufferID
  {
    program.buffers.append(.init(name: name, element: element, count: count, storage: .between(count), origin: origin))
  }

  // MARK: Kernels

  /// A new kernel to write. Give it back with `append`.
  package func kernel(named name: String) -> KernelScope {
    KernelScope(name: name, machine: machine, values: values, places: places)
  }

  /// Ends a kernel and calls it.
  ///
  /// - Parameters:
  ///   - tasks: how often the kernel runs, with `task` 0, 1 and so on.
  ///   - grain: the tasks that one thread should have at least, so that a second one pays.
  ///   - overwritable: places of which the kernel reads each element only to compute the same element of its result.
  package mutating func append(
    _ scope: KernelScope, tasks: Dim = 1, grain: Int = 1, flops: Dim = 0, bytes: Dim = 0, name: String? = nil,
    overwritable: Set<Place> = []
  ) throws {
    var arguments: [KernelProgram.Call.Argument] = []
    for argument in scope.arguments {
      switch argument {
      case .value(let value):
        let place = try place(value)
        arguments.append(.init(place.buffer, offset: place.offset))
      case .place(let place):
        arguments.append(.init(place.buffer, offset: place.offset))
      }
    }
    let id = add(scope.builder.finish(named: name))
    var call = KernelProgram.Call(
      kernel: id, buffers: arguments, sizes: scope.sizes, tasks: tasks, grain: Swift.max(1, grain),
      origin: values[result].origin, flops: flops, bytes: bytes)
    for (index, argument) in scope.arguments.enumerated() {
      if case .place(let place) = argument, overwritable.contains(place) { call.overwritable.insert(index) }
    }
    steps.append(.call(call))
  }

  /// The number of a kernel: that of an equal one, where there is one. Names are made distinct.
  private mutating func add(_ kernel: Kernel) -> KernelID {
    if let known = kernels[kernel] { return known }
    var named = kernel
    let same = kernelNames[kernel.name, default: 0] + 1
    kernelNames[kernel.name] = same
    if same > 1 { named.name += "_v\(same)" }
    let id = program.kernels.append(named)
    kernels[kernel] = id
    return id
  }
}

extension ScheduleContext {
  /// Places of which a body reads, for each element of the result, the same element and no other: where each element is computed once, and read
  /// before it is written, the result may be written over them.
  ///
  /// - Parameter operands: what the kernel reads besides.
  func overwritable(by body: Body, besides operands: [FormValueID] = []) -> Set<Place> {
    let type = type(result)
    if type.element.bits < 8 { return [] }
    var (found, others): (Set<FormValueID>, Set<FormValueID>) = ([], Set(operands))
    for expr in body.exprs {
      guard case .load(let value, let list, _, _) = expr.node else { continue }
      let isOwn =
        self.type(value) == type
        && list.enumerated().allSatisfy { axis, index in
          switch body[index].node {
          case .axis(axis): true
          case .constant(.int(0)): type.shape[axis] == 1
          default: false
          }
        }
      if isOwn { found.insert(value) } else { others.insert(value) }
    }
    return Set(found.compactMap { places[$0] }).subtracting(others.compactMap { places[$0] })
  }

  /// Bytes that a call moves at least: its operands and its result, each once.
  func bytes(reading operands: [FormValueID], writing result: FormValueID) -> Dim {
    (operands + [result]).reduce(Dim(0)) { sum, value in
      let type = type(value)
      return sum
        + (type.element.bits >= 8 ? type.count * Dim(type.element.bits / 8) : type.count / Dim(8 / type.element.bits))
    }
  }
}
