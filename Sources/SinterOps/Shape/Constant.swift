import SinterCore
import SinterIR

/// A value given in the model. It never stands in a graph: reading one makes it a constant of the graph.
public struct Constant: Composite {
  public static let name = "Constant"
  public static let summary = "A value given in the model."

  /// The value; nil only until attributes are read.
  public var value: HostTensor?

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) { list.tensor("value", &value) }

  public static var onnx: [OnnxRule] {
    [
      OnnxRule("Constant") { node, builder in
        guard node.attributes.count == 1, let (name, attribute) = node.attributes.first else {
          throw DiagnosticError(
            .user, "constant.value", "exactly one attribute must give the value, but there are \(node.attributes.count)"
          )
        }
        let tensor: HostTensor
        switch attribute {
        case .tensor(let given): tensor = given
        case .int(let given): tensor = .i64([], [given])
        case .ints(let given): tensor = .i64([given.count], given)
        case .float(let given): tensor = .f32([], [Float(given)])
        case .floats(let given): tensor = .f32([given.count], given.map { Float($0) })
        case .string(let given): tensor = HostTensor(strings: [given], shape: [])
        case .strings(let given): tensor = HostTensor(strings: given, shape: [given.count])
        case .elementType, .type, .other:
          throw DiagnosticError(.limit, "constant.value", "a value given as \(name) is not supported")
        }
        return [builder.constant(tensor, named: node.name)]
      }
    ]
  }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self) }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    guard let value else { throw DiagnosticError(.user, "constant.value", "the value is missing") }
    return [builder.constant(value)]
  }

  public static var examples: [OperatorExample] {
    var op = Constant()
    op.value = .f32([2], [1, 2])
    return [OperatorExample(op, [])]
  }
}
