import SinterCore
import SinterForms

/// NumPy's broadcasting, with sizes that may be known only at run time.
///
/// Two sizes that cannot be told apart ahead of time may still be one and one, or one and n: the result has their joint size, and
/// an operand's index is zero wherever its size turns out to be one.
enum Broadcast {
  /// The joint shape of operands that have been found to broadcast.
  static func shape(_ a: [Dim], _ b: [Dim]) throws -> [Dim] {
    var unchecked = Obligations()
    return try unchecked.broadcast(a, b)
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

  static func list(_ shape: [Dim]) -> String { "[" + shape.map(\.description).joined(separator: ", ") + "]" }
}

extension Obligations {
  /// The joint shape of two that broadcast to one another, aligned at their last axes.
  mutating func broadcast(_ a: [Dim], _ b: [Dim]) throws -> [Dim] {
    let rank = max(a.count, b.count)
    return try (0..<rank).map { axis in
      let x = axis + a.count < rank ? Dim(1) : a[axis + a.count - rank]
      let y = axis + b.count < rank ? Dim(1) : b[axis + b.count - rank]
      return try joint(
        x, y, "sizes along axis \(axis) of shapes \(Broadcast.list(a)) and \(Broadcast.list(b)), which broadcast,")
    }
  }

  mutating func broadcast(_ shapes: [[Dim]]) throws -> [Dim] {
    try shapes.dropFirst().reduce(shapes.first ?? []) { try broadcast($0, $1) }
  }

  /// A shape broadcasts to another one, aligned at their last axes.
  mutating func broadcast(_ shape: [Dim], to target: [Dim]) throws {
    guard shape.count <= target.count else {
      throw DiagnosticError(
        .user, "broadcast",
        "shape \(Broadcast.list(shape)) has more axes than \(Broadcast.list(target)), to which it must broadcast")
    }
    for (axis, size) in shape.enumerated() {
      try broadcasts(
        size, to: target[axis + target.count - shape.count],
        "size of axis \(axis) of shape \(Broadcast.list(shape)), which broadcasts to \(Broadcast.list(target)),")
    }
  }
}
