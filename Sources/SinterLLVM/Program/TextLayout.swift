import SinterCore

/// Where the weights hold the texts that a program knows by number: all their bytes, and as i64 where each begins, and the last one ends.
struct TextLayout {
  let count: Int
  let bytesOffset: Int
  let boundsOffset: Int

  /// Nil where there is no text but the empty one, which every table has.
  init?(_ table: TextTable, _ weights: inout WeightLayout) {
    guard table.count > 1 else { return nil }
    count = table.count
    var bytes: [UInt8] = []
    var bounds: [Int64] = [0]
    for text in table.texts {
      bytes += text.utf8
      bounds.append(Int64(bytes.count))
    }
    let numbers = HostTensor(.i64, [bounds.count], values: bounds).bytes
    boundsOffset = weights.add(numbers, count: numbers.count)
    bytesOffset = weights.add(HostTensor(.u8, [bytes.count], values: bytes).bytes, count: bytes.count)
  }
}
