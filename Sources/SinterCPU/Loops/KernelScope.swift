import SinterCore
import SinterForms
import SinterKernelIR

/// A kernel being written, and the arguments of its call.
///
/// Buffers become parameters when they are first asked for, and so do sizes: a `Dim` over size symbols alone is
/// computed by the host program and passed as one i64, whatever its form; a `Dim` that is a number is a constant of the
/// kernel. Symbols made by `bind` stand for registers of the kernel (loop indices), so that index arithmetic can be
/// done on `Dim` and is written down once it is simple.
package final class KernelScope {
  enum Argument {
    case value(FormValueID)
    case place(ScheduleContext.Place)
  }

  package let builder: KernelBuilder
  package let machine: Machine
  package let values: EntityMap<FormValueID, FormProgram.Value>
  private let places: [FormValueID: ScheduleContext.Place]
  private(set) var arguments: [Argument] = []
  private(set) var sizes: [Dim] = []
  private var memories: [FormValueID: Memory] = [:]
  private var placed: [ScheduleContext.Place: Memory] = [:]
  private var sizeRegisters: [Dim: Register] = [:]
  /// Loop indices by symbol.
  private var bound: [Symbol: Register] = [:]
  private var fresh = 0
  /// Values that loads find elsewhere than in their buffers.
  private(set) var sources: [FormValueID: Source] = [:]

  /// Where loads of a value go.
  enum Source {
    /// The one element that is loaded in the current iteration of the loops.
    case register(Register)
    /// Memory whose element 0 is the value's element `base`.
    case memory(Memory, base: Dim)
  }

  init(
    name: String, machine: Machine, values: EntityMap<FormValueID, FormProgram.Value>,
    places: [FormValueID: ScheduleContext.Place]
  ) {
    builder = KernelBuilder(name: name, fusesMultiplyAdd: machine.hasMultiplyAdd)
    self.machine = machine
    self.values = values
    self.places = places
  }

  // MARK: Memory

  /// The parameter through which the kernel reaches a value. A value that is read and written is one parameter, and so
  /// are two values that lie in the same place.
  package func memory(_ value: FormValueID, _ access: Kernel.Parameter.Access = .read) -> Memory {
    if let place = places[value] {
      let memory = memory(place, element: values[value].type.element, access)
      memories[value] = memory
      return memory
    }
    if let memory = memories[value] {
      builder.widen(memory, access)
      return memory
    }
    let memory = builder.parameter(name(access), values[value].type.element, access)
    arguments.append(.value(value))
    memories[value] = memory
    return memory
  }

  /// The parameter for any place: a packed constant, scratch.
  package func memory(_ place: ScheduleContext.Place, element: ElementType, _ access: Kernel.Parameter.Access) -> Memory
  {
    if let memory = placed[place] {
      builder.widen(memory, access)
      return memory
    }
    let memory = builder.parameter(name(access), element, access)
    arguments.append(.place(place))
    placed[place] = memory
    return memory
  }

  package func memory(_ buffer: BufferID, element: ElementType, _ access: Kernel.Parameter.Access) -> Memory {
    memory(ScheduleContext.Place(buffer: buffer), element: element, access)
  }

  /// Sends later loads of a value elsewhere.
  func redirect(_ value: FormValueID, to source: Source) { sources[value] = source }

  private func name(_ access: Kernel.Parameter.Access) -> String {
    (access == .read ? "x" : "y") + "\(arguments.count)"
  }

  // MARK: Indices

  /// A new symbol that stands for a register in what `index` evaluates. `#` keeps it apart from symbols of sizes.
  package func bind(_ register: Register) -> Symbol {
    let symbol = newSymbol()
    bound[symbol] = register
    return symbol
  }

  /// A symbol that `bind(_:to:)` gives its register later.
  package func newSymbol() -> Symbol {
    fresh += 1
    return Symbol("#\(fresh)")
  }

  package func bind(_ symbol: Symbol, to register: Register) { bound[symbol] = register }
  package func register(_ symbol: Symbol) -> Register? { bound[symbol] }

  /// Whether a size is known before the kernel starts: no loop index stands in it.
  package func isSize(_ dim: Dim) -> Bool { dim.symbols.allSatisfy { !$0.isIndex } }

  /// The value of a size as an i64: a constant, or an argument of the call.
  package func dim(_ dim: Dim) -> Register {
    if let value = dim.value { return builder.index(value) }
    if let register = sizeRegisters[dim] { return register }
    let register = builder.size()
    sizes.append(dim)
    sizeRegisters[dim] = register
    return register
  }

  /// The value of index arithmetic over bound symbols and sizes.
  package func index(_ dim: Dim) -> Register {
    if isSize(dim) { return self.dim(dim.dividingByOneForZero) }
    // Terms with the same loop indices in them share one coefficient, which the host computes.
    var sum = Dim(dim.constant)
    var groups: [(factors: [Dim.Atom], coefficient: Dim)] = []
    for term in dim.terms {
      let inside = term.factors.filter { !isSize(Dim(atom: $0)) }
      let outside = term.factors.filter { isSize(Dim(atom: $0)) }.reduce(Dim(term.coefficient)) { $0 * Dim(atom: $1) }
      if inside.isEmpty {
        sum = sum + outside
      } else if let at = groups.firstIndex(where: { $0.factors == inside }) {
        groups[at].coefficient = groups[at].coefficient + outside
      } else {
        groups.append((inside, outside))
      }
    }
    var total: Register?
    for group in groups where group.coefficient.value != 0 {
      var product: Register?
      for factor in group.factors {
        let value = atom(factor)
        product = product.map { builder.multiply($0, value) } ?? value
      }
      guard let product else { continue }
      let term = builder.multiply(product, self.dim(group.coefficient.dividingByOneForZero))
      total = total.map { builder.add($0, term) } ?? term
    }
    guard let total else { return self.dim(sum.dividingByOneForZero) }
    return builder.add(total, self.dim(sum.dividingByOneForZero))
  }

  private func atom(_ atom: Dim.Atom) -> Register {
    switch atom {
    case .symbol(let symbol): bound[symbol] ?? dim(Dim(symbol))
    case .quotient(let a, let b): builder.binary(.floorDivide, index(a), index(b))
    case .remainder(let a, let b): builder.binary(.modulo, index(a), index(b))
    case .minimum(let a, let b): builder.binary(.minimum, index(a), index(b))
    case .maximum(let a, let b): builder.binary(.maximum, index(a), index(b))
    case .joint(let a, let b): builder.joint(index(a), index(b))
    case .place(let a, let b): builder.place(index(a), in: index(b))
    case .scaled(let a, let b): builder.scaled(index(a), by: b.value.flatMap { Dim.factor($0) } ?? 0)
    case .product(let a, let b): builder.multiply(index(a), index(b))
    case .overflow: dim(.overflow)
    }
  }
}

extension KernelBuilder {
  /// The joint size of two: `b` where `a` is one, else `a`.
  func joint(_ a: Register, _ b: Register) -> Register {
    select(compare(.equal, a, broadcast(index(1), lanes: type(a).lanes)), b, a)
  }

  /// `Dim.scaled`: rounded to 32 bits where these have fractions.
  func scaled(_ size: Register, by factor: Float) -> Register {
    let lanes = type(size).lanes
    let product = multiply(cast(size, to: .f64), float(Double(factor), .f64, lanes: lanes))
    let isSmall = compare(.less, unary(.abs, product), float(0x1p23, .f64, lanes: lanes))
    let rounded = select(isSmall, cast(cast(product, to: .f32), to: .f64), product)
    return cast(unary(.floor, rounded), to: .i64)
  }

  /// An index that counts from the end, `index + size`, where it is negative.
  func place(_ index: Register, in size: Register) -> Register {
    let zero = broadcast(self.index(0), lanes: type(index).lanes)
    return add(index, select(compare(.less, index, zero), size, zero))
  }
}
