extension Dim {
  public static func joint(_ a: Dim, _ b: Dim) -> Dim { a.isConstant && a != 1 ? a : b.isConstant && b != 1 ? b : max(a, b) }
  public var isOverflow: Bool { false }
}
