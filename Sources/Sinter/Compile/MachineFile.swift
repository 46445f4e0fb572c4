import Foundation
import SinterCPU
import SinterCore

/// A row of the table of machines in a file: what `sinter tune-machine` writes and `--machine` reads.
///
/// A JSON object: `name`, any of `Machine.numbers`, and `tileRates`, a list of objects with `rows`, `vectors` and `rate`. What is left out stays as
/// the row of the processor that is compiled for has it.
package enum MachineFile {
  /// The numbers of a file in place of those of a row. Throws all that is wrong with the file.
  package static func read(_ path: String, over row: Machine) throws -> Machine {
    try parse(Data(Files.contents(of: path)), over: row, path: path)
  }

  package static func parse(_ data: Data, over row: Machine, path: String) throws -> Machine {
    guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
      throw DiagnosticError(
        .user, "machine.json", "\(path) is no JSON object", hint: "sinter tune-machine -o FILE writes such a file")
    }
    var machine = row
    var problems: [Diagnostic] = []
    func fail(_ key: String, _ text: String) {
      problems.append(Diagnostic(.user, "machine.\(key)", "\(path): \(key) \(text)"))
    }
    let numbers = Dictionary(uniqueKeysWithValues: Machine.numbers.map { ($0.key, $0) })
    for (key, value) in object.sorted(by: { $0.key < $1.key }) {
      if key == "name" {
        if let name = value as? String, !name.isEmpty { machine.name = name } else { fail(key, "must be a text") }
      } else if key == "tileRates" {
        guard let data = try? JSONSerialization.data(withJSONObject: value),
          let rates = try? JSONDecoder().decode([TileRate].self, from: data),
          rates.allSatisfy({
            (1...64).contains($0.rows) && (1...64).contains($0.vectors) && $0.rate > 0 && $0.rate <= 1
          })
        else {
          fail(key, "must be a list of objects with rows and vectors between 1 and 64 and a rate between 0 and 1")
          continue
        }
        machine.tileRates = rates
      } else if let number = numbers[key] {
        guard let given = value as? Double, number.range.contains(given), !number.isWhole || given == given.rounded()
        else {
          let kind = number.isWhole ? "a whole number" : "a number"
          fail(key, "must be \(kind) between \(text(number.range.lowerBound)) and \(text(number.range.upperBound))")
          continue
        }
        number.set(&machine, given)
      } else {
        let known = (["name", "tileRates"] + numbers.keys).sorted().joined(separator: ", ")
        problems.append(
          Diagnostic(
            .user, "machine.key", "\(path) has the key \(key), which no machine has", hint: "known are \(known)"))
      }
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    return machine
  }

  /// The file of a row.
  package static func text(of machine: Machine) throws -> String {
    var object: [String: Any] = ["name": machine.name]
    for number in Machine.numbers { object[number.key] = number.value(machine) }
    object["tileRates"] = try JSONSerialization.jsonObject(with: JSONEncoder().encode(machine.tileRates))
    let data = try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys])
    return String(decoding: data, as: UTF8.self) + "\n"
  }

  /// For people: each number with its meaning.
  package static func table(of machine: Machine) -> String {
    let rows =
      [
        ("name", machine.name, "the row of the table"),
        (
          "vectors", "\(machine.vectorRegisters) of \(machine.vectorBits) bits",
          machine.hasMasks ? "with masks" : "without masks"
        ),
      ]
      + Machine.numbers.map { ($0.key, text($0.value(machine)), $0.meaning) }
      + machine.tileRates.map {
        ("tile \($0.rows)x\($0.vectors)", text($0.rate), "speed beside what counting tells, the fastest being 1")
      }
    let widths = (rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0)
    return rows.map { key, value, meaning in
      key.padding(toLength: widths.0 + 2, withPad: " ", startingAt: 0)
        + String(repeating: " ", count: widths.1 - value.count) + value + "  " + meaning
    }.joined(separator: "\n") + "\n"
  }

  private static func text(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : String(format: "%.3g", value)
  }
}
