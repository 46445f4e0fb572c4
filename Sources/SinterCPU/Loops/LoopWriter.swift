import SinterCore
import SinterKernelIR

extension KernelScope {
  /// A stretch of an axis: all of it, or the part that one task does.
  struct Stretch {
    var from: Register
    var to: Register
    /// The number of elements, where it is a number.
    var count: Int?
  }

  func stretch(_ extent: Dim) -> Stretch { Stretch(from: builder.index(0), to: dim(extent), count: extent.value) }

  /// Part `part` of an axis that is cut into parts of `size` elements.
  func stretch(_ extent: Dim, part: Register, size: Int) -> Stretch {
    if let count = extent.value, count <= size { return stretch(extent) }
    let from = builder.multiply(part, size)
    let end = builder.add(from, size)
    if let count = extent.value, count % size == 0 { return Stretch(from: from, to: end, count: size) }
    return Stretch(from: from, to: builder.binary(.minimum, end, dim(extent)), count: nil)
  }

  /// The task's number, to be taken apart axis by axis from the innermost.
  func taskNumbers() -> TaskNumbers { TaskNumbers(scope: self, rest: builder.task) }

  struct TaskNumbers {
    fileprivate let scope: KernelScope
    fileprivate(set) var rest: Register

    /// The number along the next axis out.
    mutating func take(_ extent: Dim) -> Register {
      if extent == 1 { return scope.builder.index(0) }
      let size = scope.dim(extent)
      let index = scope.builder.binary(.modulo, rest, size)
      rest = scope.builder.binary(.floorDivide, rest, size)
      return index
    }
  }

  /// The numbers in a row-major space that `flat` stands for, one an extent.
  func unflatten(_ flat: Register, _ extents: [Dim]) -> [Register] {
    var rest = flat
    var result: [Register] = []
    for (position, extent) in extents.enumerated().reversed() {
      if position == 0 {
        result.append(rest)
      } else {
        let size = dim(extent)
        result.append(builder.binary(.modulo, rest, size))
        rest = builder.binary(.floorDivide, rest, size)
      }
    }
    return result.reversed()
  }

  /// Runs `work` over a stretch, `lanes` elements at a time, and what is left over with a mask or with fewer lanes.
  ///
  /// `work` gets the first index, the number of lanes (1: a scalar) and the mask.
  func vectorLoop(
    _ name: String, over stretch: Stretch, lanes: Int, unroll: Int = 1,
    _ work: (Register, Int, Register?) -> Void
  ) {
    if let count = stretch.count {
      staticLoop(name, from: stretch.from, count: count, lanes: lanes, unroll: unroll, work)
      return
    }
    let length = builder.subtract(stretch.to, stretch.from)
    func whole(_ step: Int) -> Register {
      let rounded = builder.multiply(builder.binary(.floorDivide, length, builder.index(step)), step)
      return builder.add(stretch.from, rounded)
    }
    var at = stretch.from
    if lanes > 1 {
      let end = whole(lanes * unroll)
      builder.loop(name, from: at, to: end, step: lanes * unroll) { index in
        for copy in 0..<unroll { work(builder.add(index, copy * lanes), lanes, nil) }
      }
      at = end
      if machine.hasMasks {
        // A few vectors, each of which may be the last: one copy of the code.
        func rest(_ index: Register) {
          let left = builder.subtract(stretch.to, index)
          work(
            index, lanes,
            prefixMask(unroll > 1 ? builder.binary(.minimum, left, builder.index(lanes)) : left, lanes: lanes))
        }
        if unroll > 1 {
          builder.loop(name + ".rest", from: at, to: stretch.to, step: lanes, rest)
        } else {
          builder.when(builder.compare(.less, at, stretch.to)) { rest(at) }
        }
        return
      }
      if unroll > 1 {
        let end = whole(lanes)
        builder.loop(name, from: at, to: end, step: lanes) { work($0, lanes, nil) }
        at = end
      }
    }
    builder.loop(name + ".rest", from: at, to: stretch.to) { work($0, 1, nil) }
  }

  private func staticLoop(
    _ name: String, from: Register, count: Int, lanes: Int, unroll: Int, _ work: (Register, Int, Register?) -> Void
  ) {
    let full = count / lanes
    var done = 0
    if full > Swift.max(2, unroll) {
      let iterations = full / unroll
      builder.loop(name, from: from, to: builder.add(from, iterations * unroll * lanes), step: lanes * unroll) {
        index in
        for copy in 0..<unroll { work(builder.add(index, copy * lanes), lanes, nil) }
      }
      done = iterations * unroll * lanes
    }
    while count - done >= lanes {
      work(builder.add(from, done), lanes, nil)
      done += lanes
    }
    let rest = count - done
    if rest == 0 { return }
    if machine.hasMasks, rest.nonzeroBitCount > 1 {
      var width = 1
      while width < rest { width *= 2 }
      work(builder.add(from, done), width, prefixMask(builder.index(rest), lanes: width))
      return
    }
    // Pieces of 8, 4, 2, 1.
    var width = lanes
    while done < count {
      if count - done >= width {
        work(builder.add(from, done), width, nil)
        done += width
      } else {
        width /= 2
      }
    }
  }

  /// The first `count` lanes.
  func prefixMask(_ count: Register, lanes: Int) -> Register {
    builder.compare(
      .less, builder.laneNumbers(lanes, .i32), builder.broadcast(builder.cast(count, to: .i32), lanes: lanes))
  }
}
