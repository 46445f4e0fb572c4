import ExampleSupport
import Sinter
import Testing

struct FrechetDistanceTests {
  private func rows(_ count: Int, seed: UInt64, _ change: (Double, Double, Double) -> [Double]) -> HostTensor {
    var random = SampleRandom(seed: seed)
    let values = (0..<count).flatMap { _ in
      change(random.uniform(-1, 1), random.uniform(-1, 1), random.uniform(-1, 1)).map { Float($0) }
    }
    return .f32([count, 3], values)
  }

  /// Of distributions whose covariances commute, the distance is that of means and deviations; a rotation of both changes nothing.
  @Test func isThatOfMeansAndDeviations() {
    let a = Distribution(rows(4000, seed: 1) { [$0, $1, $2] })
    let b = Distribution(rows(4000, seed: 1) { [3 * $0 + 2, 3 * $1, 3 * $2 - 1] })
    // Three deviations of √⅓ and three times as much, means apart by 2 and 1.
    #expect(abs(a.frechetDistance(to: b) - (5 + 4)) < 0.3)
    #expect(abs(a.frechetDistance(to: b) - b.frechetDistance(to: a)) < 1e-9 && abs(a.frechetDistance(to: a)) < 1e-9)
    func turned(_ x: [Double]) -> [Double] { [0.6 * x[0] - 0.8 * x[1], 0.8 * x[0] + 0.6 * x[1], x[2]] }
    let c = Distribution(rows(4000, seed: 1) { turned([$0, $1, $2]) })
    let d = Distribution(rows(4000, seed: 1) { turned([3 * $0 + 2, 3 * $1, 3 * $2 - 1]) })
    #expect(abs(c.frechetDistance(to: d) - a.frechetDistance(to: b)) < 1e-4)
  }

  /// Features without a common axis: numpy's eigenvalues of the covariances' product give this.
  @Test func covariancesNeedNotCommute() {
    let a = Distribution(.f32([3, 2], [0, 0, 2, 0, 1, 3])), b = Distribution(.f32([3, 2], [0, 0, 1, 1, 5, 2]))
    #expect(abs(a.frechetDistance(to: b) - 5.788897449) < 1e-8)
  }

  /// Pictures of the data are near, noise is far, and noise that is laid over pictures is between.
  @Test func noiseIsFartherThanPictures() throws {
    let pictures = try Pictures(fixture("../../../models/digits/data"), training: true, count: 600)
    let quality = try FeatureDistance(pictures)
    let others = try Pictures(fixture("../../../models/digits/data"), training: false, count: 300).images
    var generator = Generator(seed: 3)
    let noise = try generator.rand(300, 1, 28, 28).numbers()
    let between = try (Tensor(others) * 0.7 + Tensor(noise) * 0.3).numbers()
    let (near, middle, far) = (try quality(others), try quality(between), try quality(noise))
    #expect(near < middle && middle < far && far > 10 * near, "\(near), \(middle), \(far)")
  }
}
