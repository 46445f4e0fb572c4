import ArgumentParser

/// Sizes on the command line, each with one number or several: `batch=1,8 length=128`.
struct SizeChoices {
  /// Each as one list of `symbol=size`; the last symbol changes fastest.
  let combinations: [[String]]

  init(_ arguments: [String]) throws {
    var combinations: [[String]] = [[]]
    var names: Set<Substring> = []
    for argument in arguments {
      let parts = argument.split(separator: "=", maxSplits: 1)
      let numbers = parts.count == 2 ? parts[1].split(separator: ",", omittingEmptySubsequences: false) : []
      guard !numbers.isEmpty, numbers.allSatisfy({ Int($0).map { $0 >= 0 } ?? false }) else {
        throw ValidationError("\"\(argument)\" is not of the form symbol=size, as in batch=1 or batch=1,8")
      }
      guard names.insert(parts[0]).inserted else {
        throw ValidationError("\(parts[0]) has sizes twice; give them with commas between, as in batch=1,8")
      }
      combinations = combinations.flatMap { known in numbers.map { known + ["\(parts[0])=\($0)"] } }
    }
    self.combinations = combinations
  }
}
