/// The number of elements of a shape that a client sent: nil where a size is negative, or where the product of the sizes, taken in order, is more
/// than an integer holds.
func elementCount(_ shape: [Int]) -> Int? {
  var count = 1
  for size in shape {
    let (product, overflows) = count.multipliedReportingOverflow(by: size)
    if size < 0 || overflows { return nil }
    count = product
  }
  return count
}
