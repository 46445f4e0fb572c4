import Sinter
import SinterCore
import SinterForms
import SinterIR
import SinterLLVM
import SinterOps
import TestSupport
import Testing

/// Every operator of the table on every element type that its rules allow: compiled, it gives what it means, or is refused by name.
@Suite struct ElementTypeTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var type: any Operator.Type
    var testDescription: String { type.name }
  }

  static let all = OpTable.standard.all.map { Case(type: $0) }

  @Test(arguments: all) func computesOrRefusesEveryElementType(_ item: Case) {
    // One example shows a pair of types, and one type each kind; with SINTER_FUZZ all do.
    let isThorough = Flags.fromEnvironment().fuzz != nil
    let others: [ElementType] = isThorough ? ElementType.allCases : [.bool, .string, .c64, .c128, .f16, .i8, .i4]
    var seen: Set<[ElementType]> = []
    for (number, example) in item.type.examples.enumerated() {
      for own in Set(example.inputs.compactMap(\.element)).sorted(by: { $0.rawValue < $1.rawValue }) {
        for other in others where other != own && (isThorough || !seen.contains([own, other])) {
          let name = "\(item.type.name), example \(number), \(own) as \(other)"
          if Self.check(example.replacing(own, by: other), name) { seen.insert([own, other]) }
        }
      }
    }
  }

  /// Whether the example compiles.
  private static func check(_ example: OperatorExample, _ name: String) -> Bool {
    CrashNote.during(name) {
      do {
        let (graph, inputs) = try graph(of: example)
        let kernels = try SizeCheck.kernels(of: graph)
        let runner = try KernelRunner(kernels)
        guard let expected = try meaning(of: graph, inputs, example) else { return true }
        let computed = try runner.run(inputs, sizes: example.sizes)
        let coarseness = (inputs + expected).map(\.element.coarseness).max() ?? 0
        for (a, b) in pairs(computed, expected, name) {
          let error = a.distance(to: b)
          let tolerance = example.op.isDeterministic ? max(example.tolerance, coarseness) : .infinity
          if error > tolerance { Issue.record("\(name): off by \(error)") }
        }
        return true
      } catch {
        let found = (error as? DiagnosticError)?.diagnostics
        if found?.allSatisfy({ $0.kind != .bug }) != true { Issue.record("\(name): \(error)") }
        return false
      }
    }
  }

  /// Nil where the numbers at hand are refused.
  private static func meaning(
    of graph: Graph, _ inputs: [HostTensor], _ example: OperatorExample
  ) throws -> [HostTensor]? {
    do {
      return try GraphEvaluator.run(graph, inputs, symbols: example.sizes)
    } catch let error as DiagnosticError where error.diagnostics.allSatisfy({ $0.kind == .user }) {
      return nil
    }
  }

  private static func graph(of example: OperatorExample) throws -> (Graph, [HostTensor]) {
    var builder = GraphBuilder(name: Swift.type(of: example.op).name)
    var values = [ValueID?](repeating: nil, count: example.inputs.count)
    var inputs: [HostTensor] = []
    for (index, input) in example.inputs.enumerated() {
      switch input {
      case .absent, .random: continue
      case .constant(let tensor): values[index] = builder.constant(tensor)
      case .given(let tensor):
        values[index] = builder.input(Fact(.tensor(tensor.type)), named: "x\(index)")
        inputs.append(tensor)
      }
    }
    let results = try builder.add(example.op, values, outputs: example.outputCount)
    for (index, result) in results.enumerated() { builder.output(result, named: "y\(index)") }
    return (builder.graph, inputs)
  }
}

extension OperatorExample.Input {
  fileprivate var element: ElementType? {
    switch self {
    case .absent: nil
    case .given(let tensor), .constant(let tensor): tensor.element
    case .random(let type, _): type.element
    }
  }
}

extension OperatorExample {
  /// The same with numbers for all sizes, and inputs of another element type in place of one.
  fileprivate func replacing(_ own: ElementType, by other: ElementType) -> OperatorExample {
    var copy = self
    var generator = SeededGenerator(seed: 5)
    copy.inputs = inputs.map { input in
      func replaced(_ tensor: HostTensor) -> HostTensor {
        tensor.element == own ? tensor.converted(to: other, &generator) : tensor
      }
      switch input {
      case .absent: return .absent
      case .given(let tensor): return .given(replaced(tensor))
      case .constant(let tensor): return .constant(replaced(tensor))
      case .random(let type, let range):
        let shape = type.shape.map { $0.evaluated { sizes[$0] } ?? 0 }
        let numbers = (0..<shape.reduce(1, *)).map { _ in Double.random(in: range, using: &generator) }
        let isWhole = !type.element.isFloat
        return .given(
          replaced(HostTensor(type.element, shape, doubles: isWhole ? numbers.map { $0.rounded(.down) } : numbers)))
      }
    }
    return copy
  }
}

extension HostTensor {
  /// The nearest elements of another type; texts and complex numbers are made up.
  fileprivate func converted(to other: ElementType, _ generator: inout SeededGenerator) -> HostTensor {
    switch other.kind {
    case .string: HostTensor(strings: (0..<count).map { _ in "\(generator.next() % 4)" }, shape: shape)
    case .complex:
      HostTensor(
        other, shape, values: (0..<count * other.bits / 32).map { _ in Float.random(in: -1..<1, using: &generator) })
    case .float, .signed, .unsigned, .bool:
      HostTensor(other, shape, doubles: doubles ?? (0..<count).map { _ in Double(generator.next() % 4) })
    }
  }
}

extension ElementType {
  /// What roundings in between make of results, which kernels leave out: some steps of the type.
  fileprivate var coarseness: Double {
    switch self {
    case .f16: 0x1p-7
    case .bf16: 0x1p-4
    case .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1: 1
    case .f32, .f64, .i8, .i16, .i32, .i64, .u8, .u16, .u32, .u64, .bool, .string, .c64, .c128, .i4, .u4, .i2, .u2: 0
    }
  }
}
