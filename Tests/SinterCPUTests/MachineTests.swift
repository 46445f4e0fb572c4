import SinterCore
import Testing

@testable import SinterCPU

/// The table of machines, and that schedules go by it.
@Suite struct MachineTests {
  @Test func rowsKeepTheirInstructionSet() {
    for name in Machine.processors {
      for base in [Machine.x86_64_v4, .x86_64_v3] {
        let row = Machine.row(of: name, on: base)
        #expect(row.name == name)
        #expect(row.vectorBits == base.vectorBits && row.vectorRegisters == base.vectorRegisters)
        #expect(row.hasMasks == base.hasMasks && row.hasMultiplyAdd == base.hasMultiplyAdd)
        for number in Machine.numbers {
          #expect(number.range.contains(number.value(row)), "\(name): \(number.key)")
          #expect(!number.isWhole || number.value(row) == number.value(row).rounded(), "\(name): \(number.key)")
        }
        #expect(row.tileRates.allSatisfy { $0.rate > 0 && $0.rate <= 1 })
        #expect(row.tileRates.isEmpty || row.tileRates.contains { $0.rate == 1 })
      }
    }
    #expect(Machine.row(of: "unknown", on: .x86_64_v3) == .x86_64_v3)
  }

  @Test func numbersAreSetAsTheyAreRead() {
    for (index, number) in Machine.numbers.enumerated() {
      var machine = Machine.generic
      let value = number.range.lowerBound + Double(index) / (number.isWhole ? .infinity : 100)
      number.set(&machine, value)
      #expect(number.value(machine) == value, "\(number.key)")
      for other in Machine.numbers where other.key != number.key {
        #expect(other.value(machine) == other.value(.generic), "\(other.key) changed with \(number.key)")
      }
    }
  }

  @Test func measuredRatesSteerTiles() {
    func tile(_ rates: [TileRate]) -> RegisterTile {
      var machine = Machine.x86_64_v4
      machine.tileRates = rates
      return RegisterTile.choose(rows: 128, columns: 768, lanes: 16, machine: machine, depth: 768)
    }
    #expect(tile([]).vectors == 2)
    #expect(tile([TileRate(13, 2, 0.8), TileRate(8, 3, 1), TileRate(6, 4, 0.7)]) == RegisterTile(rows: 8, vectors: 3))
    // A tile without a figure goes by its neighbour with as many vectors.
    #expect(tile([TileRate(14, 2, 0.7), TileRate(9, 3, 0.7), TileRate(5, 4, 1)]).vectors == 4)
  }

  /// Which decides how products of few rows are cut.
  @Test func operationsPerByteFollowFromBandwidth() {
    for machine in [Machine.x86_64_v4, .x86_64_v3, .x86_64_v2, .generic] { #expect(machine.operationsPerByte == 2) }
    #expect(Machine.row(of: "sapphirerapids", on: .x86_64_v4).operationsPerByte == 6)
    #expect(Machine.row(of: "cascadelake", on: .x86_64_v4).operationsPerByte == 7)
  }

  @Test func latencyAndIssueAskForStreams() {
    var machine = Machine.x86_64_v4
    let tile = RegisterTile(rows: 1, vectors: 4)
    #expect(tile.streams(machine) == 2)
    machine.multiplyAddLatency = 6
    #expect(tile.streams(machine) == 3)
    machine.multiplyAddsPerCycle = 1
    #expect(tile.streams(machine) == 2)
  }
}
