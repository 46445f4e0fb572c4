import Foundation
import Sinter

/// Made-up pictures of 48×48 to be segmented: one to three ellipses, brighter than the ground, whose brightness changes from side to side, under noise.
/// A sample is a picture, f32 [1, 48, 48], and the mask of its ellipses.
struct Blobs: Dataset {
  static let size = 48
  let count: Int
  let seed: UInt64

  func sample(_ index: Int, random _: inout SampleRandom) throws -> [HostTensor] {
    // A picture stays the same in all epochs.
    var random = SampleRandom(seed: seed, index: index)
    let size = Self.size
    struct Ellipse { var x, y, a, b, angle: Double }
    let ellipses = (0...random.integer(below: 3)).map { _ in
      Ellipse(
        x: random.uniform(8, 40), y: random.uniform(8, 40), a: random.uniform(4, 10), b: random.uniform(3, 7),
        angle: random.uniform(0, .pi))
    }
    let (across, along) = (random.uniform(-0.4, 0.4), random.uniform(-0.4, 0.4))
    var picture = [Float](repeating: 0, count: size * size), mask = picture
    for y in 0..<size {
      for x in 0..<size {
        let isInside = ellipses.contains { ellipse in
          let (dx, dy) = (Double(x) - ellipse.x, Double(y) - ellipse.y)
          let u = (dx * cos(ellipse.angle) + dy * sin(ellipse.angle)) / ellipse.a
          let v = (dy * cos(ellipse.angle) - dx * sin(ellipse.angle)) / ellipse.b
          return u * u + v * v <= 1
        }
        let ground = (across * Double(x) + along * Double(y)) / Double(size)
        picture[y * size + x] = Float(ground + (isInside ? 0.5 : 0) + random.uniform(-0.3, 0.3))
        mask[y * size + x] = isInside ? 1 : 0
      }
    }
    return [.f32([1, size, size], picture), .f32([1, size, size], mask)]
  }
}
