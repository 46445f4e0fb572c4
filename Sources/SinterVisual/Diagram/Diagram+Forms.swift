import SinterCore
import SinterForms
import SinterIR

extension Diagram {
  /// A program of loop forms; after fusion, one node for what becomes a kernel.
  ///
  /// - Parameters:
  ///   - fusion: what was decided about each edge, whose reasons the edges then tell.
  ///   - kernels: the names of the kernels that compute what comes from given origins.
  package init(
    of program: FormProgram, title: String? = nil, fusion: FusionReport = FusionReport(),
    kernels: [[String]: [String]] = [:]
  ) {
    var walk = FormWalk(program: program, fusion: fusion, kernels: kernels, title: title ?? program.name + ", fused")
    for input in program.inputs {
      walk.addPort(.input, input.name, input.declared ?? program.values[input.value].type)
      walk.sources[input.value] = walk.diagram.nodes.count - 1
    }
    walk.add(program.steps, layers: [])
    for output in program.outputs {
      let from = walk.sources[output.value]
      walk.addPort(.output, output.name, output.declared ?? program.values[output.value].type)
      if let from { walk.connect(from, walk.diagram.nodes.count - 1, output.value) }
    }
    self = walk.diagram
  }
}

private struct FormWalk {
  let program: FormProgram
  let kernels: [[String]: [String]]
  var diagram: Diagram
  var sources: [FormValueID: Int] = [:]
  private var reasons: [FormValueID: [FormValueID: String]] = [:]
  private var constants: [FormValueID: Int] = [:]
  private var parts = 0

  init(program: FormProgram, fusion: FusionReport, kernels: [[String]: [String]], title: String) {
    self.program = program
    self.kernels = kernels
    diagram = Diagram(title: title)
    for edge in fusion.edges {
      guard case .stored(let refusal) = edge.outcome else { continue }
      reasons[edge.producer, default: [:]][edge.consumer] = refusal.rawValue
    }
  }

  mutating func addPort(_ kind: Diagram.Kind, _ name: String, _ type: TensorType) {
    diagram.nodes.append(Diagram.Node(kind: kind, title: name, name: name, family: .other, results: ["\(type)"]))
  }

  mutating func connect(_ from: Int, _ to: Int, _ value: FormValueID, note: String = "") {
    diagram.edges.append(Diagram.Edge(from: from, to: to, type: "\(program.values[value].type)", note: note))
  }

  mutating func add(_ steps: [FormProgram.Step], layers: [String]) {
    for step in steps {
      switch step {
      case .compute(let value, let form):
        addNode(title(form), family(form), [value], computing: [value], form.operands, layers)
      case .rows(let group):
        let inside = Set(group.members.map(\.value))
        let operands = unique(group.members.flatMap(\.form.operands).filter { !inside.contains($0) })
        let titles = unique(group.members.map { title($0.form) })
        addNode(
          "rows: " + titles.joined(separator: ", "), .normalization, group.stored,
          computing: group.members.map(\.value),
          operands, layers)
      case .repetition(let repetition):
        parts += 1
        for carried in repetition.carried { sources[carried.current] = sources[carried.initial] }
        for input in repetition.inputs { sources[input.slice] = sources[input.whole] }
        add(repetition.body, layers: layers + ["iteration \(parts), \(repetition.count) times"])
        for carried in repetition.carried { sources[carried.final] = sources[carried.next] }
        for output in repetition.outputs { sources[output.whole] = sources[output.slice] }
      case .branch(let branch):
        parts += 1
        let part = parts
        add(branch.then, layers: layers + ["branch \(part), then"])
        add(branch.otherwise, layers: layers + ["branch \(part), else"])
        let parts = branch.results.flatMap { [$0.then, $0.otherwise] }
        addNode(
          "branch", .control, branch.results.map(\.result), computing: [], unique(step.operands + parts), layers)
      case .define(let symbol, .element(let value, _)):
        addNode("size \(symbol.name)", .control, [], computing: [], [value], layers)
      case .define(_, .size): break
      case .require(let obligation): diagram.requirements.append(obligation.explained)
      }
    }
  }

  private mutating func addNode(
    _ title: String, _ family: OperatorFamily, _ results: [FormValueID], computing: [FormValueID],
    _ operands: [FormValueID], _ outer: [String]
  ) {
    let origins = unique((computing + results).flatMap { program.values[$0].origin })
    let parsed = origins.map { Origin(parsing: $0) }
    let labels = unique(parsed.map(\.label).filter { !$0.isEmpty })
    let short = unique(labels.map { $0.split(separator: "/").last.map(String.init) ?? $0 })
    var node = Diagram.Node(
      title: title, subtitle: short.prefix(4).joined(separator: " + ") + (short.count > 4 ? " + …" : ""),
      name: labels.first ?? "", family: family, layers: outer.isEmpty ? parsed.commonLayers : outer)
    node.results = results.map { "\(program.values[$0].type)" }
    node.origins = origins
    node.labels = labels
    // Steps of one node have the same origin; what a kernel does begins its name.
    let kinds = Self.kernelKinds[title.prefix { $0.isLetter }.description] ?? []
    node.notes = unique((computing + results).flatMap { kernels[program.values[$0].origin] ?? [] })
      .filter { name in kinds.contains { name.hasPrefix($0) } }.map { "kernel \($0)" }
    var edges: [(Int, FormValueID)] = []
    for operand in operands {
      if let tensor = program.values[operand].constant {
        node.constants.append(constant(operand, tensor))
      } else if let source = sources[operand] {
        edges.append((source, operand))
      }
    }
    diagram.nodes.append(node)
    let position = diagram.nodes.count - 1
    for (source, value) in edges {
      let reason = reasons[value].flatMap { known in
        computing.compactMap { known[$0] }.first ?? (computing.isEmpty ? known.values.min() : nil)
      }
      connect(source, position, value, note: reason ?? "")
    }
    for result in results { sources[result] = position }
  }

  /// How names of kernels begin, by the first word of what they compute.
  private static let kernelKinds = [
    "element": ["element", "copy"], "convolve": ["convolve", "winograd", "depthwise", "transposed"],
    "rows": ["rows", "contract", "reduce"], "contract": ["contract"], "attend": ["attend"], "reduce": ["reduce"],
    "scan": ["scan"], "sort": ["sort"], "scatter": ["scatter"],
  ]

  private mutating func constant(_ value: FormValueID, _ tensor: HostTensor) -> Int {
    if let known = constants[value] { return known }
    diagram.constants.append(.init(name: program.values[value].name, tensor: tensor))
    constants[value] = diagram.constants.count - 1
    return diagram.constants.count - 1
  }

  private func unique<T: Hashable>(_ values: [T]) -> [T] {
    var seen: Set<T> = []
    return values.filter { seen.insert($0).inserted }
  }

  private func title(_ form: Form) -> String {
    func with(_ name: String, _ epilogue: Body?) -> String { epilogue == nil ? name : name + " + epilogue" }
    return switch form {
    case .element: "element"
    case .reduce(let form): with("reduce \(form.combine.rawValue)", form.epilogue)
    case .contract(let form): with("contract", form.epilogue)
    case .attend(let form): with("attend", form.epilogue)
    case .convolve(let form):
      with(
        (form.isTransposed ? "convolve transposed " : "convolve ")
          + form.window.map(String.init).joined(separator: "×")
          + (form.strides.contains { $0 != 1 } ? " /" + form.strides.map(String.init).joined(separator: ",") : "")
          + (form.groups > 1 ? " group \(form.groups)" : ""),
        form.epilogue)
    case .scan(let form): "scan axis \(form.axis)"
    case .scatter: "scatter"
    case .sort(let form): "sort axis \(form.axis)"
    case .call(let form): form.function.rawValue
    }
  }

  private func family(_ form: Form) -> OperatorFamily {
    switch form {
    case .contract, .attend, .convolve: .contraction
    case .element: .elementwise
    case .reduce: .reduction
    case .scan, .sort: .recurrent
    case .scatter: .indexing
    case .call: .other
    }
  }
}
