import SinterCore
import SinterIR
import SinterOps
import Testing

/// Inputs of types that an operator does not take.
@Suite struct OperatorTypeTests {
  private static let elements: [ElementType] = [
    .bool, .u8, .i64, .u64, .f16, .f32, .f64, .string, .c64, .f8e4m3fn, .i4,
  ]

  /// Whatever type an input has, an operator takes it or tells what is wrong with it: no error is Sinter's own.
  @Test(arguments: GenericOperatorTests.all) func anyTypeIsTakenOrTold(_ item: GenericOperatorTests.Case) {
    for (number, example) in item.type.examples.enumerated() {
      for changed in example.inputs.indices {
        for element in Self.elements {
          do {
            guard let graph = try Self.graph(of: example, input: changed, being: element) else { continue }
            _ = try graph.lowered()
          } catch let error as DiagnosticError {
            for problem in error.diagnostics where problem.kind == .bug {
              Issue.record("example \(number), input \(changed) of \(element): \(problem.message)")
            }
          } catch {
            Issue.record("example \(number), input \(changed) of \(element): \(error)")
          }
        }
      }
    }
  }

  /// The example with one input of another type, which is open; nil where it has that type, or no such input.
  private static func graph(of example: OperatorExample, input changed: Int, being element: ElementType) throws
    -> Graph?
  {
    var builder = GraphBuilder(name: "typed")
    var values: [ValueID?] = []
    for (index, input) in example.inputs.enumerated() {
      let type: TensorType
      switch input {
      case .absent:
        values.append(nil)
        continue
      case .constant(let tensor) where index != changed:
        values.append(builder.constant(tensor))
        continue
      case .constant(let tensor), .given(let tensor): type = tensor.type
      case .random(let given, _): type = given
      }
      if index == changed && type.element == element { return nil }
      let own = index == changed ? TensorType(element, type.shape) : type
      values.append(builder.input(Fact(.tensor(own)), named: "x\(index)"))
    }
    if values[changed] == nil { return nil }
    for (index, result) in try builder.add(example.op, values, outputs: example.outputCount).enumerated() {
      builder.output(result, named: "y\(index)")
    }
    return builder.graph
  }
}
