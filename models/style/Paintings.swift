import Foundation
import Sinter

/// Made-up pictures of 64×64, f32 [1, 3, 64, 64], 0 … 1, where no files are given.
enum Paintings {
  static let size = 64

  private static func picture(_ color: (Double, Double) -> [Double]) -> HostTensor {
    let pixels = (0..<size * size).map { color(Double($0 % size) / Double(size), Double($0 / size) / Double(size)) }
    return .f32([1, 3, size, size], (0..<3).flatMap { channel in pixels.map { Float($0[channel]) } })
  }

  /// A sun over the sea.
  static var content: HostTensor {
    picture { x, y in
      let sun = pow(x - 0.6, 2) + pow(y - 0.35, 2) < 0.03
      if sun { return [1, 0.9, 0.3] }
      return y < 0.6 ? [0.4 + 0.3 * y, 0.6 + 0.2 * y, 0.95] : [0.05, 0.25 + 0.3 * (1 - y), 0.45]
    }
  }

  /// Slanted waves of red and of gold.
  static var style: HostTensor {
    picture { x, y in
      let wave = 0.5 + 0.5 * sin(40 * (x + 0.6 * y) + 3 * sin(9 * y)), other = 0.5 + 0.5 * sin(25 * (x - y))
      return [0.5 + 0.5 * wave, 0.2 + 0.6 * wave * other, 0.1 + 0.3 * other]
    }
  }
}
