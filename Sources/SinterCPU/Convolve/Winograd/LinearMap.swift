import SinterCore
import SinterKernelIR

/// A constant matrix times vectors in registers, written with few instructions.
///
/// Rows that differ only in the signs of some entries share their halves, and so do columns: opposite points of a `WinogradTransform` make
/// such pairs in its input matrix and its output matrix. Multiplications by one are left out.
struct LinearMap {
  let matrix: [[Double]]
  let builder: KernelBuilder

  init(_ matrix: [[Double]], _ builder: KernelBuilder) {
    self.matrix = matrix
    self.builder = builder
  }

  /// matrix · inputs.
  func callAsFunction(_ inputs: [Register]) -> [Register] {
    if let paired = byColumns(inputs) { return paired }
    var results = [Register?](repeating: nil, count: matrix.count)
    for i in matrix.indices where results[i] == nil {
      guard let j = matrix.indices.first(where: { $0 > i && results[$0] == nil && isMirror(matrix[i], matrix[$0]) })
      else {
        results[i] = sum(matrix[i], inputs)
        continue
      }
      let isSame = zip(matrix[i], matrix[j]).map { $0 == $1 }
      let same = zip(matrix[i], isSame).map { $1 ? $0 : 0 }
      let other = zip(matrix[i], isSame).map { $1 ? 0 : $0 }
      // The odd half with its last entry one; the factor goes into the two sums.
      let factor = other.last { $0 != 0 } ?? 1
      let even = sum(same, inputs)
      let odd = sum(other.map { $0 / factor }, inputs)
      results[i] = add(odd, times: factor, to: even)
      results[j] = add(odd, times: -factor, to: even)
    }
    return results.compactMap { $0 }
  }

  /// Where columns pair up and rows do not: sums and differences of the paired inputs first.
  private func byColumns(_ inputs: [Register]) -> [Register]? {
    guard let first = matrix.first else { return nil }
    func column(_ j: Int) -> [Double] { matrix.map { $0[j] } }
    var partner: [Int: Int] = [:]
    for i in first.indices where partner[i] == nil {
      guard let j = first.indices.first(where: { $0 > i && partner[$0] == nil && isMirror(column(i), column($0)) })
      else {
        continue
      }
      (partner[i], partner[j]) = (j, i)
    }
    // A square matrix pairs by rows as well; that way is cheaper there.
    guard !partner.isEmpty, matrix.count < first.count else { return nil }
    var terms: [Register] = []
    var rows = matrix.map { _ in [Double]() }
    for i in first.indices {
      guard let j = partner[i] else {
        terms.append(inputs[i])
        for row in matrix.indices { rows[row].append(matrix[row][i]) }
        continue
      }
      guard i < j else { continue }
      terms += [builder.add(inputs[i], inputs[j]), builder.subtract(inputs[i], inputs[j])]
      for row in matrix.indices {
        let isSame = matrix[row][i] == matrix[row][j]
        rows[row] += [isSame ? matrix[row][i] : 0, isSame ? 0 : matrix[row][i]]
      }
    }
    return rows.map { sum($0, terms) }
  }

  /// Whether two rows have the same entries but for signs, with both equal and opposite ones among them.
  private func isMirror(_ a: [Double], _ b: [Double]) -> Bool {
    let pairs = zip(a, b).filter { $0 != 0 || $1 != 0 }
    return pairs.allSatisfy { abs($0) == abs($1) } && pairs.contains { $0 == $1 } && pairs.contains { $0 == -$1 }
  }

  /// Σ factor · input; entries of one come first, since they begin a sum for nothing.
  private func sum(_ factors: [Double], _ inputs: [Register]) -> Register {
    let terms = zip(factors, inputs).filter { $0.0 != 0 }.sorted { $0.0 == 1 && $1.0 != 1 }
    guard let first = terms.first else {
      return builder.constant(.float(0), .f32, lanes: builder.type(inputs[0]).lanes)
    }
    let start = first.0 == 1 ? first.1 : builder.multiply(first.1, constant(first.0, like: first.1))
    return terms.dropFirst().reduce(start) { add($1.1, times: $1.0, to: $0) }
  }

  private func add(_ term: Register, times factor: Double, to sum: Register) -> Register {
    if factor == 1 { return builder.add(sum, term) }
    if factor == -1 { return builder.subtract(sum, term) }
    return builder.multiplyAdd(term, constant(factor, like: term), sum)
  }

  private func constant(_ value: Double, like register: Register) -> Register {
    let type = builder.type(register)
    return builder.constant(.float(value), type.element, lanes: type.lanes)
  }
}
