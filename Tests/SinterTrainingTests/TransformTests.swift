import Foundation
import Sinter
import Testing

/// Transforms beside torchvision's, and those that draw beside what they promise.
@Suite struct TransformTests {
  static let cases: [(name: String, transform: any Transform, source: String)] = [
    ("normalize", Normalize(mean: [0.1, -0.2, 0.3], deviation: [0.5, 2, 1.5]), "floats"),
    ("totensor", ToTensor(), "bytes"),
    ("crop_odd", CenterCrop(height: 8, width: 13), "floats"), ("crop_even", CenterCrop(10), "floats"),
    ("crop_beyond", CenterCrop(height: 24, width: 11), "floats"),
    ("resize_down", Resize(height: 8, width: 11), "floats"), ("resize_up", Resize(height: 33, width: 64), "floats"),
    ("resize_mixed", Resize(height: 40, width: 7), "floats"), ("resize_shorter", Resize(15), "floats"),
    ("resize_bytes", Resize(height: 8, width: 11), "bytes"), ("resize_bytes_up", Resize(50), "bytes"),
    ("flip", RandomHorizontalFlip(1), "floats"),
  ]

  @Test(arguments: cases.map(\.name)) func deterministicOnesAreTorchvisions(_ name: String) throws {
    let (_, transform, source) = try #require(Self.cases.first { $0.name == name })
    let expected = try FileTests.expected()
    let wanted = try #require(expected["transform.\(name)"])
    let given = try transform(try #require(expected[source]))
    #expect(given.element == wanted.element && given.shape == wanted.shape)
    let worst = zip(try #require(given.doubles), try #require(wanted.doubles)).map { abs($0 - $1) }.max() ?? .infinity
    // Of bytes, torchvision's weights have 16 bits; of floats, f32's.
    #expect(worst <= (given.element == .u8 ? 1 : 1e-5), "\(worst)")
  }

  static let image = HostTensor.f32([2, 6, 8], (1...96).map { Float($0) })

  static func draws<T>(
    _ count: Int, _ transform: some Transform, _ image: HostTensor = image, _ body: (HostTensor) -> T
  ) throws -> [T] {
    try (0..<count).map { body(try transform(image, seed: UInt64($0))) }
  }

  @Test func flipsAreFair() throws {
    let flipped = try Self.draws(2000, RandomHorizontalFlip(0.3)) { $0.array(of: Float.self)[0] == 8 }.count { $0 }
    #expect(abs(Double(flipped) - 600) < 4 * (2000 * 0.3 * 0.7).squareRoot(), "\(flipped)")
    #expect(try Self.draws(50, RandomHorizontalFlip(0)) { $0.hasSameContents(as: Self.image) }.allSatisfy { $0 })
  }

  @Test func cropsAreAnywhere() throws {
    // With a padding of one there are 5 × 5 places for a window of 4×6 in 6×8.
    let corners = try Self.draws(3000, RandomCrop(height: 4, width: 6, padding: 1)) { $0.array(of: Float.self) }
    #expect(corners.allSatisfy { $0.count == 48 })
    let counts = Dictionary(grouping: corners, by: { $0 }).mapValues(\.count)
    #expect(counts.count == 25)
    #expect(counts.values.allSatisfy { abs(Double($0) - 120) < 5 * 11 }, "\(counts.values.sorted())")
    #expect(corners.contains { $0[0] == 0 } && corners.contains { $0[0] == 1 })
    #expect(message { try RandomCrop(9)(Self.image) }.contains("RandomCrop takes 9×9 pixels, but the image has 6×8"))
  }

  @Test func erasedPartsHaveTheirAreaAndPlace() throws {
    let image = HostTensor.f32([1, 40, 50], [Float](repeating: 1, count: 2000))
    let areas = try Self.draws(2000, RandomErasing(), image) { $0.array(of: Float.self).count { $0 == 0 } }
    let erased = areas.filter { $0 > 0 }
    #expect(abs(Double(erased.count) - 1000) < 4 * 22.4, "\(erased.count)")
    let parts = erased.map { Double($0) / 2000 }
    #expect(parts.allSatisfy { $0 > 0.014 && $0 < 0.345 })
    // Uniform between 0.02 and 0.33, but for the few shapes that do not fit.
    let mean: Double = parts.reduce(0, +) / Double(parts.count)
    #expect(abs(mean - 0.175) < 0.015)
    let valued = try RandomErasing(1, value: 7)(image, seed: 3)
    #expect(Set(valued.array(of: Float.self)) == [1, 7])
  }

  @Test func resizedCropsHaveOneSize() throws {
    let ramp = HostTensor.f32([1, 30, 40], (0..<1200).map { Float($0 % 40) })
    let results = try Self.draws(500, RandomResizedCrop(16), ramp) { $0 }
    #expect(results.allSatisfy { $0.shape == [1, 16, 16] })
    // Values are columns: how far a row reaches tells how much of the image was taken.
    let widths = results.map { $0.array(of: Float.self)[15] - $0.array(of: Float.self)[0] + 1 }
    #expect((widths.min() ?? 0) < 16 && (widths.max() ?? 0) > 30 && (widths.max() ?? 99) <= 40)
    // A shape that fits nowhere gives the middle.
    let narrow = try RandomResizedCrop(4, scale: 1...1, ratio: 9...9)(ramp)
    #expect(narrow.shape == [1, 4, 4])
  }

  @Test func compositionAndFunctions() throws {
    let both = Compose(
      Lambda { .f32($0.shape, $0.array(of: Float.self).map { $0 * 2 }) }, CenterCrop(height: 1, width: 2))
    #expect(try both(Self.image).array(of: Float.self) == [40, 42, 136, 138])
  }

  @Test func wrongImagesAreRefused() throws {
    #expect(message { try ToTensor()(Self.image) }.contains("ToTensor takes an image of u8"))
    #expect(
      message { try Normalize(mean: [0, 0, 0], deviation: [1])(Self.image) }.contains(
        "has 3 means, but the image has 2 channels"))
    #expect(message { try Normalize(mean: [0], deviation: [0])(Self.image) }.contains("deviation of 0"))
    #expect(message { try CenterCrop(2)(.f32([2, 2], [1, 2, 3, 4])) }.contains("ToTensor adds an axis"))
    #expect(message { try Resize(4)(.f32([1, 0, 5], [])) }.contains("without pixels"))
    let data = try LoaderTests.numbers(2).transformed(ToTensor())
    #expect(message { try data.sample(1) }.contains("(sample 1)"))
    #expect(message { try LoaderTests.numbers(2).transformed(ToTensor(), part: 2).sample(0) }.contains("no part 2"))
  }
}
