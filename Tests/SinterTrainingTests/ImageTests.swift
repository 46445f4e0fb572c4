import Foundation
import Sinter
import SinterVision
import Testing

/// Images in files and folders beside what Pillow reads.
@Suite struct ImageTests {
  static let files: [(name: String, file: String)] = [
    ("png_rgb", "rgb.png"), ("png_rgba", "rgba.png"), ("png_gray", "gray.png"), ("png_la", "la.png"),
    ("png_palette", "palette.png"), ("png_bits", "bits.png"), ("jpeg_rgb", "rgb.jpg"), ("jpeg_444", "444.jpg"),
    ("jpeg_progressive", "progressive.jpg"), ("jpeg_gray", "gray.jpg"),
  ]

  @Test(arguments: files) func pixelsArePillows(_ name: String, _ file: String) throws {
    let expected = try FileTests.expected()
    for (mode, channels) in [("L", ImageFile.Channels.gray), ("RGB", .rgb), ("RGBA", .rgba)] {
      let image = try ImageFile.read(fixture("data/\(file)"), channels: channels)
      let pixels = try #require(expected["\(name).\(mode)"])
      #expect(image.element == .u8 && image.shape == pixels.shape, "\(mode)")
      let worst = zip(image.array(of: UInt8.self), pixels.array(of: UInt8.self)).map { abs(Int($0) - Int($1)) }.max()
      // Versions of the JPEG library differ by one.
      #expect((worst ?? 0) <= (file.hasSuffix("jpg") ? 1 : 0), "\(mode): \(worst ?? 0)")
    }
  }

  @Test func deepImagesAreRead() throws {
    #expect(try ImageFile.read(fixture("data/deep.png"), channels: .gray).shape == [1, 5, 4])
  }

  @Test func pngIsWrittenAndReadBack() throws {
    try withScratchFolder { folder in
      for channels in [ImageFile.Channels.gray, .rgb, .rgba] {
        let image = try ImageFile.read(fixture("data/rgba.png"), channels: channels)
        try ImageFile.writePNG(image, to: "\(folder)/x.png")
        #expect(try ImageFile.read("\(folder)/x.png", channels: channels).hasSameContents(as: image))
      }
      try ImageFile.writePNG(HostTensor(.u8, [1, 2], values: [7, 9] as [UInt8]), to: "\(folder)/x.png")
      #expect(try ImageFile.read("\(folder)/x.png", channels: .gray).array(of: UInt8.self) == [7, 9])
      #expect(message { try ImageFile.png(.f32([1, 1, 1], [0])) }.contains("but given is f32[1, 1, 1]"))
      #expect(message { try ImageFile.png(HostTensor(.u8, [1, 0, 5], values: [UInt8]())) }.contains("u8[1, 0, 5]"))
    }
  }

  /// Files that end early or have any byte changed give an error or an image, never a trap.
  @Test(arguments: ["rgba.png", "palette.png", "rgb.jpg", "progressive.jpg"]) func damagedImagesGiveErrors(
    _ name: String
  ) throws {
    let whole = [UInt8](try Data(contentsOf: URL(filePath: fixture("data/\(name)"))))
    for length in stride(from: 0, to: whole.count - 16, by: 13) {
      let told = message { try ImageFile.decode(Array(whole[..<length]), name: "x.img") }
      #expect(told.contains("x.img is"), "\(length): \(told)")
    }
    for place in stride(from: 0, to: whole.count, by: 5) {
      for change in [0x01, 0x40, 0xff] as [UInt8] {
        var bytes = whole
        bytes[place] ^= change
        do { _ = try ImageFile.decode(bytes, name: "x.img") } catch let error as DiagnosticError {
          #expect(error.description.contains("x.img"))
        }
      }
    }
  }

  @Test func wrongFilesAreRefused() throws {
    #expect(message { try ImageFile.read(fixture("data/cmyk.jpg")) }.contains("colors for printing"))
    #expect(message { try ImageFile.read(fixture("data/big.npy")) }.contains("neither a PNG nor a JPEG"))
    #expect(message { try ImageFile.read("/nosuch.png") }.contains("/nosuch.png cannot be opened"))
  }

  @Test func foldersAreClasses() throws {
    try withScratchFolder { folder in
      for (path, file) in [
        ("b/2.png", "rgb.png"), ("b/1.PNG", "gray.png"), ("a/x/3.jpg", "rgb.jpg"), ("a/notes.txt", "big.npy"),
      ] {
        let target = URL(filePath: "\(folder)/\(path)")
        try FileManager.default.createDirectory(
          at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: URL(filePath: fixture("data/\(file)")), to: target)
      }
      let images = try ImageFolder(folder)
      #expect(images.classes == ["a", "b"])
      #expect(images.files.map { $0.path.dropFirst(folder.count) } == ["/a/x/3.jpg", "/b/1.PNG", "/b/2.png"])
      #expect(try (0..<3).map { try images.sample($0)[1].integers?.first } == [0, 1, 1])
      // Images of other sizes: the file is named, and what to do.
      let told = message { try images.batch([1, 0], seed: 0, epoch: 0) }
      #expect(told.contains("3.jpg is u8[3, 21, 30], but") && told.contains("Resize"))
      let sized = images.transformed(Resize(12), CenterCrop(8), ToTensor())
      #expect(try sized.batch([0, 1, 2], seed: 0, epoch: 0).map(\.shape) == [[3, 3, 8, 8], [3]])
      // What is wrong.
      #expect(message { try ImageFolder("\(folder)/none") }.contains("there is no folder"))
      #expect(message { try ImageFolder("\(folder)/b") }.contains("has no folders"))
      try FileManager.default.createDirectory(atPath: "\(folder)/c", withIntermediateDirectories: true)
      try FileManager.default.createDirectory(atPath: "\(folder)/d", withIntermediateDirectories: true)
      let empty = message { try ImageFolder(folder) }
      #expect(empty.contains("/c has no .png") && empty.contains("/d has no .png"))
    }
  }
}
