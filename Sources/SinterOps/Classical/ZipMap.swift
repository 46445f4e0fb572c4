import SinterCore
import SinterIR

extension OnnxRule {
  /// Scores by class as a sequence of maps, one for each row, that all have the same keys: the matrix of scores stays as it is, and becomes maps
  /// where a library gives it to its caller.
  static let zipMap = OnnxRule(values: "ZipMap", domain: .ml) { node, builder in
    let keys = ClassLabels(
      numbers: node.ints("classlabels_int64s") ?? [], texts: node.strings("classlabels_strings") ?? [])
    let rows = try builder.rows(try node.tensorValue(0), of: "ZipMap")
    let type = try builder.type(rows)
    try builder.require(by: "ZipMap") {
      try $0.equal(type.shape[1], Dim(keys.count), "number of columns of \(type) and of keys")
    }
    return [.maps(keys: builder.constant(keys.tensor), values: rows)]
  }
}
