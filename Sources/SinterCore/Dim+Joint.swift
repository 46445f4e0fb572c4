extension Dim {
  /// The size that axes of sizes `a` and `b` broadcast to under NumPy's rules: `b` where `a` is one, else `a`.
  ///
  /// It presumes that they do broadcast: that they are equal, or one of them is one. What is certainly not one is then the result.
  public static func joint(_ a: Dim, _ b: Dim) -> Dim {
    if a == b { return a }
    if a.isOverflow || b.isOverflow { return .overflow }
    if a.value == 1 { return b }
    if b.value == 1 { return a }
    var members = (a.jointMembers + b.jointMembers).sorted { order($0, $1) < 0 }
    // Where several are certain, each is as good: the first one, whatever the order of construction.
    if let certain = members.first(where: \.isNotOne) { return certain }
    for index in members.indices.dropFirst().reversed() where members[index] == members[index - 1] {
      members.remove(at: index)
    }
    return members.dropLast().reversed().reduce(members[members.count - 1]) { Dim(atom: .joint($1, $0)) }
  }

  private var jointMembers: [Dim] {
    guard case .joint? = atom, let atom else { return [self] }
    return atom.members
  }

  /// Whether this is zero, or two or more, or less than zero, for certain.
  private var isNotOne: Bool {
    let bounds = certainBounds
    return (bounds.lower ?? 0) >= 2 || (bounds.upper ?? 1) <= 0
  }

  /// The place along an axis that `index` names: it counts from the end, `index + size`, where it is negative.
  public static func place(_ index: Dim, in size: Dim) -> Dim {
    if index.isOverflow || size.isOverflow { return .overflow }
    let bounds = index.certainBounds
    if let lower = bounds.lower, lower >= 0 { return index }
    if let upper = bounds.upper, upper < 0 { return index + size }
    if size.value == 0 { return index }
    let fromEnd = index + size
    // Both are zero.
    if fromEnd.value == 0, bounds.upper == 0 { return 0 }
    return Dim(atom: .place(index, size))
  }

  /// The start or end of a slice: the place that `index` names, moved to `upper` where it is greater, then to `lower` where it is less.
  public static func place(_ index: Dim, in size: Dim, from lower: Dim, to upper: Dim) -> Dim {
    max(min(place(index, in: size), upper), lower)
  }
}
