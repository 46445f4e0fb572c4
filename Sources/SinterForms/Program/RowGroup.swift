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
  /// One value of the group and how it is computed.
  public struct Member: Sendable {
    /// The value that the form computes.
    public var value: FormValueID
    /// How it is computed; only element forms and reductions along the row's rest, or the contraction that a group
    /// begins with.
    public var form: Form
    /// A member of a group.
    public init(value: FormValueID, form: Form) {
      self.value = value
      self.form = form
    }
  }
  /// Sizes of the leading axes that all members share.
  public var rows: [Dim]
  /// In the order of computation.
  public var members: [Member]
  /// The members that others read, or that are outputs of the program.
  public var stored: [FormValueID]

  /// A group of members that are computed row by row.
  public init(rows: [Dim], members: [Member], stored: [FormValueID]) {
    self.rows = rows
    self.members = members
    self.stored = stored
  }
}
