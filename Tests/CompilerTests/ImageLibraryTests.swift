import Foundation
import Sinter
import SinterCore
import SinterIR
import SinterLLVM
import SinterModel
import SinterOps
import TestSupport
import Testing

/// ImageDecoder in compiled libraries, whose decoders are C, on files of each format: `plain` holds the same pixels in all of them, `smooth` what
/// Pillow makes of a JPEG file.
@Suite("Image files in compiled libraries") struct ImageLibraryTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Images")

  static let files = ["plain.bmp", "plain.jp2", "plain.png", "plain.ppm", "plain.tiff", "plain.webp", "smooth.jpeg"]

  /// A decoder of files of any length.
  private static func withDecoder(_ format: ImageDecoder.PixelFormat, _ body: (Session) throws -> Void) throws {
    var builder = GraphBuilder(name: "decoder")
    let file = builder.input(Fact(.u8, ["n"]), named: "file")
    builder.output(try builder.add1(ImageDecoder(format), [file]), named: "image")
    let folder = FileManager.default.temporaryDirectory.appending(path: "sinter-images-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let model = try BoundModel(graph: builder.graph).compile(to: folder.appending(path: "lib.so").path)
    try body(try model.library.session(threads: 1))
  }

  private static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appending(path: name)))
  }

  private static func tensor(_ bytes: [UInt8]) -> HostTensor { HostTensor(.u8, [bytes.count], values: bytes) }

  /// The pixels of the pixmap beside a file.
  private static func expected(_ name: String) throws -> HostTensor {
    let pixmap = try bytes(name.prefix { $0 != "." } + ".ppm")
    let fields = String(decoding: pixmap.prefix(15), as: UTF8.self).split(whereSeparator: \.isWhitespace)
    let (width, height) = (try #require(Int(fields[1])), try #require(Int(fields[2])))
    return HostTensor(.u8, [height, width, 3], values: Array(pixmap.suffix(3 * width * height)))
  }

  @Test(arguments: ImageDecoder.PixelFormat.allCases) func eachFormatIsDecoded(format: ImageDecoder.PixelFormat) throws
  {
    try Self.withDecoder(format) { session in
      for name in Self.files {
        let colors: [UInt8] = try Self.expected(name).array()
        let shape = try Self.expected(name).shape
        let wanted: [UInt8] =
          switch format {
          case .rgb: colors
          case .bgr: colors.indices.map { colors[$0 - $0 % 3 + 2 - $0 % 3] }
          case .gray:
            stride(from: 0, to: colors.count, by: 3).map { at in
              let sum = zip([19595, 38470, 7471], colors[at..<at + 3]).reduce(0x8000) { $0 + $1.0 * Int($1.1) }
              return UInt8(sum >> 16)
            }
          }
        let image = try session.run([Self.tensor(try Self.bytes(name))])[0]
        #expect(image.shape == [shape[0], shape[1], format == .gray ? 1 : 3], "\(name)")
        #expect(image.array(of: UInt8.self) == wanted, "\(name)")
      }
    }
  }

  /// A TIFF file of gray pixels, as its specification has it.
  private static func tiff(_ pixels: [UInt8], width: Int, orientation: Int) -> [UInt8] {
    let entries = [
      (256, width), (257, pixels.count / width), (258, 8), (259, 1), (262, 1), (273, 8 + 2 + 10 * 12 + 4),
      (274, orientation), (277, 1), (278, pixels.count / width), (279, pixels.count),
    ]
    func short(_ number: Int) -> [UInt8] { [UInt8(number & 255), UInt8(number >> 8)] }
    var file: [UInt8] = Array("II*".utf8) + [0, 8, 0, 0, 0]
    file += short(entries.count)
    for (tag, value) in entries {
      // One short each.
      file += short(tag)
      file += [3, 0, 1, 0, 0, 0]
      file += short(value)
      file += [0, 0]
    }
    file += [0, 0, 0, 0]
    return file + pixels
  }

  @Test func tiffFilesAreTurnedAsTheySay() throws {
    // Two rows of three, as Pillow gives them for each orientation.
    let wanted: [[[UInt8]]] = [
      [[1, 2, 3], [4, 5, 6]], [[3, 2, 1], [6, 5, 4]], [[6, 5, 4], [3, 2, 1]], [[4, 5, 6], [1, 2, 3]],
      [[1, 4], [2, 5], [3, 6]], [[4, 1], [5, 2], [6, 3]], [[6, 3], [5, 2], [4, 1]], [[3, 6], [2, 5], [1, 4]],
    ]
    try Self.withDecoder(.gray) { session in
      for (index, rows) in wanted.enumerated() {
        let file = Self.tiff([1, 2, 3, 4, 5, 6], width: 3, orientation: index + 1)
        let image = try session.run([Self.tensor(file)])[0]
        #expect(image.shape == [rows.count, rows[0].count, 1], "\(index + 1)")
        #expect(image.array(of: UInt8.self) == rows.flatMap { $0 }, "\(index + 1)")
      }
    }
  }

  @Test func noImageIsAnErrorThatSaysWhy() throws {
    try Self.withDecoder(.rgb) { session in
      func message(_ bytes: [UInt8]) -> String {
        do {
          return "\(try session.run([Self.tensor(bytes)])[0].shape)"
        } catch { return "\(error)" }
      }
      #expect(message([]).contains("no file of a known format"))
      #expect(message(Array("GIF89a".utf8)).contains("no file of a known format"))
      #expect(message(Array("P6 4 4 255 ".utf8)).contains("damaged or cut short"))
      #expect(message(Array("P6 16384 16384 255 ".utf8)).contains("damaged or cut short"))
      // Where data of a JPEG file break off in the middle, libjpeg alone would go on with gray.
      var photo = try Self.bytes("smooth.jpeg")
      photo.replaceSubrange(photo.count - 40..<photo.count - 38, with: [0xff, 0xd9])
      #expect(message(photo).contains("damaged or cut short"))
      #expect(message(Array("P6 65536 65536 255 ".utf8)).contains("more than 268435456 pixels"))
      // What follows is decoded as ever.
      let image = try session.run([Self.tensor(try Self.bytes("plain.png"))])[0]
      #expect(image.shape == [4, 5, 3])
    }
  }

  /// Any cut and any changed byte is an error or an image, and never more than the file's own memory is read.
  @Test func damagedFilesNeverCrash() throws {
    try Self.withDecoder(.rgb) { session in
      var generator = SeededGenerator(seed: 11)
      for name in Self.files {
        let whole = try Self.bytes(name)
        for length in stride(from: 0, to: whole.count, by: Swift.max(1, whole.count / 60)) {
          _ = try? session.run([Self.tensor(Array(whole[..<length]))])
        }
        for _ in randomCases(60) {
          var bytes = whole
          for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            bytes[place] = UInt8.random(in: 0...255, using: &generator)
          }
          // A changed header may ask for gigabytes, which are there only on some machines.
          guard Self.isSmall(bytes, besides: whole) else { continue }
          _ = try? session.run([Self.tensor(bytes)])
        }
      }
    }
  }

  /// Whether what a header may say stays below some megabytes: no byte is changed that is the upper one of a size.
  private static func isSmall(_ bytes: [UInt8], besides whole: [UInt8]) -> Bool {
    let changed = bytes.indices.filter { bytes[$0] != whole[$0] }
    return changed.allSatisfy { bytes[$0] < 16 || $0 > 64 }
  }
}
