import SinterCore
import SinterIR
import SinterOps

/// Sequences, optionals and maps: what crosses a graph's border.
extension GraphImporter {
  /// An input of a subgraph, under the name that it has there. Only its tensors are told apart outside.
  mutating func bindInput(_ fact: Structured<Fact>, to name: String) {
    var parts = fact.partNames(name).makeIterator()
    let value = fact.map { builder.input($0, named: unusedInput(parts.next() ?? name)) }
    names[name] = value.tensor.map { .value($0) } ?? .structured(value)
  }

  private func unusedInput(_ name: String) -> String {
    var name = name
    while builder.graph.inputs.contains(where: { $0.name == name }) { name += "'" }
    return name
  }

  /// A subgraph with all its results. Where some are missing for a reason that was told before any node was read, the error says nothing.
  mutating func finished(_ outputs: [OnnxFile.ValueInfo]) throws -> OnnxBody.Built {
    var results: [OnnxValue] = []
    var seen: Set<String> = []
    for output in outputs {
      guard names[output.name] != nil, seen.insert(output.name).inserted else {
        // Tells what is wrong.
        addOutputs(outputs)
        break
      }
      guard let value = onnxValue(output.name) else { continue }
      results.append(value)
    }
    if !diagnostics.isEmpty || results.count < outputs.count { throw DiagnosticError(diagnostics) }
    var used: Set<String> = []
    for (output, value) in zip(outputs, results) {
      for (leaf, part) in zip(value.leaves, value.partNames(output.name)) {
        var name = part
        while !used.insert(name).inserted { name += "'" }
        builder.output(leaf, named: name)
      }
    }
    return OnnxBody.Built(graph: builder.graph, results: results)
  }

  /// An output of the graph, as what the file declares it to be.
  mutating func addOutput(_ value: OnnxValue, _ output: OnnxFile.ValueInfo) throws {
    builder.origin = []
    // Of what is only shown, nothing is asked.
    if context.showsUnknown, let id = value.tensor, builder.fact(id).type.tensor == nil {
      return builder.output(id, named: output.name)
    }
    var value = value
    switch (value, output.type) {
    case (.optional(let present, let payload), .optional?): value = .optional(present: present, payload)
    case (.optional, .some): value = try builder.element(ofOptional: value)
    case (_, .optional?): value = try builder.optional(value)
    default: break
    }
    value = try portable(value, rank: output.type?.elementShape?.count)
    builder.output(value, named: output.name, elementSizes: elementSizes(value, output.type))
  }

  /// A value whose structure has tensors: a sequence without any is one whose length happens to be zero.
  private mutating func portable(_ value: OnnxValue, rank: Int?) throws -> OnnxValue {
    switch value {
    case .list(let elements, of: _) where elements.isEmpty: return try builder.ragged(value, rank: rank)
    case .optional(let present, let payload): return .optional(present: present, try portable(payload, rank: rank))
    case .tensor, .list, .ragged, .map, .maps: return value
    }
  }

  private func elementSizes(_ value: OnnxValue, _ declared: DeclaredType?) -> [Int?]? {
    switch value {
    case .optional(_, let payload): return elementSizes(payload, declared)
    case .ragged(_, _, let rank):
      guard let rank else { return nil }
      let known = declared?.elementShape?.map(\.fixed)
      return known?.count == rank ? known : [Int?](repeating: nil, count: rank)
    case .list(let elements, of: _):
      let shapes = elements.compactMap { builder.fact($0).type.tensor?.shape.map(\.value) }
      guard var joint = shapes.first else { return nil }
      for shape in shapes {
        guard shape.count == joint.count else { return nil }
        for axis in shape.indices where shape[axis] != joint[axis] { joint[axis] = nil }
      }
      return joint
    case .tensor, .map, .maps: return nil
    }
  }

  /// The facts of an input that is a sequence, an optional or a map; nil for a tensor. Sizes that the caller chooses are symbols named after
  /// the port.
  ///
  /// - Parameter shape: given for the elements of a sequence in place of what the file says.
  func structuredInput(
    _ declared: DeclaredType, port: String, shape: [Dim]?, _ dims: inout DimReader
  ) throws -> (fact: Structured<Fact>, elementSizes: [Int?]?)? {
    switch declared {
    case .tensor, .sparseTensor, .opaque: return nil
    case .sequence(.tensor(let element?, let sizes)?):
      guard element.bits >= 8 else {
        throw DiagnosticError(
          .limit, "onnx.type", "sequences of \(element), of less than a byte, are not supported",
          hint: "use a wider type")
      }
      let known = shape.map { $0.map(\.value) } ?? sizes.map { $0.map(\.fixed) }
      let rank = known.map { Dim($0.count) } ?? dims.size(named: port + "_rank")
      let total = dims.size(named: port + "_total")
      return (
        .ragged(
          elements: Fact(element, [total]), shapes: Fact(.i64, [dims.size(named: port + "_length"), rank]),
          rank: known?.count), known
      )
    case .optional(let inner?):
      if case .optional = inner { break }
      if let (fact, sizes) = try structuredInput(inner, port: port, shape: shape, &dims) {
        return (.optional(present: Fact(.bool, []), fact), sizes)
      }
      guard case .tensor(let element?, let sizes) = inner else { break }
      guard
        let axes = shape
          ?? sizes?.enumerated().map({ axis, size in
            // Of a value that may be missing, no other port's sizes can be told.
            size.fixed.map { Dim($0) } ?? dims.size(named: "\(port)_\(axis)")
          })
      else {
        throw DiagnosticError(
          .limit, "onnx.rank", "the number of axes of the optional input is not known", hint: "give its shape")
      }
      return (.optional(present: Fact(.bool, []), .tensor(Fact(element, axes))), nil)
    case .map(let key?, .tensor(let element?, let sizes)?) where sizes?.isEmpty ?? true:
      let count = dims.size(named: port + "_count")
      return (.map(keys: Fact(key, [count]), values: Fact(element, [count])), nil)
    case .sequence, .optional, .map: break
    }
    throw DiagnosticError(
      .limit, "onnx.type", "inputs of the type \(declared.summary) are not supported",
      hint: "take sequences of tensors, optional tensors or sequences, or maps to numbers")
  }
}

extension DeclaredType {
  /// Of a sequence of tensors, or an optional one, the sizes of these as far as the file tells.
  var elementShape: [DeclaredDim]? {
    switch self {
    case .sequence(.tensor(_, let shape)?): shape
    case .optional(let inner?): inner.elementShape
    case .tensor, .sparseTensor, .sequence, .optional, .map, .opaque: nil
    }
  }

  /// As messages write it: `seq(seq(f32))`.
  var summary: String {
    func inner(_ type: DeclaredType?) -> String { type?.summary ?? "?" }
    switch self {
    case .tensor(let element, _), .sparseTensor(let element, _): return element?.name ?? "?"
    case .sequence(let type): return "seq(\(inner(type)))"
    case .optional(let type): return "optional(\(inner(type)))"
    case .map(let key, let type): return "map(\(key?.name ?? "?"), \(inner(type)))"
    case .opaque(let domain, let name): return "\(domain).\(name)"
    }
  }
}

extension DeclaredDim {
  /// The size, where it is a number.
  var fixed: Int? {
    if case .value(let size) = self, size >= 0 { Int(size) } else { nil }
  }
}
