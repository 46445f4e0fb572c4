import SinterCore
import SinterIR

extension OnnxForm {
  /// The same node as an opset before its own has it, or the oldest that can say it: attributes in place of inputs, names as they were, defaults
  /// spelled out. Whether that is old enough its `since` tells.
  ///
  /// - Parameter inputs: those of the node.
  package func older(_ opset: Int, _ inputs: NodeInputs) -> OnnxForm {
    var form = self
    while form.since > opset, let change = OlderForm.table[form.opType]?.first(where: { $0.since == form.since }) {
      guard let older = change.change(form, inputs), older.since < form.since else { return form }
      form = older
    }
    return form
  }

  /// The value of an attribute; nil where it has its default.
  fileprivate func attribute(_ name: String) -> OnnxAttribute? { attributes.first { $0.name == name }?.value }

  fileprivate func without(_ names: String..., since: Int) -> OnnxForm {
    var form = self
    form.attributes.removeAll { names.contains($0.name) }
    form.since = since
    return form
  }

  /// As an older opset has it, where none of the attributes is there that came later.
  fileprivate func unless(_ names: [String], since: Int) -> OnnxForm? {
    if names.contains(where: { attribute($0) != nil }) { return nil }
    var form = self
    form.since = since
    return form
  }
}

/// What becomes of a form of one operator and opset before that opset.
private struct OlderForm {
  var since: Int
  /// The form as the opset before has it, with its own `since`; nil where that opset cannot say it.
  var change: @Sendable (OnnxForm, NodeInputs) -> OnnxForm?

  init(_ since: Int, _ change: @escaping @Sendable (OnnxForm, NodeInputs) -> OnnxForm?) {
    self.since = since
    self.change = change
  }

  /// Nothing but attributes came with this opset: without them the node is one of an older opset.
  static func added(_ attributes: String..., at since: Int, to older: Int) -> OlderForm {
    OlderForm(since) { form, _ in form.unless(attributes, since: older) }
  }

  static let table: [String: [OlderForm]] = {
    var table: [String: [OlderForm]] = [
      "AveragePool": [.added("dilations", at: 19, to: 11)],
      "BatchNormalization": [
        // Scale and bias had the type of x, and before that the mean and the variance, too.
        OlderForm(15) { form, inputs in areOfOneType(inputs, 0..<3) ? form.unless([], since: 14) : nil },
        OlderForm(14) { form, inputs in
          inputs.outputCount > 1 || !areOfOneType(inputs, 0..<5) ? nil : form.unless(["training_mode"], since: 9)
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
        OlderForm(19) { form, _ in
          let isNewer = form.attribute("coordinate_transformation_mode")?.text == "half_pixel_symmetric"
          return isNewer ? nil : form.unless(["keep_aspect_ratio_policy"], since: 18)
        },
        .added("antialias", "axes", at: 18, to: 11),
      ],
      "RoiAlign": [
        OlderForm(16) { form, _ in
          let name = "coordinate_transformation_mode"
          return form.attribute(name)?.text == "output_half_pixel" ? form.without(name, since: 10) : nil
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
  @Sendable private static func reduce(_ form: OnnxForm, _ inputs: NodeInputs) -> OnnxForm? {
    var older = form.without("noop_with_empty_axes", since: 13)
    older.inputs = [.operand(0)]
    let isNoop = form.attribute("noop_with_empty_axes") != nil
    guard inputs.has(1) else { return isNoop ? nil : older }
    guard let axes = inputs.integers(1), !(axes.isEmpty && isNoop) else { return nil }
    if !axes.isEmpty { older.attributes.append(("axes", .ints(axes))) }
    return older
  }

  /// There was a begin and an end for each axis.
  @Sendable private static func pad(_ form: OnnxForm, _ inputs: NodeInputs) -> OnnxForm? {
    guard let axes = inputs.integers(3), let pads = inputs.integers(1), let rank = try? inputs.tensor(0).rank,
      pads.count == 2 * axes.count
    else { return nil }
    var all = Array(repeating: 0, count: 2 * rank)
    for (index, axis) in axes.enumerated() {
      let axis = axis < 0 ? axis + rank : axis
      guard (0..<rank).contains(axis) else { return nil }
      (all[axis], all[axis + rank]) = (pads[index], pads[index + axes.count])
    }
    var older = form
    older.since = 11
    older.inputs = [.operand(0), .constant(.i64([all.count], all)), inputs.has(2) ? .operand(2) : .absent]
    return older
  }

  /// A zero in a shape was always the size of the input's axis.
  @Sendable private static func reshape(_ form: OnnxForm, _ inputs: NodeInputs) -> OnnxForm? {
    guard let shape = inputs.integers(1), !shape.contains(0) else { return nil }
    return form.without("allowzero", since: 5)
  }

  /// Parts that are not all equal had to be listed.
  @Sendable private static func split(_ form: OnnxForm, _ inputs: NodeInputs) -> OnnxForm? {
    guard case .int(let count)? = form.attribute("num_outputs"), case .int(let axis)? = form.attribute("axis"),
      let type = try? inputs.tensor(0), let size = type.shape[axis < 0 ? axis + type.rank : axis].value, count > 0
    else { return nil }
    let part = (size + count - 1) / count
    let parts = (0..<count).map { min(part, max(size - $0 * part, 0)) }
    var older = form.without("num_outputs", since: 13)
    older.inputs = [.operand(0), .constant(.i64([count], parts))]
    return older
  }

  /// The modes had the names of images' interpolation, and there were no volumes.
  @Sendable private static func gridSample(_ form: OnnxForm, _ inputs: NodeInputs) -> OnnxForm? {
    guard (try? inputs.tensor(0).rank) == 4 else { return nil }
    let names = ["linear": "bilinear", "cubic": "bicubic"]
    var older = form
    older.since = 16
    older.attributes = form.attributes.map { name, value in
      (name, name == "mode" ? .string(names[value.text ?? ""] ?? value.text ?? "") : value)
    }
    return older
  }

  /// The axis was an attribute.
  @Sendable private static func dft(_ form: OnnxForm, _ inputs: NodeInputs) -> OnnxForm? {
    var axis = -2
    if inputs.has(2) {
      guard let given = inputs.integers(2)?.first else { return nil }
      axis = given
    }
    guard let rank = try? inputs.tensor(0).rank, (-rank..<rank).contains(axis) else { return nil }
    var older = form
    older.since = 17
    older.attributes.append(("axis", .int(axis < 0 ? axis + rank : axis)))
    older.inputs = [.operand(0)] + (inputs.has(1) ? [.operand(1)] : [])
    return older
  }
}

extension OnnxAttribute {
  fileprivate var text: String? { if case .string(let text) = self { text } else { nil } }
}
