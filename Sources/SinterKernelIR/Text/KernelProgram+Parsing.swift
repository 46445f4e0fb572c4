import SinterCore
import SinterForms

extension KernelProgram {
  /// Reads what `description` writes.
  ///
  /// - Parameter store: gives the contents of a constant by its hash, where the text does not hold them.
  /// - Throws: a `user` error with line and column.
  package init(parsing text: String, store: (String) -> HostTensor? = { _ in nil }) throws {
    self = try withoutActuallyEscaping(store) { store in
      var parser = KernelProgramParser(TextScanner(text), store: store)
      return try parser.program()
    }
  }
}

private struct KernelProgramParser {
  private var scanner: TextScanner
  private let store: (String) -> HostTensor?
  private var result = KernelProgram(name: "")
  private var depth = 0

  init(_ scanner: TextScanner, store: @escaping (String) -> HostTensor?) {
    self.scanner = scanner
    self.store = store
  }

  mutating func program() throws -> KernelProgram {
    try scanner.expect("kernels")
    result.name = try scanner.quoted()
    try scanner.expect("{")
    while !scanner.take("}") {
      if scanner.take("range") {
        let symbol = scanner.symbol()
        let words = scanner.number().split(separator: ".")
        guard words.count == 2, let low = Int(words[0]), let high = Int(words[1]), low <= high else {
          throw scanner.error("expected a range such as 1...64")
        }
        result.ranges[symbol] = low...high
      } else if scanner.take("error") {
        guard try scanner.integer() == result.errors.count else { throw scanner.error("errors are numbered from 0 on") }
        result.errors.append(try scanner.quoted())
      } else if scanner.take("text") {
        guard result.texts.number(of: try scanner.quoted()) == result.texts.count - 1 else {
          throw scanner.error("each text is listed once, and the empty one is there from the start")
        }
      } else if scanner.take("input") {
        result.inputs.append(try port())
      } else if scanner.take("output") {
        result.outputs.append(try port())
      } else if scanner.take("arena") {
        result.arenaBytes = try scanner.integer()
      } else if scanner.take("buffer") {
        try buffer()
      } else {
        // A kernel's word is read again by its own parser; sizes that callers choose are checked before the first step.
        var attempt = scanner
        if result.steps.isEmpty, result.outputs.isEmpty, attempt.take("require") {
          scanner = attempt
          result.obligations.append(try scanner.obligation())
          continue
        }
        if attempt.take("kernel") {
          var parser = KernelParser(scanner)
          result.kernels.append(try parser.kernel())
          scanner = parser.scanner
        } else {
          result.steps.append(try step())
        }
      }
    }
    return result
  }

  private mutating func port() throws -> KernelProgram.Port {
    let name = try scanner.quoted()
    try scanner.expect(":")
    return .init(name: name, type: try type())
  }

  private mutating func element() throws -> ElementType {
    let name = scanner.word()
    guard let element = ElementType(name: name) else { throw scanner.error("\(name) is no element type") }
    return element
  }

  private mutating func type() throws -> TensorType {
    let element = try element()
    var shape: [Dim] = []
    try scanner.expect("[")
    try scanner.list(until: "]") { shape.append(try $0.size()) }
    return TensorType(element, shape)
  }

  private mutating func group() throws -> Dim {
    try scanner.expect("(")
    let size = try scanner.size()
    try scanner.expect(")")
    return size
  }

  private mutating func origin() throws -> [String] {
    var names: [String] = []
    if scanner.take("from") {
      try scanner.expect("(")
      try scanner.list(until: ")") { names.append(try $0.quoted()) }
    }
    return names
  }

  private mutating func bufferID() throws -> BufferID {
    try scanner.expect("@")
    return BufferID(try scanner.integer())
  }

  private mutating func buffer() throws {
    guard try bufferID() == BufferID(result.buffers.count) else {
      throw scanner.error("buffers are numbered from 0 on")
    }
    let name = try scanner.quoted()
    let element = try element()
    try scanner.expect("[")
    let count = try scanner.size()
    try scanner.expect("]")
    let storage: KernelProgram.Buffer.Storage
    if scanner.take("input") {
      storage = .input(try scanner.integer())
    } else if scanner.take("output") {
      storage = .output(try scanner.integer())
    } else if scanner.take("constant") {
      storage = .constant(try tensor())
    } else if scanner.take("dynamic") {
      storage = .dynamic
    } else {
      try scanner.expect("arena")
      storage = .arena
    }
    var buffer = KernelProgram.Buffer(name: name, element: element, count: count, storage: storage)
    if scanner.take("at") { buffer.offset = try scanner.integer() }
    buffer.origin = try origin()
    result.buffers.append(buffer)
  }

  private mutating func tensor() throws -> HostTensor {
    let type = try type()
    guard let shape = type.staticShape else { throw scanner.error("a constant has sizes that are numbers") }
    try scanner.expect("=")
    if scanner.take("#") {
      let hash = scanner.word()
      guard let tensor = store(hash) else { throw scanner.error("the contents #\(hash) are not in the store") }
      return tensor
    }
    var words: [String] = []
    try scanner.expect("{")
    try scanner.list(until: "}") { words.append($0.number()) }
    guard let tensor = TensorText.parse(type.element, shape, words) else {
      throw scanner.error("the elements do not make a tensor \(type)")
    }
    return tensor
  }

  private mutating func place() throws -> KernelProgram.Call.Argument {
    var argument = KernelProgram.Call.Argument(try bufferID())
    guard result.buffers.contains(argument.buffer) else { throw scanner.error("there is no buffer \(argument.buffer)") }
    if scanner.take("[") {
      argument.offset = try scanner.size()
      try scanner.expect("]")
    }
    return argument
  }

  private mutating func block() throws -> [KernelProgram.Step] {
    try scanner.expect("{")
    var steps: [KernelProgram.Step] = []
    while !scanner.take("}") { steps.append(try step()) }
    return steps
  }

  private mutating func definitions() throws -> [KernelProgram.Definition] {
    var definitions: [KernelProgram.Definition] = []
    repeat {
      let symbol = scanner.symbol()
      if scanner.take("as") {
        definitions.append(.init(symbol, .size(try group())))
      } else {
        try scanner.expect("at")
        let place = try place()
        try scanner.expect("or")
        try scanner.expect("error")
        definitions.append(.init(symbol, .element(place, error: try scanner.integer())))
      }
    } while scanner.take(",")
    return definitions
  }

  private mutating func invocation() throws -> KernelProgram.Invocation {
    let name = scanner.word()
    guard let function = RuntimeFunction(rawValue: name) else {
      throw scanner.error("there is no function \(name) of the runtime")
    }
    var invocation = KernelProgram.Invocation(function, buffers: [], counts: [], parameters: [])
    try scanner.expect("(")
    repeat {
      invocation.buffers.append(try place())
      try scanner.expect("of")
      invocation.counts.append(try group())
    } while scanner.take(",")
    try scanner.expect(")")
    try scanner.expect("with")
    try scanner.expect("(")
    try scanner.list(until: ")") { invocation.parameters.append(Int64(try $0.integer())) }
    invocation.origin = try origin()
    return invocation
  }

  private mutating func step() throws -> KernelProgram.Step {
    depth += 1
    defer { depth -= 1 }
    guard depth < 64 else { throw scanner.error("loops are nested too deeply") }
    if scanner.take("for") {
      let iteration = Symbol(scanner.word())
      try scanner.expect("in")
      let count = try group()
      let condition = scanner.take("while") ? try place() : nil
      return .loop(iteration: iteration, count: count, condition: condition, body: try block())
    }
    if scanner.take("if") {
      let condition = try place()
      let then = try block()
      try scanner.expect("else")
      return .branch(condition: condition, then: then, otherwise: try block())
    }
    if scanner.take("define") { return .define(try definitions()) }
    if scanner.take("require") { return .require(try scanner.obligation()) }
    if scanner.take("reserve") { return .reserve(try place().buffer) }
    if scanner.take("grow") {
      let buffer = try place().buffer
      try scanner.expect("to")
      return .grow(buffer, count: try group())
    }
    if scanner.take("invoke") { return .invoke(try invocation()) }
    if scanner.take("make") { return .output(try scanner.integer()) }
    try scanner.expect("call")
    let name = scanner.word()
    guard name.first == "k", let number = Int(name.dropFirst()), number >= 0, number < result.kernels.count else {
      throw scanner.error("there is no kernel \(name)")
    }
    var buffers: [KernelProgram.Call.Argument] = []
    try scanner.expect("(")
    if !scanner.take(")") {
      repeat { buffers.append(try place()) } while scanner.take(",")
      try scanner.expect(")")
    }
    var sizes: [Dim] = []
    try scanner.expect("sizes")
    try scanner.expect("(")
    try scanner.list(until: ")") { sizes.append(try $0.size()) }
    try scanner.expect("tasks")
    let tasks = try group()
    try scanner.expect("grain")
    let grain = try scanner.integer()
    try scanner.expect("flops")
    let flops = try group()
    try scanner.expect("bytes")
    let bytes = try group()
    return .call(
      .init(
        kernel: KernelID(number), buffers: buffers, sizes: sizes, tasks: tasks, grain: grain, origin: try origin(),
        flops: flops, bytes: bytes))
  }
}
