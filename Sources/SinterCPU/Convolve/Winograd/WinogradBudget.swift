import SinterCore
import SinterForms

/// Which convolutions of a program are transformed, and how.
///
/// Transformed weights take up to four times the memory of plain ones, and what that saves is very different: much where an image is large
/// and channels are few, little in the last layers of a network, which have most of the weights. So weights have a budget beyond their
/// plain size. Where the fastest plans exceed it, each byte costs so many cycles that they keep it, the same for all convolutions; but no more
/// than `highestPrice`: what saves that much is worth its memory anyway.
struct WinogradBudget {
  private let directSpeed: Double
  private var candidates: [FormValueID: WinogradCandidate] = [:]
  private var plans: [FormValueID: WinogradPlan] = [:]

  /// Bytes that transformed weights may take beyond their plain size: this part of the program's constants, or so many where that is more.
  private static let share = 0.25
  private static let least = Double(28 << 20)
  /// What memory is worth is no matter of the processor: cycles a byte in each run, and how exactly the price is found.
  private static let highestPrice = 0.5
  private static let steps = 12

  private init(directSpeed: Double) { self.directSpeed = directSpeed }

  /// - Parameter directSpeed: how many times as fast as by multiply-adds of f32 convolutions are the direct way.
  static func plans(
    for program: FormProgram, directSpeed: Double = 1, _ context: ScheduleContext
  ) -> [FormValueID: WinogradPlan] {
    guard context.options.usesWinograd else { return [:] }
    var budget = WinogradBudget(directSpeed: directSpeed)
    budget.visit(program.steps, context)
    // What no step reads any more is no part of the library.
    let read = Set(program.steps.flatMap(\.operands) + program.outputs.map(\.value))
    let constants = read.reduce(0) { bytes, value in
      bytes + (program.values[value].constant.map { $0.element.byteCount($0.count) } ?? 0)
    }
    return budget.kept(Swift.max(Self.least, Double(constants) * Self.share))
  }

  private mutating func visit(_ steps: [FormProgram.Step], _ context: ScheduleContext) {
    for step in steps {
      switch step {
      case .compute(let value, .convolve(let form)):
        var context = context
        context.result = value
        guard let candidate = ConvolveSchedule.candidate(form, directSpeed: directSpeed, context) else { continue }
        switch context.choice?.algorithm {
        case .winograd(let results): plans[value] = candidate.plan(results: results)
        case .tile: break
        case nil: candidates[value] = candidate
        }
      case .compute, .rows, .define, .require: break
      case .repetition(let repetition): visit(repetition.body, context)
      case .branch(let branch): visit(branch.then + branch.otherwise, context)
      }
    }
  }

  private func kept(_ budget: Double) -> [FormValueID: WinogradPlan] {
    func chosen(_ price: Double) -> (plans: [FormValueID: WinogradPlan], bytes: Double) {
      candidates.reduce(into: (plans: plans, bytes: 0)) { chosen, candidate in
        guard let best = candidate.value.best(price: price) else { return }
        chosen.plans[candidate.key] = best.plan
        chosen.bytes += best.moreBytes
      }
    }
    let free = chosen(0)
    if free.bytes <= budget { return free.plans }
    var (low, high) = (0.0, Self.highestPrice)
    for _ in 0..<Self.steps {
      // Halfway between the logarithms, where both are prices.
      let price = low > 0 ? (low * high).squareRoot() : high / 16
      if chosen(price).bytes <= budget { high = price } else { low = price }
    }
    return chosen(high).plans
  }
}
