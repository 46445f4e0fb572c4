import SinterCore

extension FormProgram.Step {
  /// The values that the step defines and that later steps may read.
  package var results: [FormValueID] {
    switch self {
    case .compute(let value, _): [value]
    case .rows(let group): group.stored
    case .repetition(let repetition): repetition.carried.map(\.final) + repetition.outputs.map(\.whole)
    case .branch(let branch): branch.results.map(\.result)
    case .define, .require: []
    }
  }

  /// The values that the step reads and does not define itself, each once, in order of first use.
  package var operands: [FormValueID] {
    switch self {
    case .compute(_, let form): return form.operands
    case .rows(let group):
      var seen = Set(group.members.map(\.value))
      return group.members.flatMap { $0.form.operands }.filter { seen.insert($0).inserted }
    case .repetition(let repetition):
      var seen: Set<FormValueID> = []
      for variable in repetition.carried { seen.insert(variable.current) }
      for input in repetition.inputs { seen.insert(input.slice) }
      for step in repetition.body { seen.formUnion(step.definitions) }
      let used =
        repetition.carried.map(\.initial) + repetition.inputs.map(\.whole) + repetition.body.flatMap(\.operands)
        + repetition.carried.map(\.next) + repetition.outputs.map(\.slice)
      return used.filter { seen.insert($0).inserted }
    case .branch(let branch):
      var seen: Set<FormValueID> = []
      for step in branch.then + branch.otherwise { seen.formUnion(step.definitions) }
      let used =
        [branch.condition] + (branch.then + branch.otherwise).flatMap(\.operands)
        + branch.results.flatMap { [$0.then, $0.otherwise] }
      return used.filter { seen.insert($0).inserted }
    case .define(_, .element(let value, _)): return [value]
    case .define(_, .size), .require: return []
    }
  }

  /// All values that the step computes, those that nobody else sees included.
  package var definitions: [FormValueID] {
    switch self {
    case .compute(let value, _): [value]
    case .rows(let group): group.members.map(\.value)
    case .repetition(let repetition):
      results + repetition.carried.map(\.current) + repetition.inputs.map(\.slice)
        + repetition.body.flatMap(\.definitions)
    case .branch(let branch): results + (branch.then + branch.otherwise).flatMap(\.definitions)
    case .define, .require: []
    }
  }

  /// Whether steps must stay on the side of it that they are on: it makes sizes known, or may end the run.
  package var isBarrier: Bool {
    switch self {
    case .define, .require: true
    case .repetition(let repetition): repetition.iterations != nil || !repetition.sizes.isEmpty
    case .branch(let branch): !branch.sizes.isEmpty
    case .compute, .rows: false
    }
  }
}

extension Form {
  /// What happens to each element of the result before it is stored.
  package var epilogue: Body? {
    get {
      switch self {
      case .reduce(let form): form.epilogue
      case .contract(let form): form.epilogue
      case .attend(let form): form.epilogue
      case .convolve(let form): form.epilogue
      case .element, .scan, .scatter, .sort, .call: nil
      }
    }
    set {
      switch self {
      case .reduce(var form):
        form.epilogue = newValue
        self = .reduce(form)
      case .contract(var form):
        form.epilogue = newValue
        self = .contract(form)
      case .attend(var form):
        form.epilogue = newValue
        self = .attend(form)
      case .convolve(var form):
        form.epilogue = newValue
        self = .convolve(form)
      case .element, .scan, .scatter, .sort, .call: break
      }
    }
  }
}
