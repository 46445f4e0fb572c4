/// A regular expression, as RE2 writes them. Which way of matching is preferred (`*?` or `*`) does not matter to whether a whole text matches.
indirect enum Pattern: Hashable {
  case empty
  /// One code point of a set.
  case set(CodePoints)
  /// Any one byte, be it part of a code point or not.
  case byte
  case assertion(Assertion)
  case sequence([Pattern])
  case alternatives([Pattern])
  /// At least so many times, and at most so many where there is a bound.
  case repeated(Pattern, Int, Int?)

  /// What must hold between two bytes, or at an end of the text.
  enum Assertion: Hashable {
    case textBegins, textEnds, lineBegins, lineEnds, wordBoundary, noWordBoundary
  }
}
