import SinterCore

/// Gives the buffers between kernels their places in one arena, so that buffers that are never needed at once share
/// memory.
///
/// A buffer is needed from the first call that touches it to the last. Where some of them are inside a loop and others
/// outside, the whole loop counts, since a later iteration may read what an earlier one left; what a loop alone touches,
/// writing it first in each iteration, is needed inside an iteration only. Buffers are placed one after another, each as low as it fits: from the
/// largest down, from the one that takes the most memory for the longest time down, and from the first to the last; the smallest arena
/// of these counts. Inputs, outputs and constants have memory of their own.
package struct MemoryPlanner {
  /// Calls, numbered in order over the whole program, between which a buffer is needed.
  package struct Lifetime: Hashable, Sendable {
    package var first, last: Int
    func overlaps(_ other: Lifetime) -> Bool { first <= other.last && other.first <= last }
  }

  static let alignment = 64

  private struct Use {
    var call: Int
    /// The loops around it, outermost first.
    var loops: [Int]
    var reads: Bool
  }

  private var uses: [[Use]]
  private var loops: [Lifetime] = []
  private var calls = 0

  /// Sets the offsets of all arena buffers and the size of the arena, if all sizes are numbers; changes nothing
  /// otherwise.
  package static func plan(_ program: inout KernelProgram) {
    var sizes: [(buffer: BufferID, bytes: Int)] = []
    for id in program.buffers.indices {
      guard case .arena = program.buffers[id].storage else { continue }
      guard let count = program.buffers[id].count.value else { return }
      let bytes = program.buffers[id].element.byteCount(Swift.max(0, count))
      sizes.append((id, (Swift.max(1, bytes) + alignment - 1) / alignment * alignment))
    }
    let lifetimes = lifetimes(of: program)
    let buffers = sizes.map { Placed(buffer: $0.buffer, bytes: $0.bytes, lifetime: lifetimes[$0.buffer.position]) }
    let orders: [(Placed) -> Int] = [
      { -$0.bytes }, { -$0.bytes * ($0.lifetime.last - $0.lifetime.first + 1) }, { $0.lifetime.first },
    ]
    var best: (buffers: [Placed], total: Int)?
    for order in orders {
      let sorted = buffers.sorted { (order($0), -$0.bytes, $0.buffer) < (order($1), -$1.bytes, $1.buffer) }
      let placed = place(sorted)
      if best.map({ placed.total < $0.total }) ?? true { best = placed }
    }
    for buffer in best?.buffers ?? [] { program.buffers[buffer.buffer].offset = buffer.offset }
    program.arenaBytes = best?.total ?? 0
  }

  private struct Placed {
    var buffer: BufferID
    var bytes: Int
    var lifetime: Lifetime
    var offset = 0
  }

  /// Places buffers in the order given, each as low as it fits beside those that are needed at the same time.
  private static func place(_ buffers: [Placed]) -> (buffers: [Placed], total: Int) {
    var placed: [Placed] = []
    var total = 0
    for var buffer in buffers {
      let neighbours = placed.filter { $0.lifetime.overlaps(buffer.lifetime) }.sorted { $0.offset < $1.offset }
      for neighbour in neighbours {
        if buffer.offset + buffer.bytes <= neighbour.offset { break }
        buffer.offset = Swift.max(buffer.offset, neighbour.offset + neighbour.bytes)
      }
      placed.append(buffer)
      total = Swift.max(total, buffer.offset + buffer.bytes)
    }
    return (placed, total)
  }

  /// When each buffer is needed; one that nothing touches counts as touched by the first call.
  package static func lifetimes(of program: KernelProgram) -> [Lifetime] {
    var planner = MemoryPlanner(uses: program.buffers.elements.map { _ in [] })
    planner.visit(program.steps, in: [], program)
    return planner.uses.map(planner.lifetime)
  }

  private init(uses: [[Use]]) { self.uses = uses }

  private mutating func visit(_ steps: [KernelProgram.Step], in outer: [Int], _ program: KernelProgram) {
    for step in steps {
      switch step {
      case .call(let call):
        let parameters = program.kernels[call.kernel].parameters
        for (argument, parameter) in zip(call.buffers, parameters) {
          uses[argument.buffer.position].append(Use(call: calls, loops: outer, reads: parameter.access != .write))
        }
        calls += 1
      case .invoke(let invocation):
        for (index, argument) in invocation.buffers.enumerated() {
          uses[argument.buffer.position].append(Use(call: calls, loops: outer, reads: index > 0))
        }
        calls += 1
      case .define, .require, .reserve, .grow, .output, .branch:
        for argument in step.ownArguments {
          uses[argument.buffer.position].append(Use(call: calls, loops: outer, reads: true))
        }
        calls += 1
        for part in step.parts { visit(part, in: outer, program) }
      case .loop(_, _, let condition, let body):
        let number = loops.count
        loops.append(Lifetime(first: calls, last: calls))
        if let condition {
          uses[condition.buffer.position].append(Use(call: calls, loops: outer + [number], reads: true))
          calls += 1
        }
        visit(body, in: outer + [number], program)
        loops[number].last = Swift.max(calls - 1, loops[number].first)
      }
    }
  }

  private func lifetime(_ uses: [Use]) -> Lifetime {
    guard let start = uses.first else { return Lifetime(first: 0, last: 0) }
    var shared = uses.reduce(start.loops) { common, use in
      Array(zip(common, use.loops).prefix { $0 == $1 }.map(\.0))
    }
    // What is read first in an iteration was left there by an earlier one.
    if start.reads { shared = [] }
    let spans = uses.map { use in
      use.loops.count > shared.count ? loops[use.loops[shared.count]] : Lifetime(first: use.call, last: use.call)
    }
    return Lifetime(first: spans.map(\.first).min() ?? 0, last: spans.map(\.last).max() ?? 0)
  }
}
