import SinterCore

/// A graph after lowering: one form a value, and repetition of whole lists of them.
///
/// The meaning is that of `FormInterpreter`. Fusion rewrites it by moving bodies into bodies; scheduling turns it into a
/// `KernelProgram`.
public struct FormProgram: Sendable {
  public struct Value: Sendable {
    public var type: TensorType
    public var name: String
    /// Where it comes from: layer paths, node names, source lines. More than one after fusion.
    public var origin: [String]
    public var constant: HostTensor?

    public init(type: TensorType, name: String = "", origin: [String] = [], constant: HostTensor? = nil) {
      self.type = type
      self.name = name
      self.origin = origin
      self.constant = constant
    }
  }

  public indirect enum Step: Sendable {
    /// Computes one value.
    case compute(FormValueID, Form)
    /// Computes several values, row by row. Fusion makes these; lowering does not.
    case rows(RowGroup)
    case repetition(Repetition)
  }

  /// Runs `body` `count` times, one after another.
  public struct Repetition: Sendable {
    public struct Carried: Sendable {
      /// Before the first turn; what the body reads; what the turn leaves for the next; after the last turn.
      public var initial, current, next, final: FormValueID
      public init(initial: FormValueID, current: FormValueID, next: FormValueID, final: FormValueID) {
        self.initial = initial
        self.current = current
        self.next = next
        self.final = final
      }
    }
    /// `slice` is `whole` at turn t (or count - 1 - t) along its first axis.
    public struct Sliced: Sendable {
      public var whole, slice: FormValueID
      public var isReversed: Bool
      public init(whole: FormValueID, slice: FormValueID, isReversed: Bool) {
        self.whole = whole
        self.slice = slice
        self.isReversed = isReversed
      }
    }
    public var count: Dim
    public var carried: [Carried]
    public var inputs: [Sliced]
    /// Each turn's `slice` becomes `whole` at t (or count - 1 - t) along its first axis.
    public var outputs: [Sliced]
    public var body: [Step]

    public init(count: Dim, carried: [Carried], inputs: [Sliced], outputs: [Sliced], body: [Step]) {
      self.count = count
      self.carried = carried
      self.inputs = inputs
      self.outputs = outputs
      self.body = body
    }
  }

  public struct Input: Sendable {
    public var value: FormValueID
    public var name: String
    public init(value: FormValueID, name: String) {
      self.value = value
      self.name = name
    }
  }

  public var name: String
  public var values: EntityMap<FormValueID, Value>
  public var inputs: [Input]
  public var outputs: [Input]
  public var steps: [Step]
  /// What checks at run time report, by number.
  public var errors: [String]
  /// The least and greatest values of symbols; those not listed are at least zero.
  public var ranges: [Symbol: ClosedRange<Int>]

  public init(name: String) {
    self.name = name
    values = EntityMap()
    inputs = []
    outputs = []
    steps = []
    errors = []
    ranges = [:]
  }
}
