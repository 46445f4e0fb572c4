import Sinter
import Testing

@Suite struct PaddedSequenceTests {
  @Test func shorterSequencesAreFilled() throws {
    let rows: [HostTensor] = [.f32([2, 2], [1, 2, 3, 4]), .f32([0, 2], []), .f32([3, 2], [5, 6, 7, 8, 9, 10])]
    let (batch, lengths) = try padSequence(rows, batchFirst: true, value: -1)
    #expect(batch.shape == [3, 3, 2] && lengths.integers == [2, 0, 3])
    #expect(batch.doubles == [1, 2, 3, 4, -1, -1, -1, -1, -1, -1, -1, -1, 5, 6, 7, 8, 9, 10])
    let (steps, _) = try padSequence([.i64([1], [7]), .i64([2], [8, 9])])
    #expect(steps.shape == [2, 2] && steps.integers == [7, 8, 0, 9])
  }

  @Test func whatDoesNotFitIsToldTogether() throws {
    let error = #expect(throws: DiagnosticError.self) {
      try padSequence([.f32([1, 2], [1, 2]), .f32([1, 3], [1, 2, 3]), .i64([1, 2], [1, 2])])
    }
    #expect(error?.diagnostics.count == 2)
    #expect(throws: DiagnosticError.self) { try padSequence([]) }
  }
}
