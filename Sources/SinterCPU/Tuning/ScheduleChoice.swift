import SinterCore
import SinterForms
import SinterKernelIR

/// How one product or convolution is scheduled, where that is not left to the cost model: what tuning tries and finds.
package struct ScheduleChoice: Hashable, Sendable, CustomStringConvertible {
  enum Algorithm: Hashable, Sendable {
    /// Register tiles of this size.
    case tile(RegisterTile)
    /// The transforms with so many results along each axis.
    case winograd(results: [Int])
  }

  var algorithm: Algorithm

  init(algorithm: Algorithm) { self.algorithm = algorithm }
  package init(_ tile: RegisterTile) { algorithm = .tile(tile) }

  package var isWinograd: Bool { if case .winograd = algorithm { true } else { false } }

  var tile: RegisterTile? { if case .tile(let tile) = algorithm { tile } else { nil } }

  package var description: String {
    switch algorithm {
    case .tile(let tile): "tile \(tile.rows)x\(tile.vectors)"
    case .winograd(let results): "winograd \(results.map(String.init).joined(separator: "x"))"
    }
  }

  /// Tiles that are tried for one form, the likeliest first.
  private static let tileLimit = 8

  /// What is worth trying for a form; empty where there is nothing to choose.
  package static func candidates(
    for form: Form, result: TensorType, type: (FormValueID) -> TensorType, machine: Machine
  ) -> [ScheduleChoice] {
    func tiles(rows: Dim, columns: Dim, _ element: ElementType) -> [ScheduleChoice] {
      let lanes = machine.lanes(element, columns: columns.value)
      return RegisterTile.candidates(
        rows: TaskSplit.estimate(rows), columns: TaskSplit.estimate(columns), lanes: lanes, machine: machine
      ).prefix(tileLimit).map { ScheduleChoice(algorithm: .tile($0)) }
    }
    switch form {
    case .contract(let form):
      return tiles(rows: form.m.reduce(1, *), columns: form.n.reduce(1, *), form.accumulate)
    case .convolve(let form):
      guard form.channelsLast, !form.isTransposed, type(form.weight).shape[1] != 1 || form.groups == 1 else {
        return []
      }
      let columns = (type(form.weight).shape[0].value ?? 0) / Swift.max(form.groups, 1)
      let direct = tiles(rows: result.shape.dropLast().reduce(1, *), columns: Dim(columns), form.accumulate)
      guard form.groups == 1, form.accumulate == .f32 else { return direct }
      return direct
        + WinogradCandidate.candidates(form, result: result.shape).map {
          ScheduleChoice(algorithm: .winograd(results: $0.map(\.results)))
        }
    case .element, .reduce, .attend, .scan, .scatter, .sort, .call: return []
    }
  }
}
