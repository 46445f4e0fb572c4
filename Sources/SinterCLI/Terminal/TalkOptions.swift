import ArgumentParser

/// How much a command says besides its results.
struct TalkOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Say nothing but results and errors.")
  var quiet = false

  @Flag(
    name: .shortAndLong, help: "Say on standard error how far the work is and what each stage took, in a pipe as well.")
  var verbose = false

  func validate() throws {
    if quiet, verbose { throw ValidationError("give either --quiet or --verbose") }
    Terminal.detail = quiet ? .quiet : verbose ? .verbose : .normal
  }
}
