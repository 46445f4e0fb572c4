import Foundation
import Testing

/// What schedules know of a processor stands in `SinterCPU/Machine`.
@Suite struct MachineNumberTests {
  /// Numbers that may stand elsewhere, by file, since they are no processor's: how work is cut, and what types and stacks hold.
  static let allowed: [String: Set<Int>] = [
    // 32-bit indices.
    "BodyEmitter+Loads.swift": [1 << 31],
    // Whole numbers that f32 holds.
    "BlockSchedule.swift": [1 << 24],
    // Numbers for axes that are no other's.
    "RowSharing.swift": [1 << 16],
    // The stack of a thread.
    "RowsSchedule.swift": [128 << 10],
    // Elements of a task: sums are added in an order that follows from them, the same on all processors.
    "ReducePlan.swift": [2048, 4096, 16384], "ReduceSchedule.swift": [16384],
    // More phases are done one by one, more tiles count as many; what a library may take of memory.
    "TransposedSchedule.swift": [1 << 12], "WinogradPlan.swift": [4096], "WinogradBudget.swift": [28 << 20],
  ]
  /// Smaller numbers are counts of rows, vectors and tasks.
  static let least = 1500

  @Test func noProcessorsNumberStandsOutsideTheTable() throws {
    for file in try SourceTree.swiftFiles(of: "SinterCPU") where !file.path.contains("/SinterCPU/Machine/") {
      let name = file.lastPathComponent
      let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
      for (number, line) in lines.enumerated() {
        let code = line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line
        for value in Self.literals(code) where value >= Self.least {
          #expect(
            Self.allowed[name]?.contains(value) ?? false,
            "\(name):\(number + 1): \(value): a processor's number belongs to Machine, any other into this test's list")
        }
      }
    }
  }

  @Test func findsLiterals() {
    #expect(
      Self.literals("a = 96 << 10; b2048 = 4_096 + x.1999 - f(2000.0, 1 << n, \"3000\")") == [98304, 4096, 2000, 1])
  }

  /// Whole numbers as they are written, those of shifts multiplied out. Digits of names and fractions count for nothing.
  static func literals(_ code: Substring) -> [Int] {
    code.replacing(/"[^"]*"/, with: "").matches(of: /(?:^|[^\w.])([0-9][0-9_]*)(?:\.[0-9_]+)?(?: << ([0-9]+)\b)?/)
      .compactMap {
        let value = Int($0.1.filter { $0 != "_" })
        return $0.2.flatMap { Int($0) }.flatMap { shift in value.map { $0 << shift } } ?? value
      }
  }
}
