import SinterCore
import SinterIR
import SinterOps
import Testing

/// Inputs of types and of shapes that an operator does not take.
@Suite struct OperatorTypeTests {
  private static let elements: [ElementType] = [
    .bool, .u8, .i64, .u64, .f16, .f32, .f64, .string, .c64, .f8e4m3fn, .i4,
  ]

  /// Whatever type an input has, an operator takes it or tells what is wrong with it: no error is Sinter's own.
  @Test(arguments: GenericOperatorTests.all) func anyTypeIsTakenOrTold(_ item: GenericOperatorTests.Case) {
    Self.expectNoBug(item) { type in
      Self.elements.map { TensorType($0, type.shape) }
    }
  }

  /// The same of shapes: none, an axis more or less on either side, sizes of 0, 1 and 3, all of them open.
  @Test(arguments: GenericOperatorTests.all) func anyShapeIsTakenOrTold(_ item: GenericOperatorTests.Case) {
    Self.expectNoBug(item) { type in
      let shape = type.shape
      var shapes: [[Dim]] = [
        [], [2] + shape, shape + [2], Array(shape.dropFirst()), shape.dropLast(), ["open"] + shape,
      ]
      for size in [0, 1, 3] as [Dim] {
        shapes.append(shape.map { _ in size })
        for axis in shape.indices {
          var other = shape
          other[axis] = size
          shapes.append(other)
        }
      }
      shapes.append(shape.indices.map { Dim(Symbol("open\($0)")) })
      return shapes.map { TensorType(type.element, $0) }
    }
  }

  private static func expectNoBug(_ item: GenericOperatorTests.Case, _ others: (TensorType) -> [TensorType]) {
    for (number, example) in item.type.examples.enumerated() {
      for changed in example.inputs.indices {
        guard let type = example.inputs[changed].type else { continue }
        for other in others(type) where other != type {
          do {
            _ = try graph(of: example, input: changed, being: other).lowered()
          } catch let error as DiagnosticError {
            for problem in error.diagnostics where problem.kind == .bug {
              Issue.record("example \(number), input \(changed) of \(other): \(problem.message)")
            }
          } catch {
            Issue.record("example \(number), input \(changed) of \(other): \(error)")
          }
        }
      }
    }
  }

  /// The example with one input of another type, which is open.
  private static func graph(of example: OperatorExample, input changed: Int, being other: TensorType) throws -> Graph {
    var builder = GraphBuilder(name: "typed")
    let values = example.inputs.enumerated().map { index, input -> ValueID? in
      if case .constant(let tensor) = input, index != changed { return builder.constant(tensor) }
      return input.type.map { type in
        builder.input(Fact(.tensor(index == changed ? other : type)), named: "x\(index)")
      }
    }
    for (index, result) in try builder.add(example.op, values, outputs: example.outputCount).enumerated() {
      builder.output(result, named: "y\(index)")
    }
    return builder.graph
  }
}

extension OperatorExample.Input {
  /// The type of what an example gives; nil where it gives nothing.
  fileprivate var type: TensorType? {
    switch self {
    case .absent: nil
    case .constant(let tensor), .given(let tensor): tensor.type
    case .random(let type, _): type
    }
  }
}
