import SinterCore
import SinterIR

extension Conv {
  /// The same convolution with a smaller window, and what it takes of the weights along each spatial axis.
  package struct Trimmed {
    package var op: Conv
    package var taps: [Swift.Range<Int>]
  }

  /// The convolution without the first and the last taps along each axis that meet nothing but padding, wherever the window lies: less padding
  /// makes up for them, so that no place of the result moves. Nil where every tap counts, or where sizes are not known.
  package func trimmed(_ x: TensorType, _ w: TensorType) -> Trimmed? {
    var settled = Obligations()
    guard let geometry = try? geometry(x, w, &settled) else { return nil }
    var result = Trimmed(op: self, taps: geometry.kernel.map { 0..<$0 })
    var (begins, ends, dilations) = ([Int](), [Int](), geometry.dilations)
    for (axis, size) in ImageLayout(channelsLast: channelsLast).spatial(x.shape).enumerated() {
      // Padding that follows from a size can become a number only with that size.
      guard let begin = geometry.padsBegin[axis].value, let end = geometry.padsEnd[axis].value else { return nil }
      begins.append(begin)
      ends.append(end)
      guard let size = size.value, let count = geometry.output[axis].value else { continue }
      let (kernel, stride, dilation) = (geometry.kernel[axis], geometry.strides[axis], geometry.dilations[axis])
      /// Whether the first window whose tap does not lie before the image has it inside.
      func meets(_ tap: Int) -> Bool {
        let window = Swift.max(0, (begin - tap * dilation + stride - 1) / stride)
        return window < count && window * stride + tap * dilation - begin < size
      }
      guard let first = (0..<kernel).first(where: meets), let last = (0..<kernel).last(where: meets) else { continue }
      // A tap less at the end may be dilation less of padding; no window can begin inside of the image.
      let before = Swift.min(first, Swift.max(0, begin) / dilation)
      let after = Swift.min(kernel - 1 - last, Swift.max(0, end) / dilation)
      begins[axis] -= before * dilation
      ends[axis] -= after * dilation
      result.taps[axis] = before..<(kernel - after)
      if result.taps[axis].count == 1 { dilations[axis] = 1 }
    }
    guard result.taps != geometry.kernel.map({ 0..<$0 }) else { return nil }
    result.op.window.autoPad = .notSet
    result.op.window.kernel = result.taps.map(\.count)
    result.op.window.dilations = dilations
    result.op.window.pads = begins + ends
    return result
  }
}
