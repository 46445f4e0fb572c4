import SinterCore
import SinterIR
import SinterOps

/// Small operators that show what the importer and the exporter have to do for operators of any kind.
enum TestOperators {
  static let table = OpTable([Twice.self, Quadruple.self, Choose.self, Nameless.self, MatMul.self, Gemm.self])
}

/// An element-wise operator with attributes and an optional second input.
struct Twice: Operator {
  static let name = "Twice"
  static let summary = "x + x."
  var alpha = 1.0
  var mode = "sum"
  init() {}
  mutating func attributes(_ list: inout some AttributeList) {
    list.float("alpha", &alpha, default: 1)
    list.string("mode", &mode, default: "sum")
  }
  func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let type = try inputs.tensor(0)
    guard type.element == .f32 else {
      throw DiagnosticError(.user, "twice.type", "expected f32, but the input is \(type)")
    }
    return [Fact(.tensor(type))]
  }
  static var onnx: [OnnxRule] { [.direct(Twice.self), .direct(Twice.self, as: "Late", since: 19)] }
  func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification(of: self) }
  static var examples: [OperatorExample] { [] }
}

/// A composite that ONNX does not have.
struct Quadruple: Composite {
  static let name = "Quadruple"
  static let summary = "Twice of twice."
  init() {}
  func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let two = try builder.add1(Twice(), [try inputs.value(0)])
    return [try builder.add1(Twice(), [two])]
  }
  static var onnx: [OnnxRule] { [.direct(Quadruple.self)] }
  static var examples: [OperatorExample] { [] }
}

/// An operator that cannot be exported.
struct Nameless: Operator {
  static let name = "Nameless"
  static let summary = "Its input."
  init() {}
  func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    [Fact(.tensor(try inputs.tensor(0)))]
  }
  static var onnx: [OnnxRule] { [.direct(Nameless.self)] }
  static var examples: [OperatorExample] { [] }
}

/// `If` as control flow has it: two bodies, whose captures are the node's last inputs.
struct Choose: Operator {
  static let name = "If"
  static let summary = "One of two bodies."
  init() {}
  func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    guard let body = inputs.bodies.first else {
      throw DiagnosticError(.bug, "if.bodies", "the bodies are missing")
    }
    return body.outputs.map { body.values[$0.value].fact }
  }
  static var onnx: [OnnxRule] {
    [
      OnnxRule("If") { node, builder in
        guard let first = node.bodies["then_branch"], let second = node.bodies["else_branch"] else {
          throw DiagnosticError(.user, "if.bodies", "a branch is missing")
        }
        let bodies = try [first, second].map { body in try body.build(body.captures.map { builder.fact($0) }) }
        return try builder.add(
          Choose(), [node.input(0)] + first.captures + second.captures, outputs: node.outputCount, bodies: bodies)
      }
    ]
  }
  func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    var form = NodeSpecification(of: self)
    form.bodies = [("then_branch", 0), ("else_branch", 0)]
    return form
  }
  static var examples: [OperatorExample] { [] }
}
