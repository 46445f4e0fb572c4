import SinterCore
import SinterIR

extension NodeSpecification {
  /// The same node as an opset before its own has it, or the oldest that can say it: attributes in place of inputs, names as they were, defaults
  /// spelled out. Whether that is old enough its `since` tells.
  ///
  /// - Parameter inputs: those of the node.
  package func older(_ opset: Int, _ inputs: NodeInputs) -> NodeSpecification {
    var node = self
    while node.since > opset, let change = OlderForm.table[node.opType]?.first(where: { $0.since == node.since }) {
      guard let older = change.change(node, inputs), older.since < node.since else { return node }
      node = older
    }
    return node
  }

  /// The value of an attribute; nil where it has its default.
  fileprivate func attribute(_ name: String) -> OnnxAttribute? { attributes.first { $0.name == name }?.value }

  fileprivate func without(_ names: String..., since: Int) -> NodeSpecification {
    var node = self
    node.attributes.removeAll { names.contains($0.name) }
    node.since = since
    return node
  }

  /// As an older opset has it, where none of the attributes is there that came later.
  fileprivate func unless(_ names: [String], since: Int) -> NodeSpecification? {
    if names.contains(where: { attribute($0) != nil }) { return nil }
    var node = self
    node.since = since
    return node
  }
}

/// What becomes of a node of one operator and opset before that opset.
private struct OlderForm {
  var since: Int
  /// The node as the opset before has it, with its own `since`; nil where that opset cannot say it.
  var change: @Sendable (NodeSpecification, NodeInputs) -> NodeSpecification?

  init(_ since: Int, _ change: @escaping @Sendable (NodeSpecification, NodeInputs) -> NodeSpecification?) {
    self.since = since
    self.change = change
  }

  /// Nothing but attributes came with this opset: without them the node is one of an older opset.
  static func added(_ attributes: String..., at since: Int, to older: Int) -> OlderForm {
    OlderForm(since) { node, _ in node.unless(attributes, since: older) }
  }

  static let table: [String: [OlderForm]] = {
    var table: [String: [OlderForm]] = [
      "AveragePool": [.added("dilations", at: 19, to: 11)],
      "BatchNormalization": [
        // Scale and bias had the type of x, and before that the mean and the variance, too.
        OlderForm(15) { node, inputs in areOfOneType(inputs, 0..<3) ? node.unless([], since: 14) : nil },
        OlderForm(14) { node, inputs in
          inputs.outputCount > 1 || !areOfOneType(inputs, 0..<5) ? nil : node.unless(["training_mode"], since: 9)
        },
      ],
      "DFT": [OlderForm(20, dft)],
      "GRU": [.added("layout", at: 14, to: 7)],
      "GridSample": [OlderForm(20, gridSample)],
      "If": [.added(at: 16, to: 11)],
      "LSTM": [.added("layout", at: 14, to: 7)],
      "Loop": [.added(at: 16, to: 11)],
      "LpPool": [.added("dilations", "ceil_mode", at: 18, to: 11)],
      "Pad": [OlderForm(18, pad)],
      "RNN": [.added("layout", at: 14, to: 7)],
      "Reshape": [OlderForm(14, reshape)],
      "Resize": [
        OlderForm(19) { node, _ in
          let isNewer = node.attribute("coordinate_transformation_mode")?.text == "half_pixel_symmetric"
          return isNewer ? nil : node.unless(["keep_aspect_ratio_policy"], since: 18)
        },
        .added("antialias", "axes", at: 18, to: 11),
      ],
      "RoiAlign": [
        OlderForm(16) { node, _ in
          let name = "coordinate_transformation_mode"
          return node.attribute(name)?.text == "output_half_pixel" ? node.without(name, since: 10) : nil
        }
      ],
      "Scan": [.added(at: 16, to: 11)],
      "Split": [OlderForm(18, split)],
    ]
    for kind in Reduce.Kind.allCases where kind.since == 18 { table[kind.onnxName] = [OlderForm(18, reduce)] }
    return table
  }()

  private static func areOfOneType(_ inputs: NodeInputs, _ places: Swift.Range<Int>) -> Bool {
    let elements = places.map { try? inputs.tensor($0).element }
    return elements.allSatisfy { $0 != nil && $0 == elements[0] }
  }

  /// Axes were an attribute.
  @Sendable private static func reduce(_ node: NodeSpecification, _ inputs: NodeInputs) -> NodeSpecification? {
    var older = node.without("noop_with_empty_axes", since: 13)
    older.inputs = [.operand(0)]
    let isNoop = node.attribute("noop_with_empty_axes") != nil
    guard inputs.has(1) else { return isNoop ? nil : older }
    guard let axes = inputs.integers(1), !(axes.isEmpty && isNoop) else { return nil }
    if !axes.isEmpty { older.attributes.append(("axes", .ints(axes))) }
    return older
  }

  /// There was a begin and an end for each axis.
  @Sendable private static func pad(_ node: NodeSpecification, _ inputs: NodeInputs) -> NodeSpecification? {
    guard let axes = inputs.integers(3), let pads = inputs.integers(1), let rank = try? inputs.tensor(0).rank,
      pads.count == 2 * axes.count
    else { return nil }
    var all = Array(repeating: 0, count: 2 * rank)
    for (index, axis) in axes.enumerated() {
      let axis = axis < 0 ? axis + rank : axis
      guard (0..<rank).contains(axis) else { return nil }
      (all[axis], all[axis + rank]) = (pads[index], pads[index + axes.count])
    }
    var older = node
    older.since = 11
    older.inputs = [.operand(0), .constant(.i64([all.count], all)), inputs.has(2) ? .operand(2) : .absent]
    return older
  }

  /// A zero in a shape was always the size of the input's axis.
  @Sendable private static func reshape(_ node: NodeSpecification, _ inputs: NodeInputs) -> NodeSpecification? {
    guard let shape = inputs.integers(1), !shape.contains(0) else { return nil }
    return node.without("allowzero", since: 5)
  }

  /// Parts that are not all equal had to be listed.
  @Sendable private static func split(_ node: NodeSpecification, _ inputs: NodeInputs) -> NodeSpecification? {
    guard case .int(let count)? = node.attribute("num_outputs"), case .int(let axis)? = node.attribute("axis"),
      let type = try? inputs.tensor(0), let size = type.shape[axis < 0 ? axis + type.rank : axis].value, count > 0
    else { return nil }
    let part = (size + count - 1) / count
    let parts = (0..<count).map { min(part, max(size - $0 * part, 0)) }
    var older = node.without("num_outputs", since: 13)
    older.inputs = [.operand(0), .constant(.i64([count], parts))]
    return older
  }

  /// The modes had the names of images' interpolation, and there were no volumes.
  @Sendable private static func gridSample(_ node: NodeSpecification, _ inputs: NodeInputs) -> NodeSpecification? {
    guard (try? inputs.tensor(0).rank) == 4 else { return nil }
    let names = ["linear": "bilinear", "cubic": "bicubic"]
    var older = node
    older.since = 16
    older.attributes = node.attributes.map { name, value in
      (name, name == "mode" ? .string(names[value.text ?? ""] ?? value.text ?? "") : value)
    }
    return older
  }

  /// The axis was an attribute.
  @Sendable private static func dft(_ node: NodeSpecification, _ inputs: NodeInputs) -> NodeSpecification? {
    var axis = -2
    if inputs.has(2) {
      guard let given = inputs.integers(2)?.first else { return nil }
      axis = given
    }
    guard let rank = try? inputs.tensor(0).rank, (-rank..<rank).contains(axis) else { return nil }
    var older = node
    older.since = 17
    older.attributes.append(("axis", .int(axis < 0 ? axis + rank : axis)))
    older.inputs = [.operand(0)] + (inputs.has(1) ? [.operand(1)] : [])
    return older
  }
}

extension OnnxAttribute {
  fileprivate var text: String? { if case .string(let text) = self { text } else { nil } }
}
