import SinterCore
import SinterIR

extension GraphImporter {
  /// Notes what the file says of the types of computed values. Sizes are taken where they are numbers or symbols of the inputs.
  mutating func declareValues(of graph: OnnxFile.Graph) {
    let known = Set(builder.graph.inputSymbols.map(\.name))
    for info in graph.values + graph.outputs {
      guard case .tensor(let element?, let dims?)? = info.type else { continue }
      let shape = dims.compactMap { dim -> Dim? in
        switch dim {
        case .value(let size): size >= 0 ? Dim(Int(size)) : nil
        case .symbol(let name):
          context.sizes[Symbol(name)].map { Dim($0) } ?? (known.contains(name) ? Dim(Symbol(name)) : nil)
        case .unknown: nil
        }
      }
      if shape.count == dims.count { declared[info.name] = Fact(element, shape) }
    }
    passShapesBack(graph.nodes)
  }

  /// What the results of nodes that keep shapes are declared to have, their inputs have. Of those only the shape is told so.
  private mutating func passShapesBack(_ nodes: [OnnxFile.Node]) {
    for node in nodes.reversed() {
      guard let output = node.outputs.first, let fact = declared[output], let input = node.inputs.first,
        declared[input] == nil, let opset = context.opsets[node.domain],
        context.operators.rule(domain: node.domain, opType: node.operatorType, opset: opset)?.keepsShape == true
      else { continue }
      declared[input] = fact
    }
  }
}
