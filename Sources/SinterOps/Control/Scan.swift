import SinterCore
import SinterForms
import SinterIR

/// A graph run once for each place along an axis, with states carried from one run to the next.
///
/// Inputs: the states, then what is sliced. The graph takes the states and one slice of each, and gives the next states and what is collected.
/// Results: the last states, then what was collected, along an axis. States keep their sizes.
public struct Scan: Primitive, ControlFlow {
  public static let name = "Scan"
  public static let summary = "A graph run for each place along an axis, with states carried on."

  /// How many inputs are states, which come first.
  public var stateCount = 0
  /// How many inputs are sliced, at least 1; they come behind the states.
  public var slicedCount = 0
  /// The axis of each sliced input, and of each collected result; absent, 0.
  public var inputAxes: [Int] = []
  /// The axis of each collected result; empty: 0.
  public var outputAxes: [Int] = []
  /// 1 where slices are taken, or collected, from the end.
  public var inputDirections: [Int] = []
  /// 1 for each collected result that is filled from its end; empty: 0.
  public var outputDirections: [Int] = []

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.int("states", &stateCount, default: 0)
    list.int("num_scan_inputs", &slicedCount, default: 0)
    list.ints("scan_input_axes", &inputAxes, default: [])
    list.ints("scan_input_directions", &inputDirections, default: [])
    list.ints("scan_output_axes", &outputAxes, default: [])
    list.ints("scan_output_directions", &outputDirections, default: [])
  }

  public static var onnx: [OnnxRule] {
    [
      OnnxRule("Scan", since: 9) { node, builder in
        var op = Scan()
        var reader = OnnxAttributeReader(node)
        op.attributes(&reader)
        try reader.finish()
        op.stateCount = node.inputs.count - op.slicedCount
        guard op.stateCount >= 0 else {
          throw DiagnosticError(
            .user, "scan.inputs", "num_scan_inputs is \(op.slicedCount), but there are \(node.inputs.count) inputs")
        }
        let body = try node.body("body")
        var facts: [Fact] = []
        let inputs = builder.inputs(node.inputs, outputs: node.outputCount)
        for index in 0..<op.stateCount { facts.append(Fact(.tensor(try inputs.tensor(index)))) }
        for (place, index) in (op.stateCount..<node.inputs.count).enumerated() {
          var type = try inputs.tensor(index)
          type.shape.remove(at: try op.axis(op.inputAxes, place, rank: type.rank))
          facts.append(Fact(.tensor(type)))
        }
        let graph = try body.build(facts + body.captures.map { builder.fact($0) })
        return try builder.add(op, node.inputs + body.captures, outputs: node.outputCount, bodies: [graph])
      },
      OnnxRule("Scan", since: 8) { node, builder in try ofBatches(node, &builder) },
    ]
  }

  /// Opset 8's form: states and what is sliced have an axis of samples before all others, along which this is a scan without states of scans. The
  /// first input, how many slices each sample has, must be absent.
  private static func ofBatches(_ node: OnnxNode, _ builder: inout GraphBuilder) throws -> [ValueID] {
    guard node.input(0) == nil else {
      throw DiagnosticError(
        .limit, "scan.lengths", "sequences of different lengths are not supported in the Scan of opset 8",
        hint: "convert the model to opset 9 or later")
    }
    let (given, body) = (Array(node.inputs.dropFirst()), try node.body("body"))
    var inner = Scan()
    inner.slicedCount = node.int("num_scan_inputs") ?? 0
    inner.stateCount = given.count - inner.slicedCount
    inner.inputDirections = node.ints("directions") ?? []
    guard inner.slicedCount > 0, inner.stateCount >= 0 else {
      throw DiagnosticError(
        .user, "scan.inputs", "num_scan_inputs is \(inner.slicedCount), but there are \(given.count) inputs")
    }
    let inputs = builder.inputs(given, outputs: node.outputCount)
    var sample = GraphBuilder(name: "sample")
    sample.origin = builder.origin
    var (own, facts): ([ValueID], [Fact]) = ([], [])
    for index in given.indices {
      var type = try inputs.tensor(index)
      guard type.rank >= (index < inner.stateCount ? 1 : 2) else {
        throw DiagnosticError(.user, "scan.rank", "input \(index + 1) must have an axis of samples, but is \(type)")
      }
      type.shape.removeFirst()
      own.append(sample.input(Fact(.tensor(type)), named: "input\(index)"))
      if index >= inner.stateCount { type.shape.removeFirst() }
      facts.append(Fact(.tensor(type)))
    }
    let captures = body.captures.enumerated().map { index, value in
      sample.input(builder.fact(value), named: "capture\(index)")
    }
    let graph = try body.build(facts + body.captures.map { builder.fact($0) })
    for (index, result) in try sample.add(inner, own + captures, outputs: body.outputCount, bodies: [graph])
      .enumerated()
    {
      sample.output(result, named: "output\(index)")
    }
    var outer = Scan()
    outer.slicedCount = given.count
    return try builder.add(outer, given + body.captures, outputs: node.outputCount, bodies: [sample.graph])
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    var node = NodeSpecification(of: self, since: 16)
    node.attributes.removeAll { $0.name == "states" }
    node.bodies = [("body", stateCount + slicedCount)]
    return node
  }

  private func axis(_ axes: [Int], _ place: Int, rank: Int) throws -> Int {
    try normalizedAxis(place < axes.count ? axes[place] : 0, rank: rank)
  }

  private func isReversed(_ directions: [Int], _ place: Int) -> Bool {
    place < directions.count && directions[place] != 0
  }

  /// That a state is as large behind an iteration as before it.
  private static func kept(_ before: TensorType, _ after: TensorType, _ index: Int) throws -> [Obligation] {
    guard before.element == after.element, before.rank == after.rank else {
      throw DiagnosticError(
        .user, "scan.state",
        "state \(index) is \(before) before an iteration and \(after) after it; it must keep its type")
    }
    return zip(before.shape, after.shape).enumerated().map { axis, sizes in
      Obligation(
        .equal, sizes.0, sizes.1, subject: "sizes of state \(index) along axis \(axis) before and behind an iteration",
        op: name)
    }
  }

  /// How often the graph runs.
  private func count(_ types: [TensorType], _ obligations: inout Obligations) throws -> Dim {
    let sizes = try types.enumerated().map { place, type in type.shape[try axis(inputAxes, place, rank: type.rank)] }
    guard let first = sizes.first else {
      throw DiagnosticError(.user, "scan.inputs", "at least one input must be sliced")
    }
    return try sizes.dropFirst().reduce(first) { try obligations.equal($0, $1, "lengths of what is sliced") }
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let body = try inputs.body(0, "body")
    let count = try count((0..<slicedCount).map { try inputs.tensor(stateCount + $0) }, &obligations)
    guard body.inputs.count >= stateCount + slicedCount, body.outputs.count >= stateCount else {
      throw DiagnosticError(
        .user, "scan.results",
        "the graph must take and give \(stateCount) states, but gives \(body.outputs.count) results")
    }
    let inside = body.ownDataSymbols
    return try body.outputs.indices.map { index in
      var type = try body.tensorOutput(index)
      if index < stateCount {
        let before = body.type(of: body.inputs[index].value).tensor ?? type
        for obligation in try Self.kept(before, type, index) where obligation.isSettled(obligations.ranges) == false {
          throw DiagnosticError([obligation.refutation])
        }
        type = try inputs.tensor(index)
      } else {
        if let size = type.shape.first(where: { !inside.isDisjoint(with: $0.symbols) }) {
          throw DiagnosticError(
            .limit, "scan.slice",
            "result \(index) is \(type) in an iteration, where \(size) may differ from iteration to iteration",
            hint: "collect values of one size, or use a Loop")
        }
        type.shape.insert(count, at: try axis(outputAxes, index - stateCount, rank: type.rank + 1))
      }
      return Fact(.tensor(type))
    }
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let states = try (0..<stateCount).map { try node.input($0) }
    let captures = try node.inputs.indices.dropFirst(stateCount + slicedCount).map { try node.input($0) }
    let whole = try (0..<slicedCount).map { try node.input(stateCount + $0) }
    var settled = Obligations()
    let count = try count(whole.map(\.type), &settled)
    // Slices lie along the first axis.
    let sliced = try whole.enumerated().map { place, operand in
      let axis = try axis(inputAxes, place, rank: operand.rank)
      return try turned(operand, from: axis, to: 0, &lowering)
    }
    let body = try node.facts.body(0, "body")
    let (final, collected) = try lowering.repetition(
      count: count, carried: states, sliced: sliced, isReversed: { isReversed(inputDirections, $0) },
      collectsReversed: { isReversed(outputDirections, $0) }
    ) { lowering, current, slices in
      let results = try body.lower(into: &lowering, inputs: current + slices + captures)
      for (index, (before, after)) in zip(current, results).enumerated() {
        lowering.require(try Self.kept(before.type, after.type, index).filter { $0.isSettled() == nil })
      }
      // A value that the iteration computes and hands on once needs no copy.
      var taken: Set<FormValueID> = []
      let own = try results.map { result in
        lowering.computes(result) && taken.insert(result.id).inserted ? result : try lowering.copied(result)
      }
      return (Array(own.prefix(stateCount)), Array(own.dropFirst(stateCount)))
    }
    let outputs = try collected.enumerated().map { place, operand in
      let axis = try axis(outputAxes, place, rank: operand.rank)
      return try turned(operand, from: 0, to: axis, &lowering)
    }
    return final + outputs
  }

  /// An operand with one axis moved.
  private func turned(_ operand: Operand, from: Int, to: Int, _ lowering: inout Lowering) throws -> Operand {
    if from == to { return operand }
    var shape = operand.shape
    shape.insert(shape.remove(at: from), at: to)
    return try lowering.element(shape) { builder, index in
      var own = index
      own.insert(own.remove(at: to), at: from)
      return builder.load(operand.id, own)
    }
  }

  public static var examples: [OperatorExample] { [] }
}

/// Throws where a graph gives a carried value another type than it took.
func checkCarried(_ before: TensorType, _ after: TensorType, _ index: Int) throws {
  let agrees =
    before.element == after.element && before.rank == after.rank
    && zip(before.shape, after.shape).allSatisfy { $0 == $1 || $0.variesByIteration }
  if !agrees {
    throw DiagnosticError(
      .limit, "control.carried",
      "carried value \(index) is \(before) before an iteration and \(after) after it; it must keep its element type and number of axes"
    )
  }
}
