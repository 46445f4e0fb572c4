import SinterCore
import SinterKernelIR

extension WinogradKernel {
  /// One part of the transformed input of a patch, to `place · inputStride + channel` from `target` on.
  func transformInput(_ patch: Patch, _ frame: Frame, parts: [Register], to target: Register) {
    let strides = TensorType.strides(inputShape)
    let starts = axes.enumerated().map { position, axis in
      var place = b.multiply(patch.place[position], axis.resultStep)
      if let first = patch.first[position] { place = b.add(place, first) }
      return b.add(
        b.add(b.multiply(place, axis.stride), frame.starts[position]), b.multiply(parts[position], axis.partStep))
    }
    let corner = starts.enumerated().reduce(b.multiply(patch.image, scope.dim(strides[0]))) { sum, start in
      b.add(sum, b.multiply(start.element, scope.dim(strides[start.offset + 1])))
    }
    let places = indices(axes.map(\.size))
    let pixels = places.map { place in
      axes.indices.reduce(corner) { pixel, axis in
        place[axis] == 0
          ? pixel : b.add(pixel, b.multiply(scope.dim(strides[axis + 1]), place[axis] * axes[axis].placeStep))
      }
    }
    /// Whether element `at` of the patch's input along an axis exists.
    func exists(_ axis: Int, _ at: Int) -> Register {
      let place = b.add(starts[axis], at * axes[axis].placeStep)
      return b.binary(
        .and, b.compare(.greaterOrEqual, place, b.index(0)), b.compare(.less, place, scope.dim(inputShape[axis + 1])))
    }
    func all(_ conditions: [Register]) -> Register? {
      conditions.dropFirst().reduce(conditions.first) { all, one in all.map { b.binary(.and, $0, one) } }
    }
    let open = axes.indices.filter { !isInside($0) }
    func channels(_ existence: [[Register]]?) {
      scope.vectorLoop("channel", over: scope.stretch(Dim(plan.channels / axes.parts)), lanes: lanes) {
        channel, width, mask in
        let values = zip(places, pixels).map { place, pixel in
          var lanesThatExist = mask
          if let existence, let condition = all(zip(open, existence).map { $1[place[$0]] }) {
            let condition = b.broadcast(condition, lanes: width)
            lanesThatExist = mask.map { b.binary(.and, $0, condition) } ?? condition
          }
          return b.load(image, at: b.add(pixel, channel), lanes: width, mask: lanesThatExist)
        }
        for (place, value) in apply(\.input, to: values).enumerated() {
          b.store(value, scratch, at: b.add(b.add(target, channel), place * plan.inputStride))
        }
      }
    }
    let conditions = open.flatMap { axis in Set([0, axes[axis].size - 1]).sorted().map { exists(axis, $0) } }
    guard let isInside = all(conditions) else { return channels(nil) }
    b.branch(
      isInside,
      then: {
        channels(nil)
        return []
      },
      otherwise: {
        channels(open.map { axis in (0..<axes[axis].size).map { exists(axis, $0) } })
        return []
      })
  }

  /// Whether every place of the result meets elements of the input alone along an axis.
  private func isInside(_ axis: Int) -> Bool {
    transposed.isEmpty && axes[axis].window == 1 && axes[axis].stride == 1 && form.padsBegin[axis] == 0
      && inputShape[axis + 1] == shape[axis + 1]
  }
}
