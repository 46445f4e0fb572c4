import Sinter
import SinterCore
import SinterIR
import SinterLLVM
import SinterONNX
import SinterOps
import TestSupport
import Testing

/// Models made of nodes of sequences at random, beside what these nodes mean on Swift's arrays: sequences of the caller's and of the model's
/// own, positions that are known and such that only the data tell, good ones and bad ones, sequences and tensors without elements.
@Suite struct RandomSequenceTests {
  @Test(arguments: randomCases(40)) func sequencesAreWhatTheyMean(_ seed: Int) throws {
    let model = SequenceModel(seed: UInt64(7000 + seed))
    var graph: Graph?
    var refusal: DiagnosticError?
    do {
      graph = try OnnxImporter(operators: .standard).graph(of: model.file)
    } catch let error as DiagnosticError { refusal = error }
    guard let graph else {
      // What is wrong whatever the data are may be told ahead of time.
      #expect(model.results == nil, "\(refusal.map(\.description) ?? "")\n\(model.text)")
      return
    }
    #expect(GraphVerifier.problems(of: graph) == [], "\(model.text)")
    let read = try Graph(parsing: graph.description, operators: .standard) { hash in graph.tensor(hash: hash) }
    #expect(read.outputStructures == graph.outputStructures && read.inputStructures == graph.inputStructures)
    try check("interpreted", model) { try GraphEvaluator.run(graph, values: model.inputs) }
    // A file has no way to say that ranks may differ, and checks of its own for positions.
    if model.hasRank, model.results != nil {
      do {
        let again = try OnnxImporter(operators: .standard).graph(of: try OnnxExporter().file(of: graph))
        try check("written and read", model) { try GraphEvaluator.run(again, values: model.inputs) }
      } catch let error as DiagnosticError
        where error.diagnostics.allSatisfy({ $0.kind == .limit }) && model.mayNeverHaveElements
      {
        // Of a sequence that never has elements nobody knows the rank.
      }
    }
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      let library = Result { try BoundModel(graph: graph).compile(to: "\(folder)/model.so") }
      guard case .success(let loaded) = library else {
        Issue.record("\(library)\n\(model.text)")
        return
      }
      let outcome = Result { try check("compiled", model) { try loaded.run(values: model.inputs) } }
      if case .failure(let error) = outcome { Issue.record("\(error)\n\(model.text)") }
    }
  }

  private func check(_ how: String, _ model: SequenceModel, _ run: () throws -> [HostValue]) throws {
    guard let expected = model.results else {
      #expect(throws: DiagnosticError.self, "\(how)\n\(model.text)") { _ = try run() }
      return
    }
    let given: [HostValue]
    do {
      given = try run()
    } catch {
      Issue.record("\(how): \(error)\n\(model.text)")
      return
    }
    #expect(given.count == expected.count)
    for (index, (a, b)) in zip(given, expected).enumerated() {
      #expect(a.isSame(as: b), "\(how): output \(index) is \(a.shapes), expected \(b.shapes)\n\(model.text)")
    }
  }
}

/// One model, what it is run on, and what it means.
private struct SequenceModel {
  var file: OnnxFile
  var inputs: [HostValue] = []
  /// Nil where a position lies outside.
  var results: [HostValue]?
  var text = ""
  /// Whether the file says how many axes the tensors have.
  var hasRank = true
  /// Whether it may be known ahead of time that there are no tensors.
  var mayNeverHaveElements: Bool {
    if case .sequence(let elements)? = results?.first, elements.isEmpty { return true }
    return text.contains("SequenceEmpty")
  }
  private var generator: SplitMix64
  private let rank: Int
  /// Of all axes but the first, so that tensors can be joined along that one.
  private let sizes: [Int]

  init(seed: UInt64) {
    generator = SplitMix64(seed: seed)
    rank = Int(generator.next() % 3)
    var other = generator
    sizes = (0..<max(rank - 1, 0)).map { _ in Int(other.next() % 3) }
    generator = other
    file = OnnxFile(irVersion: 8, operatorSets: [.init("", 17)], graph: .init(name: "sequences"))
    build()
  }

  private mutating func pick(_ count: Int) -> Int { Int(generator.next() % UInt64(count)) }

  private mutating func tensor() -> HostTensor {
    let shape = rank == 0 ? [] : [pick(4)] + sizes
    let values = (0..<shape.reduce(1, *)).map { _ in Float(pick(100)) }
    return .f32(shape, values)
  }

  private mutating func add(
    _ type: String, _ inputs: [String], _ output: String, _ attributes: [OnnxFile.Attribute] = []
  ) {
    file.graph.nodes.append(.init(type, inputs: inputs, outputs: [output], attributes: attributes))
    text += "\(output) = \(type)(\(inputs.joined(separator: ", ")))\n"
  }

  private mutating func port(_ value: HostValue, _ type: DeclaredType) -> String {
    let name = "x\(inputs.count)"
    inputs.append(value)
    file.graph.inputs.append(.init(name, type))
    text += "\(name) = \(value.shapes)\n"
    return name
  }

  private var tensorType: DeclaredType { .tensor(.f32, [DeclaredDim](repeating: .unknown, count: rank)) }

  /// A position near a sequence of this length: a constant, or a number of the caller's.
  private mutating func position(_ count: Int) -> (name: String, value: Int) {
    let value = pick(8) == 0 ? pick(2 * count + 4) - count - 2 : count == 0 ? 0 : pick(2 * count) - count
    if pick(2) == 0 { return (port(.tensor(.i64([], [value])), .tensor(.i64, [])), value) }
    let name = "p\(file.graph.initializers.count)"
    file.graph.initializers.append(.init(name, .i64([], [value])))
    text += "\(name) = \(value)\n"
    return (name, value)
  }

  private mutating func build() {
    var meaning: [HostTensor]? = []
    var sequence = "s"
    switch pick(3) {
    case 0:
      let tensors = (0..<pick(4)).map { _ in tensor() }
      meaning = tensors
      let shape = pick(3) == 0 ? nil : [DeclaredDim](repeating: .unknown, count: rank)
      sequence = port(.sequence(tensors.map { .tensor($0) }), .sequence(.tensor(.f32, shape ?? [.unknown])))
      if shape == nil { file.graph.inputs[file.graph.inputs.count - 1].type = .sequence(.tensor(.f32, nil)) }
    case 1:
      let tensors = (0..<(1 + pick(3))).map { _ in tensor() }
      meaning = tensors
      add("SequenceConstruct", tensors.map { port(.tensor($0), tensorType) }, "s")
    default:
      add("SequenceEmpty", [], "s", [.init("dtype", .int(1))])
    }
    hasRank = file.graph.inputs.first.map { $0.type != .sequence(.tensor(.f32, nil)) } ?? true
    for step in 0..<pick(5) {
      let next = "s\(step)"
      if pick(3) > 0 {
        let new = tensor()
        let name = port(.tensor(new), tensorType)
        if pick(3) == 0 {
          add("SequenceInsert", [sequence, name], next)
          meaning?.append(new)
        } else {
          let (place, value) = position((meaning?.count ?? 0) + 1)
          add("SequenceInsert", [sequence, name, place], next)
          if let count = meaning?.count, (-count...count).contains(value) {
            meaning?.insert(new, at: value < 0 ? value + count : value)
          } else {
            meaning = nil
          }
        }
      } else {
        let (place, value) = position(meaning?.count ?? 0)
        add("SequenceErase", [sequence, place], next)
        if let count = meaning?.count, (-count..<count).contains(value) {
          meaning?.remove(at: value < 0 ? value + count : value)
        } else {
          meaning = nil
        }
      }
      sequence = next
    }
    var outputs: [(name: String, type: DeclaredType, value: HostValue?)] = []
    outputs.append((sequence, .sequence(.tensor(.f32, nil)), meaning.map { .sequence($0.map { .tensor($0) }) }))
    if file.graph.inputs.contains(where: { $0.name == sequence }) {
      add("Identity", [sequence], "whole")
      outputs[0].name = "whole"
    }
    add("SequenceLength", [sequence], "length")
    outputs.append(("length", .tensor(.i64, []), meaning.map { .tensor(.i64([], [$0.count])) }))
    if hasRank, pick(2) == 0 {
      let (place, value) = position(meaning?.count ?? 0)
      add("SequenceAt", [sequence, place], "at")
      if let count = meaning?.count, (-count..<count).contains(value) {
        outputs.append(("at", tensorType, meaning.map { .tensor($0[value < 0 ? value + count : value]) }))
      } else {
        meaning = nil
        outputs.append(("at", tensorType, nil))
      }
    }
    if hasRank, rank > 0, pick(2) == 0 {
      add("ConcatFromSequence", [sequence], "joined", [.init("axis", .int(0))])
      if meaning?.isEmpty ?? true { meaning = nil }
      let all = meaning.map { tensors -> HostValue in
        let length = tensors.reduce(0) { $0 + $1.shape[0] }
        return .tensor(.f32([length] + sizes, tensors.flatMap { $0.array(of: Float.self) }))
      }
      outputs.append(("joined", tensorType, all))
    }
    for output in outputs { file.graph.outputs.append(.init(output.name, output.type)) }
    results = meaning == nil ? nil : outputs.compactMap(\.value)
  }
}

extension HostValue {
  fileprivate var shapes: String {
    switch self {
    case .none: "nothing"
    case .tensor(let tensor): "\(tensor.shape) \(tensor.doubles ?? [])"
    case .sequence(let elements): "[" + elements.map(\.shapes).joined(separator: ", ") + "]"
    case .map(let keys, let values): "map(\(keys.shape), \(values.shape))"
    }
  }

  fileprivate func isSame(as other: HostValue) -> Bool {
    switch (self, other) {
    case (.none, .none): true
    case (.tensor(let a), .tensor(let b)): a.element == b.element && a.shape == b.shape && a.doubles == b.doubles
    case (.sequence(let a), .sequence(let b)): a.count == b.count && zip(a, b).allSatisfy { $0.isSame(as: $1) }
    case (.map(let a, let b), .map(let c, let d)): a.doubles == c.doubles && b.doubles == d.doubles
    default: false
    }
  }
}

extension Graph {
  /// The constant that the text form names by this hash.
  fileprivate func tensor(hash: String) -> HostTensor? {
    for id in values.indices {
      guard let tensor = constant(id) else { continue }
      if TensorText.describe(tensor).contains(hash) { return tensor }
    }
    return nil
  }
}
