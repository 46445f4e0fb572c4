/// Deals requests out to versions by weight: of any so many in a row as the weights add up to, each version gets exactly its weight, and as evenly
/// spread as that allows.
package struct TrafficSplit: Sendable {
  private var shares: [(version: String, weight: Int, credit: Int)]

  /// - Parameter weights: not negative, and not all zero.
  package init(_ weights: [String: Int]) {
    shares = weights.filter { $0.value > 0 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value, 0) }
  }

  /// Nil where there are no versions.
  package mutating func next() -> String? {
    let total = shares.reduce(0) { $0 + $1.weight }
    for index in shares.indices { shares[index].credit += shares[index].weight }
    guard let best = shares.indices.max(by: { shares[$0].credit < shares[$1].credit }) else { return nil }
    shares[best].credit -= total
    return shares[best].version
  }
}
