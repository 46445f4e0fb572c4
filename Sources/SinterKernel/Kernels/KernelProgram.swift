import SinterCore

/// A buffer of a kernel program.
public struct BufferID: EntityIndex {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public static var prefix: String { "@" }
}

public struct KernelID: EntityIndex {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public static var prefix: String { "k" }
}

/// A program after scheduling: buffers, and the kernels that fill them one after another.
public struct KernelProgram: Sendable {
  public struct Buffer: Sendable {
    public enum Storage: Sendable {
      case input(Int)
      case output(Int)
      /// Packed already, as the kernels read it.
      case constant(HostTensor)
      /// Between kernels. The memory plan gives it an offset where all sizes are known.
      case arena
    }
    public var name: String
    public var element: ElementType
    /// The number of elements, padding included.
    public var count: Dim
    public var storage: Storage
    public var origin: [String]
    /// Bytes from the start of the arena; nil until planned, or where sizes are symbolic.
    public var offset: Int?

    public init(name: String, element: ElementType, count: Dim, storage: Storage, origin: [String] = []) {
      self.name = name
      self.element = element
      self.count = count
      self.storage = storage
      self.origin = origin
    }
  }

  public struct Call: Sendable {
    public var kernel: KernelID
    /// One a parameter. The offset, in elements, is where the kernel's element 0 lies.
    public var buffers: [Argument]
    public var sizes: [Dim]
    /// The number of tasks.
    public var tasks: Dim
    /// Tasks that one thread should have at least, so that a second one pays.
    public var grain: Int
    /// What the call computes, for the report and the profiler: node names, layer paths.
    public var origin: [String]
    /// Floating-point operations and bytes moved, where known.
    public var flops: Dim
    public var bytes: Dim

    public struct Argument: Sendable, Hashable {
      public var buffer: BufferID
      public var offset: Dim
      public init(_ buffer: BufferID, offset: Dim = 0) {
        self.buffer = buffer
        self.offset = offset
      }
    }

    public init(
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

  public indirect enum Step: Sendable {
    case call(Call)
    /// `body` for turn = 0 ..< count, one after another. Inside, the symbol `turn` is the number of the turn and may
    /// stand in offsets and sizes.
    case loop(turn: Symbol, count: Dim, body: [Step])
  }

  public struct Port: Sendable {
    public var name: String
    public var type: TensorType
    public init(name: String, type: TensorType) {
      self.name = name
      self.type = type
    }
  }

  public var name: String
  public var inputs: [Port]
  public var outputs: [Port]
  public var buffers: EntityMap<BufferID, Buffer>
  /// Equal kernels are here once.
  public var kernels: EntityMap<KernelID, Kernel>
  public var steps: [Step]
  public var errors: [String]
  public var ranges: [Symbol: ClosedRange<Int>]
  /// Bytes of the arena, where all sizes are known and the plan is made.
  public var arenaBytes: Int?

  public init(name: String) {
    self.name = name
    inputs = []
    outputs = []
    buffers = EntityMap()
    kernels = EntityMap()
    steps = []
    errors = []
    ranges = [:]
  }
}
