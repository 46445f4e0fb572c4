import Sinter
internal import CTurboJPEG

/// JPEG by libjpeg-turbo.
enum JPEG {
  static func decode(_ bytes: UnsafeRawBufferPointer, _ path: String) throws -> Pixels {
    guard let decoder = tjInitDecompress() else {
      throw DiagnosticError(.limit, "image.jpeg", "\(path): there is no memory for a decoder")
    }
    defer { tjDestroy(decoder) }
    func wrong() -> DiagnosticError {
      let text = tjGetErrorStr2(decoder).map { String(cString: $0) } ?? "it is damaged"
      return DiagnosticError(.user, "image.jpeg", "\(path) is no complete JPEG file: \(text)")
    }
    let source = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    var (width, height, subsampling, space) = (Int32(0), Int32(0), Int32(0), Int32(0))
    guard tjDecompressHeader3(decoder, source, UInt(bytes.count), &width, &height, &subsampling, &space) == 0 else {
      throw wrong()
    }
    guard space != TJCS_CMYK.rawValue, space != TJCS_YCCK.rawValue else {
      throw DiagnosticError(
        .limit, "image.jpeg", "\(path) has colors for printing (CMYK)", hint: "save it with colors for a screen (RGB)")
    }
    guard Int(width) * Int(height) <= ImageFile.largestArea else {
      throw DiagnosticError(
        .limit, "image.size",
        "\(path) has \(height)×\(width) pixels, more than the \(ImageFile.largestArea) that are read")
    }
    let channels = space == TJCS_GRAY.rawValue ? 1 : 3
    var pixels = [UInt8](repeating: 0, count: Int(width) * Int(height) * channels)
    let format = channels == 1 ? TJPF_GRAY : TJPF_RGB
    // What the library only warns of, a file that ends early, is as wrong here.
    let status = pixels.withUnsafeMutableBufferPointer {
      tjDecompress2(decoder, source, UInt(bytes.count), $0.baseAddress, width, 0, height, format.rawValue, 0)
    }
    guard status == 0 else { throw wrong() }
    return Pixels(channels: channels, height: Int(height), width: Int(width), bytes: pixels)
  }
}
