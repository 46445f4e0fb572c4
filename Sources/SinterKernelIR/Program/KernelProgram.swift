import SinterCore
import SinterForms

/// A buffer of a kernel program.
package struct BufferID: EntityIndex {
  package let rawValue: Int32
  package init(rawValue: Int32) { self.rawValue = rawValue }
  package static var prefix: String { "@" }
}

package struct KernelID: EntityIndex {
  package let rawValue: Int32
  package init(rawValue: Int32) { self.rawValue = rawValue }
  package static var prefix: String { "k" }
}

/// A program after scheduling: buffers, and the kernels that fill them one after another.
package struct KernelProgram: Sendable {
  package struct Buffer: Sendable {
    package enum Storage: Sendable {
      case input(Int)
      case output(Int)
      /// Packed already, as the kernels read it.
      case constant(HostTensor)
      /// Between kernels. The memory plan gives it an offset where all sizes are known.
      case arena
      /// Between kernels, of a size that data determine: it gets memory during a run, by `reserve` or `grow`.
      case dynamic

      /// Memory between kernels for some number of elements.
      package static func between(_ count: Dim) -> Storage { count.isFromData ? .dynamic : .arena }
    }
    package var name: String
    package var element: ElementType
    /// The number of elements, padding included.
    package var count: Dim
    package var storage: Storage
    package var origin: [String]
    /// Bytes from the start of the arena; nil until planned, or where sizes are symbolic.
    package var offset: Int?

    package init(name: String, element: ElementType, count: Dim, storage: Storage, origin: [String] = []) {
      self.name = name
      self.element = element
      self.count = count
      self.storage = storage
      self.origin = origin
    }
  }

  package struct Call: Sendable {
    package var kernel: KernelID
    /// One a parameter. The offset, in elements, is where the kernel's element 0 lies.
    package var buffers: [Argument]
    package var sizes: [Dim]
    /// The number of tasks.
    package var tasks: Dim
    /// Tasks that one thread should have at least, so that a second one pays.
    package var grain: Int
    /// What the call computes, for the report and the profiler: node names, layer paths.
    package var origin: [String]
    /// Floating-point operations and bytes moved, where known.
    package var flops: Dim
    package var bytes: Dim
    /// Parameters of which it reads an element only to compute the same element of its one result, and before it writes that: the result may
    /// lie in their memory. Not in text forms.
    package var overwritable: Set<Int> = []

    package struct Argument: Sendable, Hashable {
      package var buffer: BufferID
      package var offset: Dim
      package init(_ buffer: BufferID, offset: Dim = 0) {
        self.buffer = buffer
        self.offset = offset
      }
    }

    package init(
      kernel: KernelID, buffers: [Argument], sizes: [Dim], tasks: Dim, grain: Int, origin: [String] = [],
      flops: Dim = 0,
      bytes: Dim = 0
    ) {
      self.kernel = kernel
      self.buffers = buffers
      self.sizes = sizes
      self.tasks = tasks
      self.grain = grain
      self.origin = origin
      self.flops = flops
      self.bytes = bytes
    }
  }

  /// A call of a function of the runtime, on the thread of the caller.
  package struct Invocation: Sendable {
    package var function: RuntimeFunction
    /// The result's place, then the operands'.
    package var buffers: [Call.Argument]
    /// The number of elements of each.
    package var counts: [Dim]
    package var parameters: [Int64]
    package var origin: [String]

    package init(
      _ function: RuntimeFunction, buffers: [Call.Argument], counts: [Dim], parameters: [Int64], origin: [String] = []
    ) {
      self.function = function
      self.buffers = buffers
      self.counts = counts
      self.parameters = parameters
      self.origin = origin
    }
  }

  package indirect enum Step: Sendable {
    case call(Call)
    case invoke(Invocation)
    /// `body` for iteration = 0 ..< count, one after another, as long as the truth value at `condition`, if there is one, holds before a
    /// iteration. Inside, the symbol `iteration` is the number of the iteration and may stand in offsets and sizes.
    case loop(iteration: Symbol, count: Dim, condition: Call.Argument?, body: [Step])
    /// One of two lists, as the truth value at `condition` says.
    case branch(condition: Call.Argument, then: [Step], otherwise: [Step])
    /// Sizes become known, or others than they were: all are computed before any is set.
    case define([Definition])
    /// Ends the run where sizes do not fit one another.
    case require(Obligation)
    /// Gives a dynamic buffer memory for its elements. What it held is lost where it had less.
    case reserve(BufferID)
    /// Gives a dynamic buffer memory for at least so many elements, and keeps what it held.
    case grow(BufferID, count: Dim)
    /// Makes an output whose sizes data determine, now that they are known. Others are there from the start.
    case output(Int)
  }

  /// A size that becomes known during a run.
  package struct Definition: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
      /// The i64 at a place in memory. A negative one ends the run with error `error`.
      case element(Call.Argument, error: Int)
      case size(Dim)
    }
    package var symbol: Symbol
    package var source: Source

    package init(_ symbol: Symbol, _ source: Source) {
      self.symbol = symbol
      self.source = source
    }
  }

  package struct Port: Sendable {
    package var name: String
    package var type: TensorType
    /// What users should know besides the type. Not in text forms.
    package var note = ""
    package init(name: String, type: TensorType) {
      self.name = name
      self.type = type
    }
  }

  package var name: String
  package var inputs: [Port]
  package var outputs: [Port]
  /// Inputs and outputs that callers see as one value, for the library that is made of the program. Not in text forms.
  package var inputStructures: [PortStructure] = []
  package var outputStructures: [PortStructure] = []
  /// Inputs that a library keeps from run to run, and the outputs that they become. Not in text forms.
  package var states: [StatePort] = []
  /// Whether a library computes with zeros in place of subnormal numbers, as far as its processor can. Not in text forms.
  package var flushesSubnormals = false
  /// The states, by their number, whose next values are written over the current ones; others have memory for both. Not in text forms.
  package var statesInPlace: Set<Int> = []
  package var buffers: EntityMap<BufferID, Buffer>
  /// Equal kernels are here once.
  package var kernels: EntityMap<KernelID, Kernel>
  package var steps: [Step]
  package var errors: [String]
  /// Texts that programs know by number: the first ones of each run's table.
  package var texts: TextTable
  /// What sizes that callers choose must fulfil before anything runs.
  package var obligations: [Obligation]
  package var ranges: [Symbol: ClosedRange<Int>]
  /// Bytes of the arena, where all sizes are known and the plan is made.
  package var arenaBytes: Int?

  package init(name: String) {
    self.name = name
    inputs = []
    outputs = []
    buffers = EntityMap()
    kernels = EntityMap()
    steps = []
    errors = []
    texts = TextTable()
    obligations = []
    ranges = [:]
  }
}

extension KernelProgram {
  /// Whether a library of it needs the part of the runtime that knows text.
  package var usesText: Bool {
    (inputs + outputs).contains { $0.type.element == .string }
      || steps.contains { $0.invocations.contains { !$0.function.isOfImages } }
  }

  /// Whether a library of it decodes image files, for which it needs others.
  package var usesImages: Bool { steps.contains { $0.invocations.contains { $0.function.isOfImages } } }
}

extension KernelProgram.Step {
  /// The lists of steps in it.
  package var parts: [[KernelProgram.Step]] {
    switch self {
    case .loop(_, _, _, let body): [body]
    case .branch(_, let then, let otherwise): [then, otherwise]
    case .call, .invoke, .define, .require, .reserve, .grow, .output: []
    }
  }

  /// All calls in it.
  package var calls: [KernelProgram.Call] {
    if case .call(let call) = self { return [call] }
    return parts.flatMap { $0.flatMap(\.calls) }
  }

  /// The places in memory that it touches itself, those of the lists in it left out.
  package var ownArguments: [KernelProgram.Call.Argument] {
    switch self {
    case .call(let call): call.buffers
    case .invoke(let invocation): invocation.buffers
    case .loop(_, _, let condition, _): condition.map { [$0] } ?? []
    case .branch(let condition, _, _): [condition]
    case .define(let definitions):
      definitions.compactMap { if case .element(let argument, _) = $0.source { argument } else { nil } }
    case .require, .reserve, .grow, .output: []
    }
  }

  /// The buffers that it touches.
  package var buffers: [BufferID] {
    var found = ownArguments.map(\.buffer)
    if case .reserve(let buffer) = self { found.append(buffer) }
    if case .grow(let buffer, _) = self { found.append(buffer) }
    return found + parts.flatMap { $0.flatMap(\.buffers) }
  }

  /// All calls of the runtime in it.
  package var invocations: [KernelProgram.Invocation] {
    if case .invoke(let invocation) = self { return [invocation] }
    return parts.flatMap { $0.flatMap(\.invocations) }
  }

  /// The sizes that it makes known.
  package var definitions: [Symbol] {
    if case .define(let definitions) = self { return definitions.map(\.symbol) }
    return parts.flatMap { $0.flatMap(\.definitions) }
  }
}

extension KernelProgram {
  /// The ports as callers see them.
  package var callerInputs: [CallerPort] {
    CallerPort.all(inputs.dropLast(states.count).map(\.name), inputStructures)
  }
  package var callerOutputs: [CallerPort] {
    CallerPort.all(outputs.dropLast(states.count { $0.output != nil }).map(\.name), outputStructures)
  }

  /// Whether some port is no tensor.
  package var hasStructures: Bool { !inputStructures.isEmpty || !outputStructures.isEmpty }
}
