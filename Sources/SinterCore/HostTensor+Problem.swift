extension HostTensor {
  /// Throws where its elements are not what its type and shape say.
  ///
  /// - Parameter what: the subject of the error.
  package func demandSound(_ what: String) throws(DiagnosticError) {
    if let problem { throw DiagnosticError(.user, "tensor.elements", "\(what) is no \(type): \(problem)") }
  }

  /// What keeps its elements from being what its type and shape say; nil for a sound tensor.
  package var problem: String? {
    if shape.contains(where: { $0 < 0 }) { return "\(shape) is no shape" }
    let count = shape.reduce((1, false)) { total, size in
      let (product, overflows) = total.0.multipliedReportingOverflow(by: size)
      return (product, total.1 || overflows)
    }
    if count.1 { return "the shape \(shape) has more elements than can be counted" }
    if element == .string {
      return strings.count == count.0
        ? nil : "the shape \(shape) has \(count.0) elements, but there are \(strings.count)"
    }
    let expected = element.byteCount(count.0)
    if bytes.count == expected { return nil }
    if element.bits >= 8 {
      return
        "the shape \(shape) has \(count.0) elements of type \(element), but there are \(bytes.count / (element.bits / 8))"
    }
    return "the shape \(shape) of \(element) takes \(expected) bytes, but there are \(bytes.count)"
  }
}
