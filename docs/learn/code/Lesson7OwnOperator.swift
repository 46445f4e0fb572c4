import Sinter
import SinterIR
import SinterOps

// region: operator
/// x + sin²(a·x) / a: an activation for what repeats (Ziyin and others, 2020).
struct Snake: Composite {
  static let name = "Snake"
  static let summary = "x + sin²(a·x) / a."

  var frequency = 1.0

  mutating func attributes(_ list: inout some AttributeList) {
    list.float("a", &frequency, default: 1)
  }

  func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let x = try inputs.value(0)
    let a = builder.constant(.f32([], [Float(frequency)]))
    let sine = try builder.add1(Unary(.sin), [try builder.add1(Binary(.multiply), [a, x])])
    let square = try builder.add1(Binary(.multiply), [sine, sine])
    return [try builder.add1(Binary(.add), [x, try builder.add1(Binary(.divide), [square, a])])]
  }

  static var examples: [OperatorExample] {
    [OperatorExample(Snake(), [.random(TensorType(.f32, [2, 3]), -3...3)])]
  }
}
// endregion

// region: use
extension Tensor {
  func snake(_ frequency: Double) -> Tensor {
    var op = Snake()
    op.frequency = frequency
    return applying(op)
  }
}

struct Wave: UnaryLayer {
  var fc = Linear(1, 8)
  var out = Linear(8, 1)

  func forward(_ x: Tensor) -> Tensor { out(fc(x).snake(2)) }
}
// endregion

func ownOperator() throws {
  // region: graph
  let wave = try trace(Wave(), .f32("n", 1, name: "x"), name: "wave").initialized()
  print(wave.graph.order.map { type(of: wave.graph.nodes[$0].op).name })
  try wave.export("wave.onnx")
  // endregion

  // region: values
  let snake = try trace((), [.f32("n", name: "x")], outputs: ["y", "slope"]) { inputs -> [Tensor] in
    let y = inputs[0].snake(2)
    return [y] + y.sum().gradients(withRespectTo: inputs[0])
  }.initialized()
  let results = try snake.compile(to: "libsnake.so").run(.f32([3], [-1, 0, 0.5]))
  print(results[0].array(of: Float.self))
  print(results[1].array(of: Float.self))
  // endregion
}
