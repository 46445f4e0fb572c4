import Foundation
import Sinter
internal import SwiftCSV

/// A table of text from a CSV file (RFC 4180), by the names of its columns.
///
///     let table = try Table(reading: "iris.csv")
///     let x = try table.numbers(["sepal_length", "sepal_width"])    // f32 [150, 2]
///     let (y, species) = try table.classes("species")               // i64 [150] and the texts that they stand for
public struct Table: Sendable {
  /// The names of columns, in order.
  public let columns: [String]
  /// The cells as they are written, row by row.
  public let rows: [[String]]
  private let path: String

  /// - Parameters:
  ///   - delimiter: what stands between fields.
  ///   - hasHeader: whether the first line has the columns' names; without, they are called `0`, `1` and so on. Errors count rows from 1, below it.
  /// - Throws: where the file cannot be read, is no text, quotes wrongly, or has rows of other lengths than the first: all of them, up to ten.
  public init(reading path: String, delimiter: Character = ",", hasHeader: Bool = true) throws {
    let file = try MappedFile(path)
    guard let text = withExtendedLifetime(file, { String(validating: file.contents, as: UTF8.self) }) else {
      throw DiagnosticError(.user, "csv.text", "\(path) is no UTF-8 text", hint: "save it as UTF-8")
    }
    try self.init(text, path, delimiter, hasHeader)
  }

  /// The same from text.
  public init(_ text: String, name: String = "the table", delimiter: Character = ",", hasHeader: Bool = true) throws {
    try self.init(text, name, delimiter, hasHeader)
  }

  private init(_ text: String, _ path: String, _ delimiter: Character, _ hasHeader: Bool) throws {
    func wrong(_ what: String) -> DiagnosticError { DiagnosticError(.user, "csv.format", "\(path): \(what)") }
    guard text.utf8.count(where: { $0 == UInt8(ascii: "\"") }) % 2 == 0 else {
      throw wrong("a quotation is not closed")
    }
    var rows: [[String]] = []
    do {
      let csv = try EnumeratedCSV(
        string: text, delimiter: .character(delimiter), loadColumns: false, rowLimit: 0)
      rows = try Collected.rows(of: csv)
    } catch let error as CSVParseError {
      switch error {
      case .generic(let message), .quotation(let message): throw wrong(message)
      }
    }
    // Lines without anything are none.
    rows.removeAll { $0 == [""] || $0.isEmpty }
    guard let first = rows.first else { throw wrong("the table is empty") }
    // A field that ends the text may be left out by the reader where it is empty.
    rows = rows.map { $0.count == first.count - 1 && text.last == delimiter && $0 == rows.last ? $0 + [""] : $0 }
    var problems: [Diagnostic] = []
    for (number, row) in rows.enumerated() where row.count != first.count {
      problems.append(
        Diagnostic(
          .user, "csv.row",
          "\(path): row \(number + (hasHeader ? 0 : 1)) has \(row.count) fields, but the first has \(first.count)"))
    }
    if !problems.isEmpty { throw DiagnosticError(Array(problems.prefix(10))) }
    let names = first.map { $0.trimmingCharacters(in: .whitespaces) }
    if hasHeader, let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw wrong("there are two columns \"\(twice)\"")
    }
    columns = hasHeader ? names : first.indices.map(String.init)
    self.rows = hasHeader ? Array(rows.dropFirst()) : rows
    self.path = path
  }

  /// The texts of a column.
  ///
  /// - Throws: where there is no such column, telling which there are.
  public func texts(_ column: String) throws -> [String] {
    let place = try self.place(column)
    return rows.map { $0[place] }
  }

  /// Columns of numbers side by side: f32 [rows, columns] by default. All columns where none are named.
  ///
  /// - Throws: every field that is no number of the type, up to ten, with its row and column: as integers, 1.5, nan and what lies beyond 2^53 are none.
  public func numbers(_ names: [String]? = nil, as element: ElementType = .f32) throws -> HostTensor {
    let names = names ?? columns
    let places = try names.map { try place($0) }
    var (values, problems) = ([Double](), [Diagnostic]())
    values.reserveCapacity(rows.count * places.count)
    for (number, row) in rows.enumerated() {
      for (name, place) in zip(names, places) {
        let text = row[place].trimmingCharacters(in: .whitespaces)
        if let value = Double(text), element.holds(value) {
          values.append(value)
        } else if problems.count < 10 {
          problems.append(
            Diagnostic(
              .user, "csv.number",
              "\(path): row \(number + 1) of column \"\(name)\" must be \(element.isInteger ? "an integer of type \(element)" : "a number"), but is \(text.isEmpty ? "empty" : "\"\(text)\"")"
            ))
        }
      }
    }
    if !problems.isEmpty { throw DiagnosticError(problems) }
    return HostTensor(element, [rows.count, places.count], doubles: values)
  }

  /// A column of classes as numbers, i64 [rows], with the texts that they stand for, in the order of the texts.
  public func classes(_ column: String) throws -> (labels: HostTensor, names: [String]) {
    let texts = try texts(column).map { $0.trimmingCharacters(in: .whitespaces) }
    let names = Set(texts).sorted()
    let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    return (.i64([texts.count], texts.map { numbers[$0] ?? 0 }), names)
  }

  private func place(_ column: String) throws -> Int {
    guard let place = columns.firstIndex(of: column) else {
      throw DiagnosticError(
        .user, "csv.column", "\(path) has no column \"\(column)\"", hint: "it has \(columns.joined(separator: ", "))")
    }
    return place
  }
}

extension ElementType {
  /// Whether a number from a text is one of this type: for floats any is, rounded. Integers must be whole, in the type's range, and such that f64, by
  /// which they are read, has each of them.
  fileprivate func holds(_ value: Double) -> Bool {
    guard isInteger else { return true }
    let isSigned = kind == .signed
    let limit = min(0x1p53, Double(sign: .plus, exponent: isSigned ? bits - 1 : bits, significand: 1))
    return value == value.rounded(.towardZero) && value >= (isSigned ? -limit : 0) && value < limit
  }
}

/// Rows from a reader that hands them to a function.
private final class Collected {
  var rows: [[String]] = []

  static func rows(of csv: EnumeratedCSV) throws -> [[String]] {
    let collected = Collected()
    try csv.enumerateAsArray(startAt: 0, rowLimit: nil) { collected.rows.append($0) }
    return collected.rows
  }
}
