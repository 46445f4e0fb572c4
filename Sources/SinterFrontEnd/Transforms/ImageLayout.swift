/// An image's sizes, channels first.
package struct ImageLayout {
  let channels: Int, height: Int, width: Int

  /// - Throws: where a tensor is no image of u8 or f32.
  init(_ tensor: HostTensor, for transform: String, of elements: [ElementType] = [.u8, .f32]) throws {
    guard tensor.rank == 3, elements.contains(tensor.element) else {
      throw DiagnosticError(
        .user, "transform.image",
        "\(transform) takes an image of \(elements.map(\.name).joined(separator: " or ")) [channels, height, width], but is given \(tensor.type)",
        hint: tensor.rank == 2 ? "ToTensor adds an axis of channels" : nil)
    }
    try tensor.demandSound("the image that \(transform) is given")
    (channels, height, width) = (tensor.shape[0], tensor.shape[1], tensor.shape[2])
  }
}

extension ImageLayout {
  /// The most pixels that transforms make, and that files are read and written with.
  package static let largestArea = 1 << 28

  static func demandArea(_ height: Int, _ width: Int) throws(DiagnosticError) {
    let (area, overflows) = height.multipliedReportingOverflow(by: width)
    if overflows || area > largestArea {
      throw DiagnosticError(
        .user, "transform.size", "an image of \(height)×\(width) pixels has more than \(largestArea) pixels")
    }
  }
}

extension HostTensor {
  /// A part of an image, which begins at a place that may lie outside of it: there it is zero.
  ///
  /// - Throws: where it has more pixels than an image may have.
  func window(
    _ layout: ImageLayout, top: Int, left: Int, height: Int, width: Int, flipped: Bool = false
  ) throws(DiagnosticError) -> HostTensor {
    try ImageLayout.demandArea(height, width)
    let size = element.byteCount(1)
    return HostTensor(
      element, [layout.channels, height, width],
      bytes: TensorBytes(count: layout.channels * height * width * size) { target in
        bytes.withBytes { source in
          guard let to = target.baseAddress, let from = source.baseAddress else { return }
          let (first, last) = (max(0, -left), min(width, layout.width - left))
          guard first < last else { return }
          for channel in 0..<layout.channels {
            for row in max(0, -top)..<max(max(0, -top), min(height, layout.height - top)) {
              let line = to + (channel * height + row) * width * size
              let origin = from + ((channel * layout.height + row + top) * layout.width + left) * size
              guard flipped else {
                (line + first * size).copyMemory(from: origin + first * size, byteCount: (last - first) * size)
                continue
              }
              for column in first..<last {
                (line + (width - 1 - column) * size).copyMemory(from: origin + column * size, byteCount: size)
              }
            }
          }
        }
      })
  }
}
