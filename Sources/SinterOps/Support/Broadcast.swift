import SinterCore
import SinterKernel

/// NumPy's broadcasting, with sizes that may be known only at run time.
///
/// Two sizes that cannot be told apart ahead of time may still be one and one, or one and n: the result is then as long as the greater, and
/// an operand's index is zero wherever its size turns out to be one.
enum Broadcast {
  /// The joint shape. Throws where two constant sizes differ and none is one.
  static func shape(_ a: [Dim], _ b: [Dim]) throws -> [Dim] {
    let rank = max(a.count, b.count)
    return try (0..<rank).map { axis in
      let x = axis + a.count < rank ? Dim(1) : a[axis + a.count - rank]
      let y = axis + b.count < rank ? Dim(1) : b[axis + b.count - rank]
      if x == y || y == 1 { return x }
      if x == 1 { return y }
      switch (x.value, y.value) {
      case (let p?, let q?):
        throw DiagnosticError(
          .user, "broadcast",
          "shapes [\(list(a))] and [\(list(b))] do not broadcast: \(p) and \(q) differ at axis \(axis)",
          hint: "make the sizes equal, or one of them 1")
      case (_?, nil): return x
      case (nil, _?): return y
      case (nil, nil): return Dim.max(x, y)
      }
    }
  }

  static func shape(of shapes: [[Dim]]) throws -> [Dim] {
    try shapes.dropFirst().reduce(shapes.first ?? []) { try shape($0, $1) }
  }

  /// The index of an operand's element for an index of the joint shape.
  static func index(_ builder: BodyBuilder, _ index: [Expr], of joint: [Dim], into own: [Dim]) -> [Expr] {
    own.indices.map { axis in
      let at = axis + joint.count - own.count
      if own[axis] == 1 { return builder.constant(0, .i64) }
      if own[axis] == joint[at] || own[axis].isConstant { return index[at] }
      return builder.select(
        builder.size(own[axis]) .== builder.constant(1, .i64), builder.constant(0, .i64), index[at])
    }
  }

  private static func list(_ shape: [Dim]) -> String { shape.map(\.description).joined(separator: ", ") }
}
