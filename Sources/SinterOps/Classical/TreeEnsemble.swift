import SinterCore
import SinterForms
import SinterIR

/// Decision trees, each of which a row of features walks down to a leaf; the weights of the leaves are combined, for each target its own.
///
/// Inputs: rows of features of the type of the bounds, f32 or f64. The result has a row of targets for each, without base values and
/// transforms. The attributes are those of ONNX's TreeEnsemble, but that a leaf may have any number of weights (`leaf_starts`).
public struct TreeEnsemble: Primitive {
  public static let name = "TreeEnsemble"
  public static let summary = "The combined weights of the leaves that rows reach in decision trees."

  /// How the weights of a target become one; without any it is 0.
  public enum Aggregate: String, CaseIterable, Sendable {
    case sum, minimum, maximum

    var combine: Combine {
      switch self {
      case .sum: .sum
      case .minimum: .minimum
      case .maximum: .maximum
      }
    }

    /// What a tree gives that has no weight for a target.
    var nothing: Double {
      switch self {
      case .sum: 0
      case .minimum: .infinity
      case .maximum: -.infinity
      }
    }
  }

  /// How the weights of the leaves that a row reaches become one number for each target.
  public var aggregate = Aggregate.sum
  /// The number of targets, which is that of columns of the result; at least 1.
  public var targetCount = 1
  /// The node that each tree starts at.
  public var roots: [Int] = []
  /// The feature that each node looks at, a column of the input.
  public var features: [Int] = []
  /// 0 … 6: ≤, <, ≥, >, =, ≠ the bound, or one of the node's members.
  public var modes: [Int] = []
  /// What each node compares its feature with: a list of f32 or f64, whose type the input has too. Nodes of mode 6
  /// have `members` instead.
  public var bounds: HostTensor?
  /// Where a row goes on from each node, if the comparison holds and if not: a node, or a leaf where `yesIsLeaf` and
  /// `noIsLeaf` say so.
  public var yes: [Int] = [], no: [Int] = []
  /// Whether `yes` and `no` are leaves, not nodes.
  public var yesIsLeaf: [Int] = [], noIsLeaf: [Int] = []
  /// Whether NaN goes the way of `yes`; empty: nowhere.
  public var tracksNaN: [Int] = []
  /// The members of all nodes of mode 6 in their order, NaN behind those of each.
  public var members: HostTensor?
  /// Leaf i has the weights from `leafStarts[i]` to `leafStarts[i + 1]`; empty: weight i.
  public var leafStarts: [Int] = []
  /// The target that each weight is for, from 0 to less than `targetCount`.
  public var targets: [Int] = []
  /// The weights of the leaves, in the order of `targets` and of the bounds' type.
  public var weights: HostTensor?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("aggregate", &aggregate, default: .sum)
    list.int("n_targets", &targetCount, default: 1)
    list.ints("tree_roots", &roots, default: [])
    list.ints("nodes_featureids", &features, default: [])
    list.ints("nodes_modes", &modes, default: [])
    list.tensor("nodes_splits", &bounds)
    list.ints("nodes_truenodeids", &yes, default: [])
    list.ints("nodes_falsenodeids", &no, default: [])
    list.ints("nodes_trueleafs", &yesIsLeaf, default: [])
    list.ints("nodes_falseleafs", &noIsLeaf, default: [])
    list.ints("nodes_missing_value_tracks_true", &tracksNaN, default: [])
    list.tensor("membership_values", &members)
    list.ints("leaf_starts", &leafStarts, default: [])
    list.ints("leaf_targetids", &targets, default: [])
    list.tensor("leaf_weights", &weights)
  }

  public static var onnx: [OnnxRule] { [treeEnsembleRule, regressorRule, classifierRule] }

  /// Features, bounds, weights and results are of this type.
  var element: ElementType { weights?.element ?? .f32 }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    try check()
    guard x.rank == 2, x.element == element else {
      throw DiagnosticError(
        .user, "tree.input", "the trees take rows of features as \(element)[rows, features], but the input is \(x)")
    }
    if let last = features.max() {
      try obligations.atLeast(
        x.shape[1], Dim(last + 1), "number of features of \(x), of which trees read number \(last),")
    }
    return [Fact(element, [x.shape[0], Dim(targetCount)])]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    if let grouped = treesByTarget() { return [try combined(grouped, of: x, into: &lowering)] }
    return [try combinedFromTable(of: x, into: &lowering)]
  }

  public static var examples: [OperatorExample] {
    // Two trees: x0 ≤ 0.1 ? 1 : (x2 > -0.2 or NaN ? 2 : -1), and one that is a leaf.
    var small = TreeEnsemble()
    small.roots = [0, 2]
    small.features = [0, 2, 0]
    small.modes = [0, 3, 0]
    small.bounds = .f32([3], [0.1, -0.2, 0])
    small.yes = [0, 1, 3]
    small.no = [1, 2, 3]
    small.yesIsLeaf = [1, 1, 1]
    small.noIsLeaf = [0, 1, 1]
    small.tracksNaN = [0, 1, 0]
    small.targets = [0, 0, 0, 0]
    small.weights = .f32([4], [1, 2, -1, 0.5])
    var several = small
    several.targetCount = 2
    several.aggregate = .maximum
    several.leafStarts = [0, 2, 3, 3, 4]
    several.targets = [0, 1, 1, 0]
    var members = small
    members.modes = [6, 4, 1]
    members.bounds = HostTensor(.f64, [3], values: [0.0, 1.0, 0.0])
    members.members = HostTensor(.f64, [4], values: [3.0, -1.0, 2.0, Double.nan])
    members.weights = HostTensor(.f64, [4], values: [1.0, 2.0, -1.0, 0.5])
    let floats = OperatorExample.Input.random(TensorType(.f32, ["n", 3]), -1...1)
    let whole = OperatorExample.Input.given(
      HostTensor(.f64, [4, 3], values: [3.0, 0, 1, -1, 0, 1, 0.5, 0, 1, .nan, 0, .nan]))
    return [
      OperatorExample(small, [floats], sizes: [Symbol("n"): 9]),
      OperatorExample(several, [floats], sizes: [Symbol("n"): 9]),
      OperatorExample(members, [whole]),
    ]
  }
}

/// A tree's test changes its result in steps.
extension TreeEnsemble: PiecewiseConstant {}
