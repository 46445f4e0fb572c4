import SinterCore
import SinterKernelIR

/// The C header of one library: what goes in and comes out, and a typed function that runs it.
struct LibraryHeader {
  let program: KernelProgram
  /// What the library was built for.
  let target: String
  /// The entry point is `sinter_library`, not `<name>_library`.
  let isShared: Bool
  let weightsBeside: Bool
  /// `sinter_profile.h` applies, too.
  let profiles: Bool

  private let prefix: String
  private let inputs: [HeaderPort]
  private let outputs: [HeaderPort]
  private let states: [HeaderPort]
  private let symbols: [Symbol]
  private let symbolNames: [String]
  private let inputNames: [String]
  private let outputNames: [String]

  init(program: KernelProgram, target: String, isShared: Bool, weightsBeside: Bool, profiles: Bool) {
    self.program = program
    self.target = target
    self.isShared = isShared
    self.weightsBeside = weightsBeside
    self.profiles = profiles
    prefix = CIdentifier.make(program.name)
    var found: [Symbol] = []
    // The sizes of what makes up sequences, optionals and maps are the library's own affair.
    let tensors = program.callerInputs.filter { $0.structure == nil }.map { program.inputs[$0.positions.lowerBound] }
    for dim in tensors.flatMap(\.type.shape) {
      if let symbol = dim.symbol, !found.contains(symbol) { found.append(symbol) }
    }
    symbols = found
    // One list, so that no parameter has the name of another.
    inputs = program.callerInputs.map { HeaderPort($0, program.inputs) }
    outputs = program.callerOutputs.map { HeaderPort($0, program.outputs) }
    states = program.states.map { state in
      HeaderPort(.tensor(program.inputs[state.input].name, at: state.input), program.inputs)
    }
    let all = CIdentifier.makeAll(
      found.map(\.name) + inputs.map(\.name) + outputs.map(\.name),
      taken: ["library", "session", "inputs", "outputs", "memset"])
    symbolNames = Array(all[..<found.count])
    inputNames = Array(all[found.count..<(found.count + inputs.count)])
    outputNames = Array(all[(found.count + inputs.count)...])
  }

  var text: String {
    let guardName = "SINTER_MODEL_\(prefix.uppercased())_H"
    var lines: [String] = []
    lines += description
    lines += ["#ifndef \(guardName)", "#define \(guardName)", ""]
    lines += ["#include <string.h>", "", "#include \"sinter.h\""]
    lines += profiles ? ["#include \"sinter_profile.h\"", ""] : [""]
    lines += ["#ifdef __cplusplus", "extern \"C\" {", "#endif", ""]
    if !isShared { lines.append("const SinterLibrary *\(prefix)_library(void);") }
    if !isShared, profiles { lines.append("const SinterProfile *\(prefix)_profile(void);") }
    if !isShared { lines.append("") }
    lines += portNumbers("INPUT", inputs, inputNames)
    lines += portNumbers("OUTPUT", outputs, outputNames)
    if !states.isEmpty {
      lines += portNumbers("STATE", states, CIdentifier.makeAll(states.map(\.name), taken: []))
    }
    if needsArithmetic { lines += arithmetic }
    lines += counts
    lines += runFunction
    lines += ["#ifdef __cplusplus", "}", "#endif", "#endif", ""]
    return lines.joined(separator: "\n")
  }

  // MARK: Comments

  private var description: [String] {
    func rows(_ ports: [HeaderPort]) -> [String] {
      let width = ports.map(\.name.count).max() ?? 0
      return ports.map { port in
        let padding = String(repeating: " ", count: width - port.name.count)
        return " *   \(Self.comment(port.name))\(padding)  \(Self.comment(port.description))"
      }
    }
    var lines = [
      "/* \(program.name).h: the model \(Self.comment(program.name)),",
      " * compiled by sinter \(SinterVersion.current) for \(target).",
      " *", " * Inputs:",
    ]
    lines += rows(inputs) + [" * Outputs:"] + rows(outputs) + [" *"]
    if (inputs + outputs).contains(where: { $0.tensor == nil }) {
      lines.append(" * Sequences, optionals (?) and maps are SinterValues; see sinter.h.")
    }
    for port in program.outputs where !port.note.isEmpty {
      lines.append(" * \(Self.comment("\(port.name): \(port.note)."))")
    }
    for symbol in symbols {
      let range = program.ranges[symbol] ?? 0...Int.max
      let most = range.upperBound == Int.max ? "up" : "to \(range.upperBound)"
      lines.append(" * \(Self.comment(symbol.name)) is a size known at run time, from \(range.lowerBound) \(most).")
    }
    if !program.obligations.isEmpty {
      lines.append(" * Of sizes, what is listed here must hold; else the library answers SINTER_SHAPE_MISMATCH:")
      for obligation in program.obligations {
        lines.append(" *   \(Self.comment(obligation.explained))")
      }
    }
    if outputs.contains(where: { !isTyped($0) }) {
      lines.append(" * Sizes of outputs that are not told by those of inputs are known when the library has run.")
    }
    if !program.states.isEmpty {
      lines.append(" * State, which sessions keep from run to run, by the functions of version 2 in sinter.h:")
      lines += rows(states)
    }
    if program.usesImages {
      let libraries = RuntimeObject.imageLibraries.map { "lib\($0)" }.joined(separator: ", ")
      lines.append(
        isShared
          ? " * It decodes image files by libraries that the system must have: \(libraries)."
          : " * It decodes image files: link \(RuntimeObject.imageLibraries.map { "-l\($0)" }.joined(separator: " ")) as well."
      )
    }
    if weightsBeside {
      lines.append(" * The weights are in \(program.name).weights, which must lie beside the library.")
    }
    lines.append(
      isShared
        ? " * Get the library by sinter_library(), from dlsym() or by linking; see sinter.h."
        : " * Get the library by \(prefix)_library(); see sinter.h.")
    lines.append(
      " * Tensors are dense and row-major; elements narrower than a byte are packed, the first in the low bits. */")
    return lines
  }

  /// Text that cannot end a comment. It goes by scalars, as C reads it: to a `Character` a slash with an accent is no slash.
  static func comment(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if scalar == "/", result.last == "*" { result.append(" ") }
      result.append(scalar)
    }
    return String(result).replacingNewlines
  }

  // MARK: Declarations

  private func portNumbers(_ kind: String, _ ports: [HeaderPort], _ names: [String]) -> [String] {
    let upper = prefix.uppercased()
    // Names that differ in case only would be one macro.
    let macros = CIdentifier.makeAll(names.map { $0.uppercased() }, taken: ["COUNT"])
    var lines = ports.indices.map { "#define \(upper)_\(kind)_\(macros[$0]) \($0)" }
    lines.append("#define \(upper)_\(kind)_COUNT \(ports.count)")
    return lines + [""]
  }

  /// The numbers of elements of the outputs, for a caller that allocates them.
  private var counts: [String] {
    let parameters = symbolNames.isEmpty ? "void" : symbolNames.map { "int64_t " + $0 }.joined(separator: ", ")
    var lines: [String] = []
    for (index, port) in outputs.enumerated() where isTyped(port) {
      guard let dim = port.tensor?.count else { continue }
      lines.append("/* Elements of \(Self.comment(port.name)). */")
      lines.append("static inline int64_t \(prefix)_\(outputNames[index])_count(\(parameters)) {")
      for name in unusedSymbols(dim) { lines.append("  (void)\(name);") }
      lines += ["  return \(expression(dim));", "}", ""]
    }
    return lines
  }

  private func unusedSymbols(_ dim: Dim) -> [String] {
    let used = Set(dim.symbols)
    return zip(symbols, symbolNames).filter { !used.contains($0.0) }.map(\.1)
  }

  /// Sizes that are known before the run.
  private func isTyped(_ port: HeaderPort) -> Bool {
    port.tensor?.shape.allSatisfy { Set($0.symbols).isSubset(of: Set(symbols)) } ?? false
  }

  private var runFunction: [String] {
    guard inputs.allSatisfy({ $0.tensor == nil || isTyped($0) }) else { return [] }
    var parameters = ["const SinterLibrary *library", "SinterSession *session"]
    parameters += symbolNames.map { "int64_t " + $0 }
    for (port, name) in zip(inputs, inputNames) {
      parameters.append(port.tensor.map { "const \($0.element.cName) *\(name)" } ?? "const SinterValue *\(name)")
    }
    for (port, name) in zip(outputs, outputNames) {
      let element = isTyped(port) ? port.tensor?.element.cName : nil
      parameters.append("\(element ?? "SinterValue") *\(name)")
    }
    let made = zip(outputs, outputNames).filter { !isTyped($0.0) }.map(\.1)
    var lines = [
      "/* Runs once, from the caller's memory into the caller's memory. Returns a SinterStatus;",
      made.isEmpty
        ? " * library->message(session) says what went wrong. */"
        : " * library->message(session) says what went wrong. Give \(made.joined(separator: ", ")) zeroed: the library makes it, you release it. */",
      "static inline int32_t \(prefix)_run(\(parameters.joined(separator: ", "))) {",
      "  SinterValue inputs[\(max(1, inputs.count))], outputs[\(max(1, outputs.count))];",
    ]
    for (kind, ports) in [("inputs", inputs), ("outputs", outputs)] {
      for (index, port) in ports.enumerated() where isTyped(port) {
        guard let type = port.tensor, type.rank > 0 else { continue }
        let name = shapeName(kind, index)
        lines.append("  int64_t \(name)[\(type.rank)];")
        for (axis, size) in type.shape.enumerated() { lines.append("  \(name)[\(axis)] = \(expression(size));") }
      }
    }
    lines += ["  memset(inputs, 0, sizeof inputs);", "  memset(outputs, 0, sizeof outputs);"]
    for (kind, ports, names) in [("inputs", inputs, inputNames), ("outputs", outputs, outputNames)] {
      for (index, port) in ports.enumerated() {
        let value = "\(kind)[\(index)]"
        guard isTyped(port), let type = port.tensor else {
          lines.append("  \(value) = *\(names[index]);")
          continue
        }
        lines += [
          "  \(value).kind = SINTER_TENSOR;",
          "  \(value).tensor.data = (void *)(uintptr_t)\(names[index]);",
          "  \(value).tensor.device.device_type = 1;",
          "  \(value).tensor.ndim = \(type.rank);",
          "  \(value).tensor.dtype.code = \(type.element.dlpackCode);",
          "  \(value).tensor.dtype.bits = \(type.element.bits);",
          "  \(value).tensor.dtype.lanes = 1;",
        ]
        if type.rank > 0 { lines.append("  \(value).tensor.shape = \(shapeName(kind, index));") }
      }
    }
    if made.isEmpty {
      lines += ["  return library->run(session, inputs, outputs);", "}", ""]
    } else {
      lines.append("  int32_t sinter_status = library->run(session, inputs, outputs);")
      for (index, port) in outputs.enumerated() where !isTyped(port) {
        lines.append("  *\(outputNames[index]) = outputs[\(index)];")
      }
      lines += ["  return sinter_status;", "}", ""]
    }
    return lines
  }

  /// A variable of the function; ports have no names that start so.
  private func shapeName(_ kind: String, _ index: Int) -> String { "sinter_\(kind)_shape_\(index)" }

  // MARK: Sizes

  private var needsArithmetic: Bool {
    (inputs + outputs).contains { $0.tensor?.shape.contains { $0.hasFunctions } ?? false }
  }

  private var arithmetic: [String] {
    let pair = "(int64_t a, int64_t b)"
    return [
      "static inline int64_t \(prefix)_floor_divide\(pair) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }",
      "static inline int64_t \(prefix)_modulo\(pair) { return a - \(prefix)_floor_divide(a, b) * b; }",
      "static inline int64_t \(prefix)_minimum\(pair) { return a < b ? a : b; }",
      "static inline int64_t \(prefix)_maximum\(pair) { return a > b ? a : b; }",
      "static inline int64_t \(prefix)_joint\(pair) { return a == 1 ? b : a; }",
      "static inline int64_t \(prefix)_place\(pair) { return a < 0 ? a + b : a; }",
      "static inline int64_t \(prefix)_scaled(int64_t a, float b) {",
      "  const double exact = (double)a * b;",
      "  const double product = exact > -8388608 && exact < 8388608 ? (float)exact : exact;",
      "  return (int64_t)product - ((double)(int64_t)product > product);", "}", "",
    ]
  }

  /// A size as a C expression.
  private func expression(_ dim: Dim) -> String {
    if let value = dim.value { return number(value) }
    var parts = dim.terms.map { term in
      let factors = term.factors.map { expression($0) }
      return ((term.coefficient == 1 ? [] : ["(\(number(term.coefficient)))"]) + factors).joined(separator: " * ")
    }
    if dim.constant != 0 { parts.append("(\(number(dim.constant)))") }
    return parts.count == 1 ? parts[0] : "(" + parts.joined(separator: " + ") + ")"
  }

  /// C has no literal of the least integer.
  private func number(_ value: Int) -> String { value == .min ? "INT64_MIN" : "\(value)" }

  private func expression(_ atom: Dim.Atom) -> String {
    func call(_ name: String, _ a: Dim, _ b: Dim) -> String { "\(prefix)_\(name)(\(expression(a)), \(expression(b)))" }
    switch atom {
    case .symbol(let symbol): return symbols.firstIndex(of: symbol).map { symbolNames[$0] } ?? "0"
    case .quotient(let a, let b): return call("floor_divide", a, b)
    case .remainder(let a, let b): return call("modulo", a, b)
    case .minimum(let a, let b): return call("minimum", a, b)
    case .maximum(let a, let b): return call("maximum", a, b)
    case .joint(let a, let b): return call("joint", a, b)
    case .place(let a, let b): return call("place", a, b)
    case .scaled(let a, let b): return "\(prefix)_scaled(\(expression(a)), \(b.value.flatMap { Dim.factor($0) } ?? 0)f)"
    case .product(let a, let b): return "\(expression(a)) * \(expression(b))"
    // No size: the library refuses to run.
    case .overflow: return "INT64_MIN"
    }
  }
}

extension Dim {
  /// Whether more than products and sums of symbols stand in it.
  fileprivate var hasFunctions: Bool {
    terms.contains { term in
      term.factors.contains { factor in
        switch factor {
        case .symbol, .overflow: false
        case .quotient, .remainder, .minimum, .maximum, .joint, .place, .scaled, .product: true
        }
      }
    }
  }
}

extension String {
  fileprivate var replacingNewlines: String {
    var result = String.UnicodeScalarView()
    for scalar in unicodeScalars { result.append(Character(scalar).isNewline ? " " : scalar) }
    return String(result)
  }
}

extension ElementType {
  /// The C type that memory of this type is declared with.
  fileprivate var cName: String {
    switch self {
    case .f32, .c64: "float"
    case .f64, .c128: "double"
    case .i8: "int8_t"
    case .i16: "int16_t"
    case .i32: "int32_t"
    case .i64: "int64_t"
    case .u16, .f16, .bf16: "uint16_t"
    case .u32: "uint32_t"
    case .u64: "uint64_t"
    case .u8, .bool, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4, .u4, .i2, .u2: "uint8_t"
    case .string: "SinterString"
    }
  }
}
