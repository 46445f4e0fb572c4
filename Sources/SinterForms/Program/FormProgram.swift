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
    case branch(Branch)
    /// From here on a size that data determine is known.
    case define(Symbol, SizeSource)
    /// Ends the run with an error where sizes do not fit one another.
    case require(Obligation)
  }

  /// What a size that becomes known during a run is.
  public enum SizeSource: Hashable, Sendable {
    /// The only element of an i64 value. A negative one ends the run with error `error` of the program.
    case element(FormValueID, error: Int)
    case size(Dim)
  }

  /// Runs one of two lists of steps.
  public struct Branch: Sendable {
    /// What the list that ran leaves for later steps: `result` is a value of its own.
    public struct Result: Sendable {
      public var then, otherwise, result: FormValueID
      public init(then: FormValueID, otherwise: FormValueID, result: FormValueID) {
        self.then = then
        self.otherwise = otherwise
        self.result = result
      }
    }
    /// A size of a result, which depends on the list that ran.
    public struct Size: Hashable, Sendable {
      public var symbol: Symbol
      public var then, otherwise: Dim
      public init(symbol: Symbol, then: Dim, otherwise: Dim) {
        self.symbol = symbol
        self.then = then
        self.otherwise = otherwise
      }
    }
    /// One truth value.
    public var condition: FormValueID
    public var then, otherwise: [Step]
    public var sizes: [Size]
    public var results: [Result]

    public init(condition: FormValueID, then: [Step], otherwise: [Step], sizes: [Size], results: [Result]) {
      self.condition = condition
      self.then = then
      self.otherwise = otherwise
      self.sizes = sizes
      self.results = results
    }
  }

  /// Runs `body` `count` times, one after another, or fewer times where a condition ends it.
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
    /// A size of carried values that may change from turn to turn.
    public struct Size: Hashable, Sendable {
      /// What the body knows it as, and what it is known as behind the last turn.
      public var current, final: Symbol
      public var initial, next: Dim
      public init(current: Symbol, final: Symbol, initial: Dim, next: Dim) {
        self.current = current
        self.final = final
        self.initial = initial
        self.next = next
      }
    }
    /// At most so many turns.
    public var count: Dim
    /// The carried truth value without which no turn begins: its `current`.
    public var condition: FormValueID?
    /// How many turns there were, where a condition decides it.
    public var turns: Symbol?
    public var sizes: [Size] = []
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
    /// The type that callers know, where it differs from the value's: it names some sizes otherwise, or it is text, which the value has as
    /// numbers of `texts`.
    public var declared: TensorType?
    public init(value: FormValueID, name: String, declared: TensorType? = nil) {
      self.value = value
      self.name = name
      self.declared = declared
    }
  }

  public var name: String
  public var values: EntityMap<FormValueID, Value>
  public var inputs: [Input]
  public var outputs: [Input]
  public var steps: [Step]
  /// What checks at run time report, by number.
  public var errors: [String]
  /// Texts whose numbers the program relies on: they are the first ones of each run's table.
  public var texts: TextTable
  /// The least and greatest values of symbols; those not listed are at least zero.
  public var ranges: [Symbol: ClosedRange<Int>]

  public init(name: String) {
    self.name = name
    values = EntityMap()
    inputs = []
    outputs = []
    steps = []
    errors = []
    texts = TextTable()
    ranges = [:]
  }
}
