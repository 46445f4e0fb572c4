import SinterCore
import SinterKernelIR

/// The reduced axes of a product whose tile operation takes several neighbours along them at once: loops whose innermost one takes whole
/// steps, and what is left of each of its runs.
///
/// In packed panels each run is filled up with zeros to whole steps, so that elements beyond a run's end on the left count for nothing; they are
/// not read all the same.
struct DepthSteps {
  /// The innermost loop runs over whole steps; strides on the right count steps.
  private(set) var loops: [TileKernel.Reduction]
  /// Elements of a run that fill no step.
  let tail: Int
  /// Elements of a run, and those that it takes in a panel.
  private let run: Int
  private let stored: Int

  /// - Parameter reductions: with numbers for extents, dense and in order on the right.
  init(_ reductions: [TileKernel.Reduction], operation: TileOperation) {
    loops = reductions
    if loops.last.map({ $0.lhsStride != 1 && $0.extent != 1 }) ?? true {
      loops.append(.init(extent: 1, lhsStride: 1, rhsStride: 1))
    }
    let last = loops.count - 1
    run = loops[last].extent.value ?? 0
    tail = run % operation.depth
    let steps = (run + operation.depth - 1) / operation.depth
    stored = steps * operation.depth
    for index in loops.indices.dropLast() {
      loops[index].rhsStride = Dim((loops[index].rhsStride.value ?? 0) / Swift.max(run, 1) * steps)
    }
    loops[last] = .init(extent: Dim(run / operation.depth), lhsStride: Dim(operation.depth), rhsStride: 1)
  }

  /// Where panels have each step along the reduced axes from: those of `offsets`, and zeros at the end of each run.
  func padded(_ offsets: [Int]) -> [Int] {
    if run == stored { return offsets }
    return stride(from: 0, to: offsets.count, by: run).flatMap {
      Array(offsets[$0..<($0 + run)]) + [Int](repeating: PanelLayout.zero, count: stored - run)
    }
  }
}
