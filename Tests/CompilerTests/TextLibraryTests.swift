import Foundation
import Sinter
import SinterCore
import SinterIR
import SinterLLVM
import SinterOps
import Testing

/// What works on text, compiled to libraries whose runtime is C, against what it means.
@Suite struct TextLibraryTests {
  static let types: [any Operator.Type] = [
    Cast.self, Compare.self, LabelEncoder.self, OneHotEncoder.self, RegexFullMatch.self, StringConcat.self,
    StringNormalizer.self,
    StringSplit.self, TfIdfVectorizer.self, Tokenizer.self, Unique.self,
  ]

  struct Case: CustomTestStringConvertible, Sendable {
    var example: OperatorExample
    var testDescription: String
  }

  /// The examples with text.
  static let cases = types.flatMap { type in
    type.examples.enumerated().filter { item in
      let inputs = item.element.inputs.contains { input in
        switch input {
        case .given(let tensor), .constant(let tensor): tensor.element == .string
        case .random(let type, _): type.element == .string
        case .absent: false
        }
      }
      return inputs || (item.element.op as? Cast)?.to == .string
        || (item.element.op as? LabelEncoder)?.values?.element == .string
    }.map { Case(example: $0.element, testDescription: "\(type.name), example \($0.offset)") }
  }

  /// A graph of one node, whose inputs are open but for those that the example knows ahead of time.
  private static func graph(of example: OperatorExample) throws -> (Graph, [HostTensor]) {
    var builder = GraphBuilder(name: Swift.type(of: example.op).name)
    var inputs: [HostTensor] = []
    let values = try example.inputs.enumerated().map { index, input -> ValueID? in
      switch input {
      case .absent: return nil
      case .constant(let tensor): return builder.constant(tensor)
      case .given(let tensor):
        inputs.append(tensor)
        return builder.input(Fact(.tensor(tensor.type)), named: "x\(index)")
      case .random(let type, _):
        let shape = try type.shape.map { try #require($0.evaluated { example.sizes[$0] }) }
        inputs.append(HostTensor(type.element, shape, integers: (0..<shape.reduce(1, *)).map { Int64($0 % 3 - 1) }))
        return builder.input(Fact(.tensor(type)), named: "x\(index)")
      }
    }
    for (index, result) in try builder.add(example.op, values, outputs: example.outputCount).enumerated() {
      builder.output(result, named: "y\(index)")
    }
    return (builder.graph, inputs)
  }

  @Test(arguments: cases)
  func librariesComputeText(_ item: Case) throws {
    let (graph, inputs) = try Self.graph(of: item.example)
    let expected = try GraphEvaluator.run(graph, inputs, symbols: item.example.sizes)
    let folder = FileManager.default.temporaryDirectory.appending(path: "sinter-text-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let model = try BoundModel(graph: graph).compile(to: folder.appending(path: "lib.so").path)
    let session = try model.library.session(threads: 1)
    for _ in 0..<2 {
      let computed = try session.run(inputs)
      #expect(computed.count == expected.count)
      for (a, b) in zip(computed, expected) {
        #expect(
          a.difference(from: b) <= 1e-5,
          "\(a.type) \(a.strings) \(a.doubles ?? []), not \(b.strings) \(b.doubles ?? [])")
      }
    }
  }
}
