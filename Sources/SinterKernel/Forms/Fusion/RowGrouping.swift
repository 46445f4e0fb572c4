import SinterCore

/// Gathers reductions over rows, and the element work around them, into groups that are computed row by row.
struct RowGrouping {
  static func group(
    _ steps: [FormProgram.Step], outputs: Set<FormValueID>, values: EntityMap<FormValueID, FormProgram.Value>,
    report: inout FusionReport
  ) -> [FormProgram.Step] {
    steps
  }
}
