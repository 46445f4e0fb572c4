import SinterCore

/// A convolution with one channel a group, over channels-last images: each channel by itself, a vector of channels at a time.
///
/// One task is a row of result pixels. Taps above and below the image are left out of the loop over kernel rows; pixels whose windows lie
/// inside a row are done several at a time with the kernel's columns unrolled, so that neighbours share what they load; those at either
/// border one at a time.
struct DepthwiseSchedule {
  let form: ConvolveForm
  let weights: HostTensor
  let channels: Int

  /// Pixels at a time inside a row.
  private static let pixels = 4

  func run(_ context: inout ScheduleContext) throws {
    let shape = context.shape(context.result)
    let rank = form.kernel.count
    let input = context.shape(form.input)
    let strides = ScheduleContext.strides(input)
    let lanes = context.machine.lanes(form.accumulate)
    let taps = form.kernel.reduce(1, *)
    let vectors = (channels + lanes - 1) / lanes

    // Weights [taps…, c], each tap's channels filled up to whole vectors.
    let layout = PanelLayout(columns: channels, depth: taps, lanes: lanes, vectors: vectors)
    let key = ScheduleContext.PackingKey(
      value: form.weight, base: 0, columnStride: taps, depthOffsets: Array(0..<taps), layout: layout)
    guard
      let buffer = context.packedConstant(
        key, make: { layout.pack(weights, base: 0, columnStride: taps, depthOffsets: Array(0..<taps)) })
    else { throw DiagnosticError(.bug, "convolve.pack", "weights of type \(weights.element) cannot be packed") }

    let scope = context.kernel(
      named: "depthwise_\(form.accumulate)_\(form.kernel.map(String.init).joined(separator: "x"))"
        + "_s\(form.strides.map(String.init).joined(separator: "x"))_c\(channels)")
    let b = scope.builder
    let x = scope.memory(form.input)
    let w = scope.memory(buffer, element: form.accumulate, .read)

    // One task: a line of pixels along the last spatial axis, at these places of the other axes.
    var rest = b.task
    var outer = [Register](repeating: rest, count: rank)
    for axis in (0..<rank).reversed() {
      let size = scope.dim(shape[axis])
      outer[axis] = axis == 0 ? rest : b.binary(.modulo, rest, size)
      if axis > 0 { rest = b.binary(.floorDivide, rest, size) }
    }
    let outerSymbols = outer.map { scope.bind($0) }
    let last = rank - 1
    let width = scope.dim(input[rank])
    let stride = form.strides[last]
    let dilation = form.dilations[last]
    let pad = scope.dim(form.padsBegin[last])
    let columns = form.kernel[last]
    let resultWidth = scope.dim(shape[rank])
    let zero = b.index(0)

    // Result pixels [inFrom, inTo) have their whole window inside the line.
    func clamp(_ value: Register) -> Register {
      b.binary(.minimum, b.binary(.maximum, value, zero), resultWidth)
    }
    let inFrom = clamp(b.binary(.floorDivide, b.add(pad, stride - 1), b.index(stride)))
    let room = b.subtract(b.add(width, pad), b.index(dilation * (columns - 1) + 1))
    let inTo = b.binary(.maximum, clamp(b.add(b.binary(.floorDivide, room, b.index(stride)), 1)), inFrom)

    var store = TileStore(
      scope: scope, epilogue: form.epilogue, result: context.result, shape: shape,
      axes: outerSymbols.map { Dim($0) } + [0, 0], extents: [:])
    for (symbol, extent) in zip(outerSymbols, shape) { store.extents[symbol] = extent }
    let pixelGroup = CollapsedAxes.Group(axes: 0..<1, extent: shape[rank], strides: [1])
    let channelGroup = CollapsedAxes.Group(axes: 0..<1, extent: Dim(channels), strides: [1])

    /// Sums the windows of `count` pixels from `pixel` on, for the channels from `channel` on.
    func sums(_ pixel: Register, count: Int, channel: Register, isInside: Bool) -> [Register] {
      let empty = b.constant(.float(0), form.accumulate, lanes: lanes)
      let image = b.multiply(outer[0], scope.dim(strides[0]))

      /// Walks the kernel's axes before the last, then its columns.
      func descend(_ axis: Int, _ at: Register, _ tap: Register, _ sums: [Register]) -> [Register] {
        if axis < last {
          let start = b.subtract(b.multiply(outer[axis + 1], form.strides[axis]), scope.dim(form.padsBegin[axis]))
          let d = form.dilations[axis]
          let low = b.binary(.floorDivide, b.add(b.subtract(zero, start), d - 1), b.index(d))
          let high = b.binary(
            .floorDivide, b.add(b.subtract(scope.dim(input[axis + 1]), start), d - 1), b.index(d))
          return b.loop(
            "tap\(axis)", from: b.binary(.maximum, low, zero), to: b.binary(.minimum, high, b.index(form.kernel[axis])),
            carrying: sums
          ) { k, current in
            let line = b.add(start, b.multiply(k, d))
            let inner = form.kernel[(axis + 1)...].reduce(1, *)
            return descend(
              axis + 1, b.add(at, b.multiply(line, scope.dim(strides[axis + 1]))),
              b.add(tap, b.multiply(k, inner)), current)
          }
        }
        func add(_ k: Register, _ sums: [Register]) -> [Register] {
          let weight = b.load(
            w, at: b.add(b.multiply(b.add(tap, k), vectors * lanes), channel), lanes: lanes)
          return (0..<count).map { p in
            let column = b.add(
              b.subtract(b.multiply(b.add(pixel, p), stride), pad), b.multiply(k, dilation))
            let from = b.add(b.add(at, b.multiply(column, scope.dim(strides[rank]))), channel)
            return b.multiplyAdd(b.load(x, at: from, lanes: lanes, mask: mask(channel)), weight, sums[p])
          }
        }
        if isInside {
          return (0..<columns).reduce(sums) { current, k in add(b.index(k), current) }
        }
        let start = b.subtract(b.multiply(pixel, stride), pad)
        let low = b.binary(.floorDivide, b.add(b.subtract(zero, start), dilation - 1), b.index(dilation))
        let high = b.binary(.floorDivide, b.add(b.subtract(width, start), dilation - 1), b.index(dilation))
        return b.loop(
          "column", from: b.binary(.maximum, low, zero), to: b.binary(.minimum, high, b.index(columns)), carrying: sums
        ) { k, current in add(k, current) }
      }
      return descend(0, image, zero, [Register](repeating: empty, count: count))
    }

    var currentMask: Register?
    func mask(_ channel: Register) -> Register? { currentMask }
    func line(_ channel: Register) {
      func pixels(_ pixel: Register, _ count: Int, isInside: Bool) {
        let result = sums(pixel, count: count, channel: channel, isInside: isInside)
        store.emit(
          tile: RegisterTile(rows: count, vectors: 1), lanes: lanes, row: pixel, column: channel, masks: [currentMask],
          sums: result, rowGroup: pixelGroup, rowFirst: rank, columnGroup: channelGroup, columnFirst: rank + 1)
      }
      b.loop("left", from: zero, to: inFrom) { pixels($0, 1, isInside: false) }
      let whole = b.multiply(
        b.binary(.floorDivide, b.subtract(inTo, inFrom), b.index(Self.pixels)), Self.pixels)
      let end = b.add(inFrom, whole)
      b.loop("inside", from: inFrom, to: end, step: Self.pixels) { pixels($0, Self.pixels, isInside: true) }
      b.loop("rest", from: end, to: inTo) { pixels($0, 1, isInside: true) }
      b.loop("right", from: inTo, to: resultWidth) { pixels($0, 1, isInside: false) }
    }
    let wholeChannels = channels / lanes * lanes
    if wholeChannels > 0 { b.loop("channel", from: zero, to: b.index(wholeChannels), step: lanes) { line($0) } }
    if channels > wholeChannels {
      currentMask = b.compare(
        .less, b.laneNumbers(lanes, .i32), b.constant(.int(Int64(channels - wholeChannels)), .i32, lanes: lanes))
      line(b.index(wholeChannels))
    }
    let elements = shape.reduce(Dim(1), *)
    let lineWork = Swift.max(1, (shape[rank].value ?? 28) * channels * taps)
    try context.append(
      scope, tasks: shape[..<rank].reduce(1, *), grain: Swift.max(1, 200_000 / lineWork),
      flops: elements * Dim(2 * taps),
      bytes: (elements + input.reduce(Dim(1), *) + Dim(weights.count)) * Dim(form.accumulate.bits / 8))
  }
}
