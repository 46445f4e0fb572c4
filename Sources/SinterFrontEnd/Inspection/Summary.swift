import SinterIR

/// A table of a model's layers in the order in which they are called, with the sizes of what each gives and how many numbers it has: what
/// torchinfo prints.
public struct Summary: CustomStringConvertible {
  /// One call of a layer.
  public struct Row: Sendable {
    /// 0 for the model itself.
    public let depth: Int
    /// The layer's type, as it prints itself.
    public let type: String
    /// Its path in the model, that of the layer around it where it has no parameters.
    public let path: String
    /// The sizes of its first result.
    public internal(set) var output: [Dim]
    /// How many numbers it has itself, without those of layers inside.
    public let own: Int
    /// Whether it was called before: its numbers count once.
    public let isRepeated: Bool
    /// Whether it holds other layers.
    public internal(set) var hasLayers: Bool
  }

  /// One row per layer.
  public let rows: [Row]
  /// The numbers of all parameters, shared ones once, without running statistics.
  public let total: Int
  /// Those of the total that `trainable` names.
  public let trainable: Int
  /// How many parameters no step changes.
  public var frozen: Int { total - trainable }

  public var description: String {
    let cells = rows.map { row -> [String] in
      let indent = row.depth == 0 ? "" : String(repeating: "│    ", count: row.depth - 1) + "├─"
      let sizes = "[" + row.output.map(\.description).joined(separator: ", ") + "]"
      let count = row.isRepeated ? "(recursive)" : row.own > 0 ? Self.grouped(row.own) : "--"
      return [indent + row.type, sizes, count]
    }
    let header = ["Layer (type)", "Output Shape", "Param #"]
    let widths = header.indices.map { column in ([header] + cells).map { $0[column].count }.max() ?? 0 }
    func line(_ cells: [String]) -> String {
      zip(cells, widths).map { $0.padded(to: $1 + 4) }.joined().trimmedAtEnd
    }
    let rule = String(repeating: "=", count: widths.reduce(0) { $0 + $1 + 4 })
    return
      ([rule, line(header), rule] + cells.map(line) + [
        rule, "Total params: \(Self.grouped(total))", "Trainable params: \(Self.grouped(trainable))",
        "Non-trainable params: \(Self.grouped(frozen))", rule,
      ]).joined(separator: "\n")
  }

  /// With a comma for each thousand.
  private static func grouped(_ number: Int) -> String {
    let digits = Array(String(number))
    return digits.enumerated().map { place, digit in
      place > 0 && (digits.count - place) % 3 == 0 ? ",\(digit)" : "\(digit)"
    }.joined()
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: Swift.max(0, width - count)) }
  fileprivate var trimmedAtEnd: String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}

/// Traces a model with one input and tells of its layers: `print(try summary(net, .f32(1, 1, 28, 28)))`.
///
/// - Parameter trainable: which parameters a training step will change, by name.
/// - Throws: all mistakes of the model, each with its layer and line.
public func summary(
  _ model: some UnaryLayer, _ input: InputSpec, trainable: (String) -> Bool = { _ in true },
  file: StaticString = #fileID, line: UInt = #line
) throws -> Summary {
  try summary(model, [input], trainable: trainable, file: file, line: line) { [model($0[0], file: file, line: line)] }
}

/// The same for any function of tensors. `model` is whatever holds the parameters.
public func summary(
  _ model: Any, _ inputs: [InputSpec], trainable: (String) -> Bool = { _ in true }, file: StaticString = #fileID,
  line: UInt = #line, _ body: ([Tensor]) -> [Tensor]
) throws -> Summary {
  var recorder = SummaryRecorder()
  _ = try trace(model, inputs, file: file, line: line) { tensors -> [Tensor] in
    tensors.first?.trace.observer = { recorder.note($0, $1, $2) }
    defer { tensors.first?.trace.observer = nil }
    return body(tensors)
  }
  let parameters = namedParameters(of: model).filter { $0.parameter.role == .trainable }
  return Summary(
    rows: recorder.rows, total: parameters.reduce(0) { $0 + $1.parameter.count },
    trainable: parameters.filter { trainable($0.name) }.reduce(0) { $0 + $1.parameter.count })
}

private struct SummaryRecorder {
  private(set) var rows: [Summary.Row] = []
  /// The rows of the layers that are at work.
  private var open: [Int] = []
  private var counted: Set<ObjectIdentifier> = []

  mutating func note(_ path: String, _ layer: Any, _ result: Any?) {
    if let result {
      guard let row = open.popLast() else { return }
      rows[row].output = Self.firstTensor(in: result)?.shape ?? []
      return
    }
    if let around = open.last { rows[around].hasLayers = true }
    let own = Self.ownParameters(of: layer)
    let fresh = own.filter { counted.insert(ObjectIdentifier($0)).inserted }
    rows.append(
      Summary.Row(
        depth: open.count, type: (layer as? any Layer)?.layerName ?? "\(type(of: layer))", path: path, output: [],
        own: fresh.filter { $0.role == .trainable }.reduce(0) { $0 + $1.count },
        isRepeated: !own.isEmpty && fresh.isEmpty, hasLayers: false))
    open.append(rows.count - 1)
  }

  /// The parameters that it holds outside of layers inside of it.
  private static func ownParameters(of layer: Any) -> [Parameter] {
    LayerWalk.children(of: layer).flatMap { _, child -> [Parameter] in
      if let parameter = child as? Parameter { return [parameter] }
      return child is any Layer ? [] : ownParameters(of: child)
    }
  }

  private static func firstTensor(in result: Any) -> Tensor? {
    if let tensor = result as? Tensor { return tensor }
    for child in Mirror(reflecting: result).children {
      if let tensor = firstTensor(in: child.value) { return tensor }
    }
    return nil
  }
}
