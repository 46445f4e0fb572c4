import SinterCore
import SinterIR

extension GraphBuilder {
  /// [batch, length, heads · size] as [batch, heads, length, size].
  mutating func splitHeads(_ x: ValueID, _ heads: Int, by op: String) throws -> ValueID {
    let type = try type(x)
    guard type.rank == 3, heads > 0 else {
      throw DiagnosticError(
        .user, "attention.rank", "expected [batch, length, \(heads) heads times size], but is \(type)")
    }
    try require(by: op) {
      try $0.divisible(type.shape[2], by: Dim(heads), "size of the last axis of \(type), of \(heads) heads,")
    }
    let apart = try add1(Reshape(), [x, try partition(x, [integers([heads]), try quotient(x, integers([heads]))])])
    return try add1(Transpose([0, 2, 1, 3]), [apart])
  }

  /// [batch, length, heads · size] as [batch, heads, length, size], of heads of a size, which is an i64 of one entry.
  mutating func splitHeads(_ x: ValueID, ofSize size: ValueID) throws -> ValueID {
    let apart = try add1(Reshape(), [x, try partition(x, [try quotient(x, size), size])])
    return try add1(Transpose([0, 2, 1, 3]), [apart])
  }

  /// [batch, heads, length, size] as [batch, length, heads · size].
  mutating func joinHeads(_ x: ValueID) throws -> ValueID {
    let width = try add1(Binary(.multiply), [try size(of: x, along: 1), try size(of: x, along: 3)])
    let turned = try add1(Transpose([0, 2, 1, 3]), [x])
    return try add1(Reshape(), [turned, try partition(turned, [width])])
  }

  /// The shape of a value whose axes from the third one on are others. Numbers are known as far as they follow from known ones.
  private mutating func partition(_ x: ValueID, _ behind: [ValueID]) throws -> ValueID {
    try add1(Concat(axis: 0), [integers([0, 0])] + behind)
  }

  private mutating func quotient(_ x: ValueID, _ divisor: ValueID) throws -> ValueID {
    try add1(Binary(.divide), [try size(of: x, along: 2), divisor])
  }

  /// The size of a value along an axis, as an i64 of one entry.
  mutating func size(of x: ValueID, along axis: Int) throws -> ValueID {
    var shape = Shape()
    (shape.start, shape.end) = (axis, axis + 1)
    return try add1(shape, [x])
  }

  /// 0, 1, … below a count, which is an i64 of one entry.
  mutating func places(below count: ValueID) throws -> ValueID {
    let scalar = try add1(Squeeze(), [count, integers([0])])
    return try add1(Range(), [try self.scalar(0, .i64), scalar, try self.scalar(1, .i64)])
  }
}
