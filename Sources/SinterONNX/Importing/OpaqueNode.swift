import SinterCore
import SinterIR

/// A node of a file whose meaning is not known: nothing can be done with it but show it.
///
/// Only imports for drawings make it. Results whose types the file does not tell are optional values, which no operator takes, so that nothing is
/// concluded from them.
package struct OpaqueNode: Operator {
  package static let name = "Opaque"
  package static let summary = "A node of a file whose meaning is not known."

  /// What the file says.
  package var opType = ""
  package var domain = ""
  package var contents: [(name: String, value: OnnxAttribute)] = []
  package var types: [ValueType] = []

  package init() {}

  package func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    types.map { Fact($0) }
  }

  package func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(opType.isEmpty ? Self.name : opType, domain: domain, attributes: contents)
  }

  /// Neither merged with others nor computed ahead of time.
  package var isDeterministic: Bool { false }

  package static var examples: [OperatorExample] { [] }

  /// The type of a result of which nothing is known.
  static let unknown = ValueType.optional(.tensor(TensorType(.f32, [])))
}

extension GraphImporter {
  /// Adds a node as what the file says of it, with those of its inputs that are there.
  mutating func addOpaque(_ node: OnnxFile.Node) {
    var op = OpaqueNode()
    op.opType = node.operatorType
    op.domain = node.domain
    op.contents = node.attributes.compactMap { attribute in
      (try? OnnxAttribute(attribute.value)).map { (attribute.name, $0) }
    }
    let outputs = node.outputs.filter { !$0.isEmpty }
    op.types = outputs.map { declared[$0]?.type ?? OpaqueNode.unknown }
    let inputs = (node.inputs + node.bodies.flatMap(\.freeNames)).flatMap { name -> [ValueID] in
      if let value = value(name) { return [value] }
      return leaves(name)
    }
    builder.declared = []
    do {
      let results = try builder.add(op, inputs, outputs: outputs.count)
      for (name, id) in zip(outputs, results) {
        names[name] = .value(id)
        builder.setName(callPath + name, of: id)
      }
    } catch {
      report(error, at: node)
      leaveOut(node)
    }
  }
}
