import SinterCore
import SinterIR
import SinterOps
import TestSupport
import Testing

/// Bytes that onnxruntime gives where results lie halfway between two of them: before or after the zero point is added.
@Suite struct QuantizedBytesTests {
  private static let a: [UInt8] = [0, 1, 2, 3, 4, 5, 6, 7, 100, 255]
  private static let b: [UInt8] = [7, 6, 5, 4, 3, 2, 1, 0, 200, 255]

  private static func bytes(_ shape: [Int], _ values: [UInt8]) -> HostTensor { HostTensor(.u8, shape, values: values) }
  private static func byte(_ value: UInt8) -> HostTensor { bytes([], [value]) }
  private static func scale(_ value: Float) -> HostTensor { .f32([], [value]) }

  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var op: any Operator
    var inputs: [HostTensor]
    var expected: [Int]
  }

  static let cases: [Case] = {
    var leaky = QLinearLeakyRelu()
    leaky.alpha = 0.25
    var concat = QLinearConcat()
    concat.axis = 0
    let both = [
      bytes([10], a), scale(0.25), byte(1), bytes([10], b), scale(0.5), byte(2),
    ]
    return [
      Case(
        testDescription: "QLinearAdd", op: QLinearBinary(.add), inputs: both + [scale(0.5), byte(3)],
        expected: [8, 7, 6, 6, 6, 5, 4, 4, 250, 255]),
      Case(
        testDescription: "QLinearMul", op: QLinearBinary(.multiply), inputs: both + [scale(0.25), byte(3)],
        expected: [0, 3, 4, 5, 4, 3, 0, 0, 255, 255]),
      Case(
        testDescription: "QLinearSigmoid", op: QLinearSigmoid(),
        inputs: [bytes([10], a), scale(0.25), byte(4), scale(1.0 / 256), byte(0)],
        expected: [69, 82, 97, 112, 128, 144, 159, 174, 255, 255]),
      Case(
        testDescription: "QLinearLeakyRelu", op: leaky,
        inputs: [bytes([10], a), scale(0.25), byte(4), scale(0.125), byte(5)],
        expected: [3, 3, 4, 5, 5, 7, 9, 11, 197, 255]),
      Case(
        testDescription: "QLinearSoftmax", op: QLinearSoftmax(),
        inputs: [bytes([2, 5], a), scale(0.25), byte(0), scale(1.0 / 256), byte(0)],
        expected: [29, 37, 48, 62, 79, 0, 0, 0, 0, 255]),
      Case(
        testDescription: "QLinearSoftmax of single elements", op: QLinearSoftmax(),
        inputs: [bytes([2, 1], [3, 200]), scale(0.25), byte(0), scale(1.0 / 256), byte(0)], expected: [255, 255]),
      Case(
        testDescription: "QLinearGlobalAveragePool", op: QLinearGlobalAveragePool(),
        inputs: [bytes([1, 2, 2, 2], Array(a[..<8])), scale(0.25), byte(1), scale(0.25), byte(5)], expected: [5, 9]),
      Case(
        testDescription: "QLinearConcat", op: concat,
        inputs: [scale(0.5), byte(3), bytes([10], a), scale(0.25), byte(1), bytes([10], b), scale(0.5), byte(3)],
        expected: [3, 3, 3, 4, 5, 5, 5, 6, 53, 130, 7, 6, 5, 4, 3, 2, 1, 0, 200, 255]),
      Case(
        testDescription: "QGemm", op: QGemm(),
        inputs: [
          bytes([2, 3], [1, 2, 3, 200, 100, 50]), scale(0.5), byte(10),
          HostTensor(.i8, [3, 2], values: [Int8](arrayLiteral: 1, -2, 3, 4, -5, 6)), .f32([2], [0.25, 0.5]),
          HostTensor(.i8, [2], values: [Int8](arrayLiteral: 1, -1)),
          HostTensor(.i32, [2], values: [Int32](arrayLiteral: 3, -4)), scale(2), byte(128),
        ], expected: [130, 118, 124, 195]),
    ]
  }()

  @Test(arguments: cases) func roundsAsOnnxruntime(_ item: Case) throws {
    var builder = GraphBuilder(name: "bytes")
    let inputs = item.inputs.enumerated().map { builder.input(Fact(.tensor($1.type)), named: "x\($0)") }
    builder.output(try builder.add1(item.op, inputs), named: "y")
    let given = try GraphEvaluator.run(builder.graph, item.inputs)
    #expect(given[0].integers == item.expected)
  }
}
