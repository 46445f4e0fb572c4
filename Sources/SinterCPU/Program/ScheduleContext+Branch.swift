import SinterCore
import SinterForms
import SinterKernelIR

extension ScheduleContext {
  /// Computes the form at hand in one of two ways, as a size says that only a run tells.
  ///
  /// - Parameters:
  ///   - size: the first way is taken where it is at least `least`.
  ///   - otherwise: the steps of the second way; they are made first, so that the first can use the constants that they packed.
  mutating func branch(
    _ size: Dim, atLeast least: Int, otherwise: (inout ScheduleContext) throws -> Void,
    then: (inout ScheduleContext) throws -> Void
  ) throws {
    let b = bodyBuilder()
    let isLarge = b.body([b.size(size) >= b.constant(least, .i64)])
    let condition = try argument(try materialize(isLarge, shape: [], named: "is large"))
    let (outerSteps, outerRepetitions) = (steps, repetitions)
    var made: [KernelProgram.Step] = []
    defer { (steps, repetitions) = (outerSteps + made, outerRepetitions) }
    func list(_ way: (inout ScheduleContext) throws -> Void) throws -> [KernelProgram.Step] {
      steps = []
      // What only one way needs is not computed ahead of a repetition around it.
      repetitions = []
      try way(&self)
      return steps
    }
    let second = try list(otherwise)
    made = [.branch(condition: condition, then: try list(then), otherwise: second)]
  }
}
