import SinterCore
import SinterForms
import SinterKernelIR

/// A convolution with one channel a group, over channels-last images: each channel by itself, a vector of channels at a time.
///
/// One task is a line of result pixels. Taps above and below the image are left out of the loop over kernel rows. Along the line, several
/// neighbouring pixels are summed at once with the kernel's columns unrolled, so that each element of the input is loaded once for all of
/// them. Where the line's length is known, so are the taps that reach over its ends, and they are not written at all; elsewhere the pixels at either
/// end are done one at a time.
struct DepthwiseSchedule {
  let form: ConvolveForm
  let channels: Int

  /// Weights [taps…, c], each tap's channels filled up to whole vectors.
  private func weights(_ layout: PanelLayout, _ context: inout ScheduleContext) throws -> Factor.Source {
    if let weights = context.constant(form.weight) {
      let key = ScheduleContext.PackingKey(
        value: form.weight, base: 0, columnStride: layout.depth, depthOffsets: Array(0..<layout.depth), layout: layout)
      let buffer = context.packedConstant(key) {
        layout.pack(weights, base: 0, columnStride: key.columnStride, depthOffsets: key.depthOffsets)
      }
      guard let buffer else {
        throw DiagnosticError(.bug, "convolve.pack", "weights of type \(weights.element) cannot be packed")
      }
      return .packed(buffer, weights.element)
    }
    let b = context.bodyBuilder()
    let axes = (0..<(1 + form.window.count)).map { b.axis($0) }
    let body = b.body([b.load(form.weight, [axes[0], b.constant(0, .i64)] + axes[1...])])
    let made = try context.panels(
      body, outer: [], own: [Dim(channels)], depth: form.window.map { Dim($0) }, width: layout.width,
      element: form.accumulate, named: "weight panels")
    return .value(made.value)
  }

  func run(_ context: inout ScheduleContext) throws {
    let lanes = context.machine.lanes(form.accumulate)
    let taps = form.window.reduce(1, *)
    let layout = PanelLayout(
      columns: channels, depth: taps, lanes: lanes, vectors: (channels + lanes - 1) / lanes)
    let weights = Factor(source: try weights(layout, &context), base: 0, strides: [])
    let (left, right) = (context.element(form.input), context.element(form.weight))
    let types = form.accumulate == .i32 ? "\(left)\(right)" : "\(form.accumulate)"

    let scope = context.kernel(
      named: "depthwise_\(types)_\(form.window.map(String.init).joined(separator: "x"))"
        + "_s\(form.strides.map(String.init).joined(separator: "x"))_c\(channels)")
    let shape = context.shape(context.result)
    let input = context.shape(form.input)
    DepthwiseKernel(
      scope: scope, form: form, channels: channels, lanes: lanes, input: input, shape: shape, result: context.result,
      image: scope.memory(form.input), weights: weights.memory(scope)
    ).emit()

    let rank = form.window.count
    let elements = shape.reduce(Dim(1), *)
    // In multiply-adds, of which four go in the time of five elsewhere.
    let lineWork = Swift.max(1, (shape[rank].value ?? 28) * channels * taps)
    try context.append(
      scope, tasks: shape[..<rank].reduce(1, *), grain: Swift.max(1, context.machine.threadWork * 2 / 5 / lineWork),
      flops: elements * Dim(2 * taps),
      bytes: (elements + input.reduce(Dim(1), *) + Dim(channels * taps)) * Dim(form.accumulate.bits / 8))
  }
}

/// How a line of known length is cut into pieces that are summed at once.
struct LinePieces: Equatable {
  /// Pixels a piece; the last one has what is left.
  var size: Int
  var count: Int
  var length: Int

  /// Pieces of equal size, as few as `most` pixels a piece allow.
  init(length: Int, most: Int) {
    self.length = length
    count = Swift.max(1, (length + most - 1) / most)
    size = Swift.max(1, (length + count - 1) / count)
    count = (length + size - 1) / size
  }

  func range(_ piece: Int) -> Range<Int> { (piece * size)..<Swift.min((piece + 1) * size, length) }
}

/// Writes the kernel of a `DepthwiseSchedule`.
private struct DepthwiseKernel {
  let scope: KernelScope
  let form: ConvolveForm
  let channels: Int
  let lanes: Int
  let input: [Dim]
  let shape: [Dim]
  let result: FormValueID
  let image: Memory
  let weights: Memory

  private var b: KernelBuilder { scope.builder }
  private var rank: Int { form.window.count }
  private var last: Int { rank - 1 }
  /// Of the last spatial axis, along which lines run.
  private var columns: Int { form.window[last] }
  private var stride: Int { form.strides[last] }
  private var dilation: Int { form.dilations[last] }
  private var zero: Register { b.index(0) }
  /// Elements a tap of the packed weights.
  private var tapSize: Int { (channels + lanes - 1) / lanes * lanes }
  /// Pixels that fit into registers beside a row of weights.
  private var pixelsAtOnce: Int { Swift.max(2, Swift.min(14, scope.machine.vectorRegisters - columns - 3)) }

  /// Where the task's line lies, and which channels are at work.
  private struct Line {
    var outer: [Register]
    var symbols: [Symbol]
    var channel: Register
    var mask: Register?
  }

  func emit() {
    let outer = scope.unflatten(b.task, Array(shape[..<rank]))
    let symbols = outer.map { scope.bind($0) }
    let whole = channels / lanes * lanes
    if whole > 0 {
      b.loop("channel", from: zero, to: b.index(whole), step: lanes) {
        emit(Line(outer: outer, symbols: symbols, channel: $0, mask: nil))
      }
    }
    if channels > whole {
      let mask = scope.prefixMask(b.index(channels - whole), lanes: lanes)
      emit(Line(outer: outer, symbols: symbols, channel: b.index(whole), mask: mask))
    }
  }

  private func emit(_ line: Line) {
    if let length = shape[rank].value, let width = input[rank].value, let pad = form.padsBegin[last].value, length > 0 {
      let pieces = LinePieces(length: length, most: pixelsAtOnce)
      func isInside(_ pixel: Int, _ k: Int) -> Bool {
        (0..<width).contains(pixel * stride - pad + k * dilation)
      }
      func piece(_ number: Int) {
        let range = pieces.range(number)
        let sums = sums(line, at: b.index(range.lowerBound), count: range.count) { isInside(range.lowerBound + $0, $1) }
        store(sums, at: b.index(range.lowerBound), line)
      }
      if pieces.count <= 3 { return (0..<pieces.count).forEach(piece) }
      let end = (pieces.count - 1) * pieces.size
      if isInside(pieces.size, 0), isInside(end - 1, columns - 1) {
        piece(0)
        b.loop("inside", from: b.index(pieces.size), to: b.index(end), step: pieces.size) { pixel in
          store(sums(line, at: pixel, count: pieces.size) { _, _ in true }, at: pixel, line)
        }
        return piece(pieces.count - 1)
      }
    }
    lineOfAnyLength(line)
  }

  private func lineOfAnyLength(_ line: Line) {
    let width = scope.dim(input[rank])
    let pad = scope.dim(form.padsBegin[last])
    let length = scope.dim(shape[rank])
    // Pixels [from, to) have their whole window inside the line.
    func clamp(_ value: Register) -> Register { b.binary(.minimum, b.binary(.maximum, value, zero), length) }
    let from = clamp(b.binary(.floorDivide, b.add(pad, stride - 1), b.index(stride)))
    let room = b.subtract(b.add(width, pad), b.index(dilation * (columns - 1) + 1))
    let to = b.binary(.maximum, clamp(b.add(b.binary(.floorDivide, room, b.index(stride)), 1)), from)
    func single(_ pixel: Register) { store([sum(line, at: pixel)], at: pixel, line) }
    func inside(_ pixel: Register, _ count: Int) {
      store(sums(line, at: pixel, count: count) { _, _ in true }, at: pixel, line)
    }
    b.loop("left", from: zero, to: from) { single($0) }
    var done = from
    for count in [pixelsAtOnce, 4, 1] {
      let whole = b.multiply(b.binary(.floorDivide, b.subtract(to, done), b.index(count)), count)
      let end = b.add(done, whole)
      b.loop("inside\(count)", from: done, to: end, step: count) { inside($0, count) }
      done = end
    }
    b.loop("right", from: to, to: length) { single($0) }
  }

  // MARK: Sums

  /// Sums the windows of `count` neighbouring pixels. `isInside` tells which column of the kernel reaches into the image from which of them.
  private func sums(_ line: Line, at pixel: Register, count: Int, isInside: (Int, Int) -> Bool) -> [Register] {
    // For each column of the input that anything needs: the pixels and the kernel's columns that meet there.
    var meetings: [Int: [(pixel: Int, column: Int)]] = [:]
    for p in 0..<count {
      for k in 0..<columns where isInside(p, k) { meetings[p * stride + k * dilation, default: []].append((p, k)) }
    }
    let start = b.subtract(b.multiply(pixel, stride), scope.dim(form.padsBegin[last]))
    let used = Set(meetings.values.joined().map(\.column))
    return rows(line, count: count) { at, tap, sums in
      var sums = sums
      let factors = (0..<columns).map { k in used.contains(k) ? weight(line, tap: b.add(tap, k)) : nil }
      for (column, pairs) in meetings.sorted(by: { $0.key < $1.key }) {
        let x = pixelValue(line, row: at, column: b.add(start, column))
        for (p, k) in pairs {
          if let factor = factors[k] { sums[p] = b.multiplyAdd(x, factor, sums[p]) }
        }
      }
      return sums
    }
  }

  /// Sums the window of one pixel, wherever it lies.
  private func sum(_ line: Line, at pixel: Register) -> Register {
    let start = b.subtract(b.multiply(pixel, stride), scope.dim(form.padsBegin[last]))
    return rows(line, count: 1) { at, tap, sums in
      loop("column", start: start, size: input[rank], axis: last, sums) { k, column, current in
        let x = pixelValue(line, row: at, column: column)
        return [b.multiplyAdd(x, weight(line, tap: b.add(tap, k)), current[0])]
      }
    }[0]
  }

  /// Walks the kernel's axes before the last; `work` gets the offset in the image and the number of the first tap.
  private func rows(
    _ line: Line, count: Int, _ work: @escaping (Register, Register, [Register]) -> [Register]
  ) -> [Register] {
    let strides = TensorType.strides(input)
    func descend(_ axis: Int, _ at: Register, _ tap: Register, _ sums: [Register]) -> [Register] {
      if axis == last { return work(at, tap, sums) }
      let start = b.subtract(b.multiply(line.outer[axis + 1], form.strides[axis]), scope.dim(form.padsBegin[axis]))
      return loop("tap\(axis)", start: start, size: input[axis + 1], axis: axis, sums) { k, place, current in
        descend(
          axis + 1, b.add(at, b.multiply(place, scope.dim(strides[axis + 1]))),
          b.add(tap, b.multiply(k, form.window[(axis + 1)...].reduce(1, *))), current)
      }
    }
    let empty = b.constant(form.accumulate.isFloat ? .float(0) : .int(0), form.accumulate, lanes: lanes)
    return descend(
      0, b.multiply(line.outer[0], scope.dim(strides[0])), zero, [Register](repeating: empty, count: count))
  }

  /// A loop over the taps along an axis that lie inside an image of `size` elements, when the first lies at `start`.
  private func loop(
    _ name: String, start: Register, size: Dim, axis: Int, _ sums: [Register],
    _ work: (Register, Register, [Register]) -> [Register]
  ) -> [Register] {
    let step = form.dilations[axis]
    func taps(before end: Register) -> Register {
      b.binary(.floorDivide, b.add(b.subtract(end, start), step - 1), b.index(step))
    }
    let low = b.binary(.maximum, taps(before: zero), zero)
    let high = b.binary(.minimum, taps(before: scope.dim(size)), b.index(form.window[axis]))
    return b.loop(name, from: low, to: high, carrying: sums) { k, current in
      work(k, b.add(start, b.multiply(k, step)), current)
    }
  }

  private func pixelValue(_ line: Line, row: Register, column: Register) -> Register {
    let at = b.add(row, b.multiply(column, scope.dim(input[rank + 1])))
    return b.cast(b.load(image, at: b.add(at, line.channel), lanes: lanes, mask: line.mask), to: form.accumulate)
  }

  private func weight(_ line: Line, tap: Register) -> Register {
    b.cast(b.load(weights, at: b.add(b.multiply(tap, tapSize), line.channel), lanes: lanes), to: form.accumulate)
  }

  // MARK: Results

  private func store(_ sums: [Register], at pixel: Register, _ line: Line) {
    let store = TileStore(
      scope: scope, epilogue: form.epilogue, result: result, shape: shape, axes: line.symbols.map { Dim($0) } + [0, 0],
      extents: Dictionary(uniqueKeysWithValues: zip(line.symbols, shape)))
    store.emit(
      rows: TileRows(count: sums.count, first: pixel, existing: nil), vectors: 1, lanes: lanes, column: line.channel,
      masks: [line.mask], sums: .registers(sums), rowGroup: .init(axes: 0..<1, extent: shape[rank], strides: [1]),
      rowFirst: rank,
      columnGroup: .init(axes: 0..<1, extent: Dim(channels), strides: [1]), columnFirst: rank + 1)
  }
}
