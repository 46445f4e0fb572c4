import Foundation

extension String {
  /// The parts of a list with commas between, without the spaces around them.
  var listed: [String] { split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty } }
}
