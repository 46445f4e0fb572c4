import SinterCore

/// Gives the buffers between kernels their places in one arena, so that buffers that are never needed at once share
/// memory.
///
/// A buffer is needed from the first call that touches it to the last. Where some of them are inside a loop and others
/// outside, the whole loop counts, since a later turn may read what an earlier one left; what a loop alone touches,
/// writing it first in each turn, is needed inside a turn only. Buffers are placed from the largest down, each as low
/// as it fits. Inputs, outputs and constants have memory of their own.
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
    sizes.sort { $0.bytes != $1.bytes ? $0.bytes > $1.bytes : $0.buffer < $1.buffer }
    var placed: [(lifetime: Lifetime, offset: Int, bytes: Int)] = []
    var total = 0
    for (id, bytes) in sizes {
      let lifetime = lifetimes[id.position]
      let neighbours = placed.filter { $0.lifetime.overlaps(lifetime) }.sorted { $0.offset < $1.offset }
      var offset = 0
      for neighbour in neighbours {
        if offset + bytes <= neighbour.offset { break }
        offset = Swift.max(offset, neighbour.offset + neighbour.bytes)
      }
      placed.append((lifetime, offset, bytes))
      program.buffers[id].offset = offset
      total = Swift.max(total, offset + bytes)
    }
    program.arenaBytes = total
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
      case .loop(_, _, let body):
        let number = loops.count
        loops.append(Lifetime(first: calls, last: calls))
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
    // What is read first in a turn was left there by an earlier one.
    if start.reads { shared = [] }
    let spans = uses.map { use in
      use.loops.count > shared.count ? loops[use.loops[shared.count]] : Lifetime(first: use.call, last: use.call)
    }
    return Lifetime(first: spans.map(\.first).min() ?? 0, last: spans.map(\.last).max() ?? 0)
  }
}
