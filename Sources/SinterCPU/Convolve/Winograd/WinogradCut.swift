import SinterForms
import SinterKernelIR

/// How a convolution by a transform is cut into tasks: some patches of the image, block by block, times some panels of columns.
struct WinogradCut {
  let axes: [WinogradAxis]
  let phases: Int
  /// Patches of the image, vectors of channels, panels of columns.
  let patches: Int, channelVectors: Int, panels: Int
  let channels: Int
  let tile: RegisterTile
  let machine: Machine
  /// Patches a block at most.
  let most: Int

  /// Tasks that a convolution is cut into at most: each has scratch of its own.
  private static let taskLimit = 32
  /// Cycles to begin a task: more often than others, since its scratch was last another's.
  private var start: Double { 6.4 * Double(machine.taskCycles) }

  struct Choice: Hashable {
    /// Patches a block and a task; panels a task.
    var blockPatches: Int, chunkPatches: Int, partPanels: Int
  }

  /// The cut that one, two, four and eight threads finish soonest, taken together; the largest tasks among equals.
  var best: Choice {
    let all = (1...Self.taskLimit).flatMap { chunks in
      (1...Swift.min(panels, 8)).compactMap { choice(chunks: chunks, parts: $0) }
    }
    var best =
      choice(chunks: 1, parts: 1) ?? Choice(blockPatches: tile.rows, chunkPatches: tile.rows, partPanels: panels)
    var least = time(best)
    for choice in all {
      let needed = time(choice)
      if needed < least { (best, least) = (choice, needed) }
    }
    return best
  }

  private func choice(chunks: Int, parts: Int) -> Choice? {
    guard chunks * parts * phases <= Self.taskLimit || chunks == 1 else { return nil }
    func wholeRows(_ count: Int) -> Int { (count + tile.rows - 1) / tile.rows * tile.rows }
    let chunkPatches = wholeRows((patches + chunks - 1) / chunks)
    let blocks = (chunkPatches + most - 1) / most
    let blockPatches = wholeRows((chunkPatches + blocks - 1) / blocks)
    return Choice(
      blockPatches: blockPatches, chunkPatches: blockPatches * blocks, partPanels: (panels + parts - 1) / parts)
  }

  /// The time of one, two, four and eight threads, each as a multiple of what it would be without loss; in cycles.
  private func time(_ choice: Choice) -> Double {
    let chunks = (patches + choice.chunkPatches - 1) / choice.chunkPatches
    let parts = (panels + choice.partPanels - 1) / choice.partPanels
    let each = cycles(Swift.min(choice.chunkPatches, patches), choice) + start
    let rest = patches - (chunks - 1) * choice.chunkPatches
    let last = cycles(rest, choice) + start
    let (count, lastCount) = ((chunks - 1) * parts * phases, parts * phases)
    let whole = each * Double(count) + last * Double(lastCount)
    return [1, 2, 4, 8].reduce(0) { sum, threads in
      // The smaller tasks fill what the others leave open, one after another.
      let rounds = Double((count + threads - 1) / threads)
      let open = Double(threads) * rounds - Double(count)
      let left = Swift.max(0, Double(lastCount) - open * (each / last).rounded(.down))
      let needed = rounds * each + (left / Double(threads)).rounded(.up) * last
      return sum + Swift.max(whole, Double(threads) * Swift.max(needed, last))
    }
  }

  /// Of one task.
  private func cycles(_ patches: Int, _ choice: Choice) -> Double {
    let places = axes.places
    let vectors = choice.partPanels * tile.vectors
    let rows = (patches + tile.rows - 1) / tile.rows * tile.rows
    let blocks = (patches + choice.blockPatches - 1) / choice.blockPatches
    let products = Double(places * channels) * tile.cost(rows: rows, columnVectors: vectors, machine)
    let transforms =
      Double(patches) * (axes.inwardCycles * Double(channelVectors) + axes.outwardCycles * Double(vectors))
    let panelBytes = places * channels * tile.vectors * machine.lanes(.f32) * 4
    let bytes = Double(blocks * choice.partPanels * panelBytes)
    if !machine.streams(bytes: panels * panelBytes) {
      return products + transforms + bytes / machine.weightBytesPerCycle
    }
    // More than a cache keeps comes from memory for each block: at the same time where tiles ask for it, and before they begin otherwise.
    let transfer = bytes / machine.memoryBytesPerCycle
    let asks = tile.asksAhead(rows: Swift.min(patches, choice.blockPatches))
    return (asks ? machine.overlapped(arithmetic: products, transfer: transfer) : products + transfer) + transforms
  }
}
