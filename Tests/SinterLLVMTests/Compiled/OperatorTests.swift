import SinterCPU
import SinterCore
import SinterForms
import SinterIR
import SinterLLVM
import SinterOps
import SinterPasses
import TestSupport
import Testing

/// What every operator's examples compute when they are compiled, against what they mean.
@Suite struct CompiledOperatorTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var type: any Operator.Type
    var testDescription: String { type.name }
  }

  static let all = OpTable.standard.all.map { Case(type: $0) }

  @Test(arguments: all, runnableTargets)
  func compiledIsEvaluated(_ item: Case, target: Target) throws {
    for (index, example) in item.type.examples.enumerated() {
      let (graph, inputs) = try Self.graph(of: example)
      let types = graph.outputs.compactMap { graph.type(of: $0.value).tensor }
      // Sizes that only the data tell are not kernels' matter.
      let known = Set(
        graph.inputs.compactMap { graph.type(of: $0.value).tensor }.flatMap { $0.shape.flatMap(\.symbols) })
      if types.count < graph.outputs.count { continue }
      if !types.allSatisfy({ $0.shape.allSatisfy { known.isSuperset(of: $0.symbols) } }) { continue }
      let expected = try GraphEvaluator.run(graph, inputs, symbols: example.sizes)
      let kernels = try Scheduler.schedule(
        Fusion.fuse(try graph.lowered()).program.numberingTexts(), for: target.machine)
      let computed = try KernelRunner(kernels, target: target).run(inputs, sizes: example.sizes)
      for (a, b) in pairs(computed, expected, "example \(index) for \(target.name)") {
        #expect(a.element == b.element && a.shape == b.shape, "example \(index) for \(target.name)")
        let error = a.distance(to: b)
        #expect(error <= example.tolerance, "example \(index) for \(target.name)")
      }
    }
  }

  private static func graph(of example: OperatorExample) throws -> (Graph, [HostTensor]) {
    var builder = GraphBuilder(name: Swift.type(of: example.op).name)
    var generator = Generator(state: 3)
    var values = [ValueID?](repeating: nil, count: example.inputs.count)
    var inputs: [HostTensor] = []
    for (index, input) in example.inputs.enumerated() {
      switch input {
      case .absent: continue
      case .constant(let tensor): values[index] = builder.constant(tensor)
      case .given(let tensor):
        values[index] = builder.input(Fact(.tensor(tensor.type)), named: "x\(index)")
        inputs.append(tensor)
      case .random(let type, let range):
        let shape = try type.shape.map { try #require($0.evaluated { example.sizes[$0] }) }
        let numbers = (0..<shape.reduce(1, *)).map { _ -> Double in
          let unit = Double(generator.next() >> 11) / Double(1 << 53)
          let value = range.lowerBound + unit * (range.upperBound - range.lowerBound)
          return type.element.isFloat ? value : value.rounded(.down)
        }
        values[index] = builder.input(Fact(.tensor(type)), named: "x\(index)")
        inputs.append(HostTensor(type.element, shape, doubles: numbers))
      }
    }
    let results = try builder.add(example.op, values, outputs: example.outputCount)
    for (index, result) in results.enumerated() { builder.output(result, named: "y\(index)") }
    return (builder.graph, inputs)
  }
}
