import Sinter
import SinterCore
import SinterIR

/// What `sinter diff` found, for programs.
struct DiffReport: Encodable {
  /// A value of both sides.
  struct Row: Encodable {
    var name: String
    /// Whether the difference exceeds the tolerance.
    var differs: Bool
    var element: String
    /// Where the two differ most, and what each side has there.
    var index: [Int]
    var first: Double
    var second: Double
    /// The greatest distance, as it is and by the greatest magnitude of the first side.
    var absolute: Double
    var relative: Double
    /// Numbers of the type between the two; null where that has no meaning.
    var ulp: UInt64?
    /// Elements that are not equal, of how many.
    var unequal: Int
    var elements: Int
    /// What else is different: types, sizes, texts.
    var mismatch: String?

    init(_ name: String, _ element: ElementType, _ found: TensorDifference, differs: Bool) {
      self.name = name
      self.differs = differs
      self.element = "\(element)"
      index = found.index
      (first, second) = (found.first, found.second)
      (absolute, relative, ulp) = (found.absolute, found.relative, found.steps)
      (unequal, elements, mismatch) = (found.count, found.elements, found.mismatch)
    }
  }

  struct NotCompared: Encodable {
    var name: String
    /// The side that does not give it.
    var missing: String
  }

  /// The node that gives the first value that differs.
  struct Node: Encodable {
    var value: String
    var text: String
    var origins: [String]
  }

  var first: String
  var second: String
  /// Whether there are outputs of both sides, none of which differs, and no value between does.
  var agrees: Bool
  var outputs: [Row]
  var notCompared: [NotCompared] = []
  /// Values between, in the order of computation; of libraries there are none.
  var values: [Row] = []
  var firstDifference: Node?
}

/// What `sinter diff --bisect` found, for programs.
struct BisectionReport: Encodable {
  /// `rewrite`, `fusion`, `preparation` or `code`; null where nothing differs.
  var stage: String?
  /// The number of the rewrite of the passes, or of the move of fusion, from 1, and how many there are.
  var number: Int?
  var count: Int?
  var pass: String?
  var rule: String?
  /// Lines or steps of text that were taken away and put in their place.
  var removed: [String]?
  var added: [String]?
  /// Of code: what is to blame (`schedule`, `machineCode` or `surroundings`), the step and its kernels.
  var blame: String?
  var step: String?
  var kernels: [String]?
  var origins: [String]?
  /// The value that differs and by how much.
  var difference: DiffReport.Row?
  var runs: Int

  init(_ found: Bisection, in graph: Graph) {
    runs = found.runs
    if let difference = found.difference, let port = graph.outputs.first(where: { $0.name == found.output }),
      let type = graph.type(of: port.value).tensor
    {
      self.difference = DiffReport.Row(port.name, type.element, difference, differs: true)
    }
    switch found.culprit {
    case nil: difference = nil
    case .rewrite(let number, let count, let pass, let rule, let removed, let added)?:
      stage = "rewrite"
      (self.number, self.count, self.pass, self.rule) = (number, count, pass, rule)
      (self.removed, self.added) = (removed, added)
    case .fusion(let step, let removed, let added)?:
      stage = "fusion"
      rule = "\(step)"
      if case .move(let number, let count, let move) = step {
        (self.number, self.count, rule) = (number, count, move.kind.rawValue)
      }
      (self.removed, self.added) = (removed, added)
    case .preparation?: stage = "preparation"
    case .code(let culprit)?:
      stage = "code"
      guard let culprit else { return }
      blame = "\(culprit.stage)"
      (step, kernels, origins) = (culprit.step, culprit.kernels, culprit.origins)
    }
  }
}
