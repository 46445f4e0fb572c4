package import SinterCore
internal import SinterModel

/// Whether and how requests to a model may run as one: rows of one first dimension, joined on the way in and parted on the way out.
///
/// That rows of a result depend on no other rows cannot be seen from ports, so whoever serves the model says so, by allowing batches.
package struct BatchRule: Sendable {
  package let maximumRows: Int

  /// Requests with equal keys may run together: the sizes of their inputs but for the first.
  package typealias Key = [[Int]]

  /// The rule for a model; nil where its ports leave none.
  ///
  /// All inputs and outputs have to begin with the same symbol, which stands nowhere else, and no output may have a size that only data
  /// determine.
  package init?(_ signature: ModelSignature, maximumRows: Int) {
    guard maximumRows > 1, Self.problem(signature) == nil else { return nil }
    self.maximumRows = maximumRows
  }

  /// What keeps requests to a model from running as one, in words.
  package static func problem(_ signature: ModelSignature) -> String? {
    let ports = signature.inputs + signature.outputs
    guard let first = signature.inputs.first?.shape?.first, case .symbol(let batch) = first, words(batch) == [batch]
    else { return "its first input does not begin with a symbolic size" }
    for port in ports {
      guard let shape = port.shape, port.kind == .tensor, !port.isOptional, shape.first == .symbol(batch) else {
        return "\(port) does not begin with \(batch) as its first input does"
      }
      if shape.dropFirst().contains(where: { words($0.description).contains(batch) }) {
        return "\(port) has \(batch) in other places than the first"
      }
    }
    if let port = signature.outputs.first(where: { ($0.shape ?? []).contains(.unknown) }) {
      return "\(port) has a size that one request cannot tell from another's"
    }
    return nil
  }

  /// The symbols of a size such as `2*n + 1`, and its numbers.
  private static func words(_ size: String) -> [String] {
    size.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
  }

  /// The rows and the key of a request; nil where it runs alone, such as one whose inputs disagree.
  package func admit(_ values: [HostValue]) -> (rows: Int, key: Key)? {
    var (rows, key) = (Int?.none, Key())
    for value in values {
      guard let tensor = value.tensor, let first = tensor.shape.first, rows == nil || rows == first else { return nil }
      rows = first
      key.append(Array(tensor.shape.dropFirst()))
    }
    guard let rows, rows > 0, rows <= maximumRows else { return nil }
    return (rows, key)
  }

  /// Which of the waiting requests run together with the first: those with its key, in order, as long as their rows fit. `isFull` where none
  /// that may still come can join them.
  package func choose(_ waiting: some Collection<(rows: Int, key: Key)?>) -> (
    indices: [Int], rows: Int, isFull: Bool
  ) {
    guard let head = waiting.first, let first = head else { return ([0], 1, true) }
    var (indices, rows) = ([0], first.rows)
    for (index, request) in waiting.enumerated().dropFirst() {
      guard let request, request.key == first.key else { continue }
      // One that does not fit keeps its place before those behind it.
      guard rows + request.rows <= maximumRows else { return (indices, rows, true) }
      indices.append(index)
      rows += request.rows
      if rows == maximumRows { break }
    }
    return (indices, rows, rows >= maximumRows)
  }

  /// The inputs of several requests as one's.
  package static func join(_ requests: [[HostValue]]) -> [HostValue] {
    guard let first = requests.first else { return [] }
    return first.indices.map { port in .tensor(join(requests.compactMap { $0[port].tensor })) }
  }

  private static func join(_ tensors: [HostTensor]) -> HostTensor {
    let shape = [tensors.reduce(0) { $0 + $1.shape[0] }] + tensors[0].shape.dropFirst()
    if tensors[0].element == .string { return HostTensor(strings: tensors.flatMap(\.strings), shape: shape) }
    let bytes = TensorBytes(count: tensors.reduce(0) { $0 + $1.bytes.count }) { memory in
      var at = 0
      for tensor in tensors {
        tensor.bytes.withBytes { source in
          UnsafeMutableRawBufferPointer(rebasing: memory[at..<at + source.count]).copyMemory(from: source)
        }
        at += tensor.bytes.count
      }
    }
    return HostTensor(tensors[0].element, shape, bytes: bytes)
  }

  /// The outputs of a batch, by request; nil where one has not as many rows as went in.
  package static func part(_ outputs: [HostValue], rows: [Int]) -> [[HostValue]]? {
    let total = rows.reduce(0, +)
    var parts = [[HostValue]](repeating: [], count: rows.count)
    for output in outputs {
      guard let tensor = output.tensor, tensor.shape.first == total, total > 0 else { return nil }
      let texts = tensor.count / total
      let step = tensor.element == .string ? 0 : tensor.bytes.count / total
      var at = 0
      for (index, count) in rows.enumerated() {
        let shape = [count] + tensor.shape.dropFirst()
        if tensor.element == .string {
          let strings = Array(tensor.strings[at * texts..<(at + count) * texts])
          parts[index].append(.tensor(HostTensor(strings: strings, shape: shape)))
        } else {
          parts[index].append(
            .tensor(HostTensor(tensor.element, shape, bytes: tensor.bytes.part(at * step, count * step))))
        }
        at += count
      }
    }
    return parts
  }
}

extension TensorBytes {
  /// Bytes inside these, which stay alive for them.
  fileprivate func part(_ start: Int, _ count: Int) -> TensorBytes {
    withBytes { bytes in
      guard let base = bytes.baseAddress, count > 0 else { return TensorBytes(count: 0) { _ in } }
      return TensorBytes(at: base + start, count: count, owner: self)
    }
  }
}
