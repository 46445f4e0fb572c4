import SinterCore

/// Forms over the same rows, computed together row by row, so that a row stays in cache between them: softmax, layer norm.
///
/// The shape of each member begins with the axes `rows`. A member is an element form, or a reduce form whose shape holds one
/// element per row (`rows`, then ones) and whose body runs over the rest of the row. A member reads an earlier one at its own row only:
/// the first `rows.count` indices of such a load are the axes themselves. Values that are not listed in `stored` are read by
/// members alone and need no memory beyond one row.
///
/// Or the first member is a contraction that only the others read, and they are element forms of one shape, each element of which needs
/// a few columns of the product and else what the group has at its own place: the gates of a recurrent cell, gated linear units.
public struct RowGroup: Sendable {
  public struct Member: Sendable {
    public var value: FormValueID
    public var form: Form
    public init(value: FormValueID, form: Form) {
      self.value = value
      self.form = form
    }
  }
  public var rows: [Dim]
  /// In the order of computation.
  public var members: [Member]
  /// The members that others read, or that are outputs of the program.
  public var stored: [FormValueID]

  public init(rows: [Dim], members: [Member], stored: [FormValueID]) {
    self.rows = rows
    self.members = members
    self.stored = stored
  }
}
