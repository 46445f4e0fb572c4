import SinterCore

/// A graph after lowering: one form a value, and repetition of whole lists of them.
///
/// The meaning is that of `FormInterpreter`. Fusion rewrites it by moving bodies into bodies; scheduling turns it into a
/// `KernelProgram`.
public struct FormProgram: Sendable {
  /// What is known of one value.
  public struct Value: Sendable {
    /// Its element type and sizes.
    public var type: TensorType
    /// For messages and listings; not unique.
    public var name: String
    /// Where it comes from: layer paths, node names, source lines. More than one after fusion.
    public var origin: [String]
    /// Its elements, where they are known ahead of time.
    public var constant: HostTensor?

    /// A value of a type.
    public init(type: TensorType, name: String = "", origin: [String] = [], constant: HostTensor? = nil) {
      self.type = type
      self.name = name
      self.origin = origin
      self.constant = constant
    }
  }

  /// What happens in order: each step reads values of those before it.
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
      /// The value that each list leaves, and the one that later steps read. All have one element type and rank.
      public var then, otherwise, result: FormValueID
      /// The result of a branch; each list defines the value that it leaves.
      public init(then: FormValueID, otherwise: FormValueID, result: FormValueID) {
        self.then = then
        self.otherwise = otherwise
        self.result = result
      }
    }
    /// A size of a result, which depends on the list that ran.
    public struct Size: Hashable, Sendable {
      /// What later steps know the size as.
      public var symbol: Symbol
      /// What it is where either list ran.
      public var then, otherwise: Dim
      /// A size that differs between the lists.
      public init(symbol: Symbol, then: Dim, otherwise: Dim) {
        self.symbol = symbol
        self.then = then
        self.otherwise = otherwise
      }
    }
    /// One truth value.
    public var condition: FormValueID
    /// The steps that run where the condition holds, and where it does not.
    public var then, otherwise: [Step]
    /// Sizes of results that differ between the lists.
    public var sizes: [Size]
    /// What is read of the lists later; values that are not listed are gone.
    public var results: [Result]

    /// A branch on one truth value.
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
    /// A value that each iteration leaves for the next one.
    public struct Carried: Sendable {
      /// Before the first iteration; what the body reads; what the iteration leaves for the next; after the last iteration.
      public var initial, current, next, final: FormValueID
      /// A carried value, by the four names that it goes by.
      public init(initial: FormValueID, current: FormValueID, next: FormValueID, final: FormValueID) {
        self.initial = initial
        self.current = current
        self.next = next
        self.final = final
      }
    }
    /// `slice` is `whole` at iteration t (or count - 1 - t) along its first axis.
    public struct Sliced: Sendable {
      /// The tensor [count, …], and what the body reads or writes of it, which lacks that axis.
      public var whole, slice: FormValueID
      /// Whether iteration t has the slice at count - 1 - t.
      public var isReversed: Bool
      /// A slice per iteration of a tensor along its first axis.
      public init(whole: FormValueID, slice: FormValueID, isReversed: Bool) {
        self.whole = whole
        self.slice = slice
        self.isReversed = isReversed
      }
    }
    /// A size of carried values that may change from iteration to iteration.
    public struct Size: Hashable, Sendable {
      /// What the body knows it as, and what it is known as behind the last iteration.
      public var current, final: Symbol
      /// The size before the first iteration, and what an iteration leaves for the next one.
      public var initial, next: Dim
      /// A size of carried values, by the names and values that it goes by.
      public init(current: Symbol, final: Symbol, initial: Dim, next: Dim) {
        self.current = current
        self.final = final
        self.initial = initial
        self.next = next
      }
    }
    /// At most so many iterations.
    public var count: Dim
    /// The carried truth value without which no iteration begins: its `current`.
    public var condition: FormValueID?
    /// How many iterations there were, where a condition decides it.
    public var iterations: Symbol?
    /// Sizes that iterations change.
    public var sizes: [Size] = []
    /// The values that are carried on, in the order of the operator's states.
    public var carried: [Carried]
    /// What is sliced, a slice for each iteration.
    public var inputs: [Sliced]
    /// Each iteration's `slice` becomes `whole` at t (or count - 1 - t) along its first axis.
    public var outputs: [Sliced]
    /// The steps of one iteration.
    public var body: [Step]

    /// A repetition without a condition; set `condition`, `iterations` and `sizes` for one that has them.
    public init(count: Dim, carried: [Carried], inputs: [Sliced], outputs: [Sliced], body: [Step]) {
      self.count = count
      self.carried = carried
      self.inputs = inputs
      self.outputs = outputs
      self.body = body
    }
  }

  /// A value that callers give or get, and the name that they know it by.
  public struct Input: Sendable {
    /// The value of the program.
    public var value: FormValueID
    /// The port's name.
    public var name: String
    /// The type that callers know, where it differs from the value's: it names some sizes otherwise, or it is text, which the value has as
    /// numbers of `texts`.
    public var declared: TensorType?
    /// A port of the program.
    public init(value: FormValueID, name: String, declared: TensorType? = nil) {
      self.value = value
      self.name = name
      self.declared = declared
    }
  }

  /// The name of the model.
  public var name: String
  /// All values, by their identity.
  public var values: EntityMap<FormValueID, Value>
  /// What callers give, in the order of the ports.
  public var inputs: [Input]
  /// What callers get, in the order of the ports.
  public var outputs: [Input]
  /// What happens in a run, in order.
  public var steps: [Step]
  /// What checks at run time report, by number.
  public var errors: [String]
  /// Texts whose numbers the program relies on: they are the first ones of each run's table.
  public var texts: TextTable
  /// The least and greatest values of symbols; those not listed are at least zero.
  public var ranges: [Symbol: ClosedRange<Int>]

  /// A program without values or steps.
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
