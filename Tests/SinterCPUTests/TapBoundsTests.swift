import SinterCore
import Testing

@testable import SinterForms
@testable import SinterCPU

@Suite struct TapBoundsTests {
  private static func form(_ window: [Int], dilation: Int = 1, pad: Int, stride: Int = 1) -> ConvolveForm {
    let ones = [Int](repeating: 1, count: window.count)
    return ConvolveForm(
      input: FormValueID(0), weight: FormValueID(1), window: window, strides: ones.map { $0 * stride },
      dilations: ones.map { $0 * dilation }, padsBegin: ones.map { _ in Dim(pad) }, groups: 1, channelsLast: true,
      accumulate: .f32)
  }

  private static func meetings(_ form: ConvolveForm, _ spatial: [Dim], result: [Dim]? = nil) -> TapMeetings {
    TapMeetings(form, input: [1] + spatial + [64], result: [1] + (result ?? spatial) + [64])
  }

  @Test func smallerTilesMeetFewerTaps() {
    // The first and the last taps meet a quarter of the places along each axis.
    let wide = Self.meetings(Self.form([3, 3], dilation: 12, pad: 12), [16, 16])
    for rows in [1, 2, 4] {
      #expect(abs(wide.unmet(0, rows: rows) - 1 / 2) < 1e-9)
      #expect(abs(wide.unmet(1, rows: rows) - 1 / 2) < 1e-9)
    }
    #expect(abs(wide.unmet(0, rows: 8) - 1 / 2) < 1e-9)
    #expect(abs(wide.unmet(1, rows: 8) - 1 / 3) < 1e-9)
    #expect(wide.unmet(1, rows: 16) == 0)
    #expect(wide.cost(rows: 4, .x86_64_v4) < wide.cost(rows: 8, .x86_64_v4))
    #expect(wide.cost(rows: 8, .x86_64_v4) < wide.cost(rows: 12, .x86_64_v4))
    #expect(wide.cost(rows: 4, .x86_64_v4) < wide.cost(rows: 2, .x86_64_v4))
  }

  @Test func littlePaddingIsNotWorthBounds() {
    let large = Self.meetings(Self.form([3, 3], pad: 1), [56, 56])
    #expect(large.unmet(0, rows: 8) == 0)
    #expect((1...16).allSatisfy { large.cost(rows: $0, .x86_64_v4) == 1 })
    let none = Self.meetings(Self.form([3, 3], pad: 0), [16, 16], result: [14, 14])
    #expect(none.unmet(0, rows: 7) == 0)
  }

  @Test func framesCount() {
    let two = Self.meetings(Self.form([3, 3, 3], pad: 1), [2, 28, 28])
    #expect(abs(two.unmet(0, rows: 14) - 1 / 3) < 1e-9)
    #expect(two.unmet(1, rows: 14) == 0)
  }

  @Test func boundedLoopsStandApart() {
    let (channels, line) = (64, 40 * 64)
    func window(_ dilation: Int) -> [TileKernel.Reduction] {
      [
        .init(extent: 3, lhsStride: Dim(dilation * line), rhsStride: Dim(3 * channels)),
        .init(extent: 3, lhsStride: Dim(dilation * channels), rhsStride: Dim(channels)),
        .init(extent: Dim(channels), lhsStride: 1, rhsStride: 1),
      ]
    }
    func loops(_ dilation: Int, _ spatial: [Dim], rows: Int, stepCycles: Double = 12) -> [Dim] {
      TapBounds(
        Self.meetings(Self.form([3, 3], dilation: dilation, pad: dilation), spatial), window: window(dilation),
        rows: rows,
        stepCycles: stepCycles, splitsLast: true
      ).loops.map(\.extent)
    }
    #expect(loops(12, [16, 16], rows: 4) == [3, 3, 64])
    #expect(loops(1, [7, 7], rows: 7) == [3, 192])
    // Tiles of a pixel leave out taps along the line as well.
    #expect(loops(1, [7, 7], rows: 1, stepCycles: 4) == [3, 3, 64])
    #expect(loops(1, [56, 56], rows: 8) == [3, 192])
  }
}
