import SinterCore
import SinterForms
import SinterIR

/// The image in a file, whose bytes are the input: BMP, JPEG, JPEG 2000, PNG, PNM, TIFF or WebP, as its first bytes tell.
///
/// The result is [height, width, channels] in bytes. Gray images and palettes become colors where these are asked for, what is transparent keeps its
/// color, and 16 bits become the upper 8. Gray is 0.299 red + 0.587 green + 0.114 blue. A file that is no image ends the run with an error.
public struct ImageDecoder: Primitive {
  public static let name = "ImageDecoder"
  public static let summary = "The pixels of an image in a file, given as its bytes."

  /// What the channels are: three colors in either order, or one of gray.
  public enum PixelFormat: String, CaseIterable, Sendable {
    case rgb = "RGB"
    case bgr = "BGR"
    case gray = "Grayscale"

    var channels: Int { self == .gray ? 1 : 3 }

    var layout: RuntimeFunction.PixelLayout {
      switch self {
      case .rgb: .rgb
      case .bgr: .bgr
      case .gray: .gray
      }
    }
  }

  /// What the channels are.
  public var format = PixelFormat.rgb

  public init() {}
  /// A decoder to these channels.
  public init(_ format: PixelFormat) { self.format = format }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("pixel_format", &format, default: .rgb)
  }

  public static var onnx: [OnnxRule] { [.direct(ImageDecoder.self, since: 20)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self, since: 20) }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let file = try inputs.tensor(0)
    guard file.element == .u8, file.rank == 1 else {
      throw DiagnosticError(
        .user, "imagedecoder.input", "the file must be a list of bytes, u8[n], but is \(file)",
        hint: "give the file's bytes as they are")
    }
    return [
      Fact(
        .u8,
        [inputs.freshSize(result: 0, axis: 0), inputs.freshSize(result: 0, axis: 1), Dim(format.channels)])
    ]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let file = try node.input(0)
    let errors = RuntimeFunction.ImageProblem.allCases.map { Int64(lowering.error("ImageDecoder: \($0.text)")) }
    let sizes = lowering.call(.image_size, [file], [errors[0]], gives: TensorType(.i64, [2]))
    let type = try node.output()
    for (axis, what) in ["height", "width"].enumerated() {
      guard let symbol = type.shape[axis].symbol else { continue }
      let size = try lowering.element([]) { builder, _ in builder.load(sizes.id, [builder.constant(axis, .i64)]) }
      lowering.define(symbol, as: size, "\(what) of the image")
    }
    return [lowering.call(.image_pixels, [file], [errors[0], format.layout.rawValue], gives: type)]
  }

  public static var examples: [OperatorExample] {
    let pixmap = Array("P6 3 2\n255\n".utf8) + (0..<18).map { UInt8($0 * 14) }
    let graymap = Array("P5\n2 3 255 ".utf8) + [0, 255, 7, 90, 128, 200]
    return [(.rgb, pixmap), (.bgr, pixmap), (.gray, pixmap), (.rgb, graymap), (.gray, graymap), (.bgr, bitmap)].map {
      OperatorExample(ImageDecoder($0), [.given(HostTensor(.u8, [$1.count], values: $1))])
    }
  }

  /// A bitmap of one column and two rows, which stand from the bottom up, each filled up to four bytes.
  private static var bitmap: [UInt8] {
    let header: [UInt32] = [40, 1, 2, 1 | 24 << 16, 0, 8, 2835, 2835, 0, 0]
    let numbers = [62, 0, 54] + header
    return Array("BM".utf8)
      + numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
      + [10, 20, 30, 0, 40, 50, 60, 0]
  }
}

extension RuntimeFunction.ImageProblem {
  fileprivate var text: String {
    switch self {
    case .unknown: "the input is no file of a known format (BMP, JPEG, JPEG 2000, PNG, PNM, TIFF, WebP)"
    case .damaged: "the image file is damaged or cut short"
    case .unsupported: "the image is of a kind that is not decoded, such as CMYK, an animation, or compressed bitmaps"
    case .tooLarge: "the image has more than 268435456 pixels"
    case .noMemory: "there is no memory to decode the image"
    }
  }
}
