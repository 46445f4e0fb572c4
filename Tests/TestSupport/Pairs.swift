import Testing

/// Elements of two lists side by side. Where one list is longer an issue is recorded: `zip` alone would leave what is missing uncompared.
package func pairs<A: Collection, B: Collection>(
  _ given: A, _ expected: B, _ place: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
) -> Zip2Sequence<A, B> {
  if given.count != expected.count {
    let place = place()
    Issue.record(
      "\(place)\(place.isEmpty ? "" : ": ")\(given.count) elements, expected \(expected.count)",
      sourceLocation: sourceLocation)
  }
  return zip(given, expected)
}
