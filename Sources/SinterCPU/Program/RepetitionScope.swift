import SinterCore
import SinterForms
import SinterKernelIR

/// A repetition whose body is being scheduled: what copies for its products (panels of weights, values in another type) need not be made again
/// in each iteration.
struct RepetitionScope {
  /// The number of the iteration.
  let iteration: Symbol
  /// Values that an iteration finds or computes.
  private let turning: Set<FormValueID>
  /// Values from this one on came while the body was scheduled.
  private let first: FormValueID
  /// Those of them that are computed ahead.
  var constant: Set<FormValueID> = []
  /// What is computed ahead of the first iteration.
  var ahead: [KernelProgram.Step] = []

  init(
    _ repetition: FormProgram.Repetition, iteration: Symbol, values: EntityMap<FormValueID, FormProgram.Value>
  ) {
    self.iteration = iteration
    turning = Self.turning(repetition)
    first = FormValueID(values.count)
  }

  /// Whether what a body computes is the same in all iterations.
  func isConstant(_ body: Body, _ shape: [Dim]) -> Bool {
    // Sizes from data may become known in an iteration only, and an error in an iteration that does not come is none.
    func isKnown(_ size: Dim) -> Bool { size.symbols.allSatisfy { !$0.isFromData } }
    let isPlain = body.exprs.allSatisfy { expr in
      switch expr.node {
      case .size(let size): isKnown(size)
      case .checked: false
      default: true
      }
    }
    return isPlain && shape.allSatisfy(isKnown)
      && body.operands.allSatisfy {
        !turning.contains($0) && ($0.position < first.position || constant.contains($0))
      }
  }

  private static func turning(_ repetition: FormProgram.Repetition) -> Set<FormValueID> {
    var found = inner(repetition.body)
    found.formUnion(repetition.carried.map(\.current))
    found.formUnion(repetition.inputs.map(\.slice))
    return found
  }

  private static func inner(_ steps: [FormProgram.Step]) -> Set<FormValueID> {
    var found = Scheduler.definitions(steps)
    for step in steps {
      switch step {
      case .repetition(let repetition): found.formUnion(turning(repetition))
      case .branch(let branch): found.formUnion(inner(branch.then).union(inner(branch.otherwise)))
      case .rows(let group): found.formUnion(group.members.map(\.value))
      case .compute, .define, .require: break
      }
    }
    return found
  }
}
