import Sinter

/// Several images as one, side by side: torchvision's `make_grid`.
public enum ImageGrid {
  /// A batch of images, u8 or f32 [n, 1, 3 or 4, height, width], as one image of bytes, u8 [channels, height, width].
  ///
  /// - Parameters:
  ///   - columns: how many stand in a row.
  ///   - padding: pixels between images and around them.
  ///   - range: of f32, the values of black and white; nil for the least and the greatest there are.
  /// - Throws: where the tensor is no batch of images.
  public static func image(
    _ batch: HostTensor, columns: Int = 8, padding: Int = 2, range: ClosedRange<Double>? = 0...1
  ) throws -> HostTensor {
    guard batch.rank == 4, batch.element == .u8 || batch.element == .f32, [1, 3, 4].contains(batch.shape[1]) else {
      throw DiagnosticError(
        .user, "image.grid",
        "a grid is made of images of u8 or f32 [n, 1, 3 or 4, height, width], but given is \(batch.type)")
    }
    try batch.demandSound("the batch of images")
    let (count, channels) = (batch.shape[0], batch.shape[1])
    let (height, width) = (batch.shape[2], batch.shape[3])
    let padding = max(0, padding)
    let across = max(1, min(columns, count)), down = max(1, (count + across - 1) / across)
    let size = (down * (height + padding) + padding, across * (width + padding) + padding)
    let bytes = pixels(batch, range)
    var result = [UInt8](repeating: 0, count: channels * size.0 * size.1)
    for image in 0..<count {
      let top = padding + image / across * (height + padding), left = padding + image % across * (width + padding)
      for channel in 0..<channels {
        for row in 0..<height {
          let from = ((image * channels + channel) * height + row) * width
          let to = (channel * size.0 + top + row) * size.1 + left
          result.replaceSubrange(to..<(to + width), with: bytes[from..<(from + width)])
        }
      }
    }
    return HostTensor(.u8, [channels, size.0, size.1], values: result)
  }

  private static func pixels(_ batch: HostTensor, _ range: ClosedRange<Double>?) -> [UInt8] {
    if batch.element == .u8 { return batch.array(of: UInt8.self) }
    let values = batch.array(of: Float.self)
    let finite = range == nil ? values.filter(\.isFinite) : []
    let low = range.map { Float($0.lowerBound) } ?? finite.min() ?? 0
    let high = range.map { Float($0.upperBound) } ?? finite.max() ?? 1
    let scale = high > low ? 255 / (high - low) : 0
    // What is no number is black.
    return values.map { value in
      value.isNaN ? 0 : UInt8(min(255, max(0, (min(max(value, low), high) - low) * scale + 0.5)))
    }
  }
}
