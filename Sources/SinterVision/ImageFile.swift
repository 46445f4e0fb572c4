import Sinter

/// Images in files: PNG and JPEG are read, PNG is written. A tensor of one has bytes, channels first: u8 [channels, height, width].
public enum ImageFile {
  /// Which channels an image has once it is read.
  public enum Channels: Int, Sendable {
    case gray = 1, rgb = 3, rgba = 4
  }

  /// More pixels than these are not read, so that no small file asks for all memory.
  static let largestArea = ImageLayout.largestArea

  /// Reads an image, whose format its first bytes tell. Gray values are repeated for colors, colors weighed for gray (ITU-R BT.601), and what is
  /// transparent is opaque unless it is asked for, as in Pillow's `convert`.
  ///
  /// - Throws: an error that names the file and what is wrong with it: missing, of another format, cut off, damaged.
  public static func read(_ path: String, channels: Channels = .rgb) throws -> HostTensor {
    let file = try MappedFile(path)
    return try withExtendedLifetime(file) { try decode(file.contents, path, channels) }
  }

  /// Reads an image from bytes.
  ///
  /// - Parameter name: what an error calls it.
  public static func decode(_ bytes: [UInt8], name: String = "the image", channels: Channels = .rgb) throws
    -> HostTensor
  {
    try bytes.withUnsafeBytes { try decode($0, name, channels) }
  }

  static func decode(_ bytes: UnsafeRawBufferPointer, _ path: String, _ channels: Channels) throws -> HostTensor {
    let decoded: Pixels
    if bytes.starts(with: [0x89, 0x50, 0x4e, 0x47]) {
      decoded = try PNG.decode(bytes, path)
    } else if bytes.starts(with: [0xff, 0xd8]) {
      decoded = try JPEG.decode(bytes, path)
    } else {
      throw DiagnosticError(
        .user, "image.format", "\(path) is neither a PNG nor a JPEG file",
        hint: bytes.isEmpty ? "the file is empty" : "it begins with bytes \(Array(bytes.prefix(4)))")
    }
    return decoded.tensor(channels)
  }

  /// Writes an image of u8, [1, 3 or 4 channels, height, width] or [height, width], as PNG. What was there is replaced only when all went well.
  public static func writePNG(_ image: HostTensor, to path: String) throws {
    let bytes = try PNG.encode(image, path)
    let file = try AtomicFile(path)
    try bytes.withUnsafeBytes { try file.append($0) }
    try file.commit()
  }

  /// The bytes of a PNG file.
  public static func png(_ image: HostTensor) throws -> [UInt8] { try PNG.encode(image, "the image") }
}

/// Pixels line by line, the channels of each side by side.
struct Pixels {
  /// 1 (gray), 2 (gray and alpha), 3 (RGB) or 4 (RGBA).
  var channels: Int, height: Int, width: Int
  var bytes: [UInt8]

  /// Channels first, with those that are wanted.
  func tensor(_ wanted: ImageFile.Channels) -> HostTensor {
    let (count, plane, given) = (wanted.rawValue, height * width, channels)
    return HostTensor(
      .u8, [count, height, width],
      bytes: TensorBytes(count: count * plane) { target in
        bytes.withUnsafeBufferPointer { bytes in
          for pixel in 0..<plane {
            let from = pixel * given
            switch (given >= 3, wanted) {
            case (true, .gray):
              let (red, green, blue) = (UInt32(bytes[from]), UInt32(bytes[from + 1]), UInt32(bytes[from + 2]))
              target[pixel] = UInt8((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16)
            case (false, .gray): target[pixel] = bytes[from]
            case (let isColored, .rgb), (let isColored, .rgba):
              for channel in 0..<3 { target[channel * plane + pixel] = bytes[from + (isColored ? channel : 0)] }
            }
            if wanted == .rgba { target[3 * plane + pixel] = given % 2 == 0 ? bytes[from + given - 1] : 255 }
          }
        }
      })
  }
}
