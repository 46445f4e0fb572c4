import Sinter
internal import CPNG

/// PNG by libpng's simplified interface, which gives errors back instead of jumping.
enum PNG {
  static func decode(_ bytes: UnsafeRawBufferPointer, _ path: String) throws -> Pixels {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    guard png_image_begin_read_from_memory(&image, bytes.baseAddress, bytes.count) != 0 else {
      throw wrong(path, image)
    }
    let (height, width) = (Int(image.height), Int(image.width))
    guard height * width <= ImageFile.largestArea else {
      throw DiagnosticError(
        .limit, "image.size",
        "\(path) has \(height)×\(width) pixels, more than the \(ImageFile.largestArea) that are read")
    }
    // Sixteen bits are as many steps of the same curve as eight are, unless the file says otherwise.
    image.flags |= UInt32(PNG_IMAGE_FLAG_16BIT_sRGB)
    image.format &= UInt32(PNG_FORMAT_FLAG_ALPHA | PNG_FORMAT_FLAG_COLOR)
    let isColored = image.format & UInt32(PNG_FORMAT_FLAG_COLOR) != 0
    let channels = (isColored ? 3 : 1) + (image.format & UInt32(PNG_FORMAT_FLAG_ALPHA) != 0 ? 1 : 0)
    var pixels = [UInt8](repeating: 0, count: height * width * channels)
    let status = pixels.withUnsafeMutableBytes { png_image_finish_read(&image, nil, $0.baseAddress, 0, nil) }
    // libpng calls an error a warning where it could go on; a file that is cut off is one.
    guard status != 0, image.warning_or_error < 2 else { throw wrong(path, image) }
    return Pixels(channels: channels, height: height, width: width, bytes: pixels)
  }

  static func encode(_ tensor: HostTensor, _ path: String) throws -> [UInt8] {
    let shape = tensor.rank == 2 ? [1] + tensor.shape : tensor.shape
    guard tensor.element == .u8, shape.count == 3, [1, 3, 4].contains(shape[0]), shape[1] > 0, shape[2] > 0,
      shape[1] * shape[2] <= ImageFile.largestArea
    else {
      throw DiagnosticError(
        .user, "image.shape",
        "\(path): a PNG file is written of u8 [1, 3 or 4, height, width] or [height, width], but given is \(tensor.type)"
      )
    }
    try tensor.demandSound("\(path): the image")
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    (image.height, image.width) = (UInt32(shape[1]), UInt32(shape[2]))
    image.format =
      shape[0] == 1 ? 0 : UInt32(PNG_FORMAT_FLAG_COLOR) | (shape[0] == 4 ? UInt32(PNG_FORMAT_FLAG_ALPHA) : 0)
    defer { png_image_free(&image) }
    let plane = shape[1] * shape[2]
    let pixels = tensor.bytes.withBytes { source in
      (0..<(plane * shape[0])).map { source[$0 % shape[0] * plane + $0 / shape[0]] }
    }
    // A bound for what comes, so that the image is packed once.
    var size = plane * shape[0] + plane * shape[0] / 64 + 4 * shape[1] + 4096
    var result = [UInt8](repeating: 0, count: size)
    let status = result.withUnsafeMutableBytes { target in
      pixels.withUnsafeBytes { png_image_write_to_memory(&image, target.baseAddress, &size, 0, $0.baseAddress, 0, nil) }
    }
    guard status != 0, size <= result.count else { throw wrong(path, image) }
    return Array(result[..<size])
  }

  private static func wrong(_ path: String, _ image: png_image) -> DiagnosticError {
    var image = image
    let text = withUnsafeBytes(of: &image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return DiagnosticError(
      .user, "image.png", "\(path) is no complete PNG file: \(text.isEmpty ? "it is damaged" : text)")
  }
}
