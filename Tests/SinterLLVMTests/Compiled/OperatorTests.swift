import SinterCore
import SinterIR
import SinterKernel
import SinterLLVM
import SinterOps
import SinterPasses
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
      // Text, and sizes that only the data tell, are not kernels' matter.
      let known = Set(
        graph.inputs.compactMap { graph.type(of: $0.value).tensor }.flatMap { $0.shape.flatMap(\.symbols) })
      if types.count < graph.outputs.count || types.contains(where: { $0.element == .string }) { continue }
      if !types.allSatisfy({ $0.shape.allSatisfy { known.isSuperset(of: $0.symbols) } }) { continue }
      let expected = try GraphEvaluator.run(graph, inputs, symbols: example.sizes)
      let kernels = try Scheduler.schedule(Fusion.fuse(try graph.lowered()).program, for: target.machine)
      let computed = try KernelRunner(kernels, target: target).run(inputs, sizes: example.sizes)
      for (a, b) in zip(expected, computed) {
        #expect(a.element == b.element && a.shape == b.shape, "example \(index) for \(target.name)")
        let error = Self.distance(a, b)
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

  /// The largest difference, relative to the largest magnitude (at least 1).
  private static func distance(_ a: HostTensor, _ b: HostTensor) -> Double {
    guard a.element == b.element, a.shape == b.shape else { return .infinity }
    guard a.element.isFloat, let x = a.doubles, let y = b.doubles else {
      return a.bytes.withBytes { p in b.bytes.withBytes { q in p.elementsEqual(q) } } ? 0 : .infinity
    }
    let scale = x.reduce(1) { Swift.max($0, $1.isFinite ? abs($1) : 0) }
    return zip(x, y).reduce(0) { worst, pair in
      if pair.0 == pair.1 || (pair.0.isNaN && pair.1.isNaN) { return worst }
      let error = abs(pair.0 - pair.1) / scale
      return error.isNaN ? .infinity : Swift.max(worst, error)
    }
  }
}
