import SinterCore
import SinterIR

/// Makes sizes and symbols of what files say of shapes.
///
/// A name that is an identifier becomes a symbol of that name, and an expression over such names an expression. Other
/// names are changed into identifiers; sizes without a name, and those whose name says nothing, get a symbol of their
/// own, named after port and axis.
struct DimReader {
  private var symbols: [String: Dim] = [:]
  private var taken: Set<String> = []
  /// Whether a name was changed or an expression read, so that the port should show what the file says.
  private(set) var isChanged = false

  /// Names that exporters write for any unknown size; equal ones are not equal sizes.
  private static let meaningless: Set<String> = ["?", "-1", "None", "none", "*", "unknown", "Unknown", "unk"]

  /// `declared` are the types of all ports, whose names no other symbol may get.
  init(_ declared: [DeclaredType?]) {
    for type in declared { collect(type) }
  }

  private mutating func collect(_ type: DeclaredType?) {
    switch type {
    case .tensor(_, let shape?), .sparseTensor(_, let shape?):
      for case .symbol(let name) in shape where Self.isIdentifier(name) && !Self.meaningless.contains(name) {
        taken.insert(name)
        symbols[name] = Dim(Symbol(name))
      }
    case .sequence(let inner), .optional(let inner), .map(_, let inner): collect(inner)
    case .tensor(_, nil), .sparseTensor(_, nil), .opaque, nil: break
    }
  }

  mutating func shape(_ dims: [DeclaredDim], port: String) -> [Dim] {
    isChanged = false
    return dims.enumerated().map { axis, dim in
      switch dim {
      case .value(let value): Dim(Int(value))
      case .symbol(let name) where !Self.meaningless.contains(name): named(name)
      case .symbol, .unknown: Dim(Symbol(fresh(Self.identifier(port) + "_\(axis)")))
      }
    }
  }

  private mutating func named(_ name: String) -> Dim {
    if let known = symbols[name] {
      if known.symbol?.name != name { isChanged = true }
      return known
    }
    isChanged = true
    let dim: Dim
    if let expression = Dim(parsing: name), !expression.isConstant,
      expression.symbols.allSatisfy({ symbols[$0.name]?.symbol == $0 })
    {
      dim = expression
    } else {
      dim = Dim(Symbol(fresh(Self.identifier(name))))
    }
    symbols[name] = dim
    return dim
  }

  /// A size of its own that no declared axis has, such as the length of a sequence.
  mutating func size(named name: String) -> Dim { Dim(Symbol(fresh(Self.identifier(name)))) }

  private mutating func fresh(_ wish: String) -> String {
    var name = wish
    var number = 2
    while !taken.insert(name).inserted {
      name = "\(wish)_\(number)"
      number += 1
    }
    return name
  }

  private static func isIdentifier(_ name: String) -> Bool { Self.identifier(name) == name }

  /// The name with `_` for every run of what is no letter, digit or `_`.
  private static func identifier(_ name: String) -> String {
    var result = ""
    for scalar in name.unicodeScalars {
      let isWord = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "_")
      if isWord {
        result.unicodeScalars.append(scalar)
      } else if !result.hasSuffix("_") {
        result += "_"
      }
    }
    if result.isEmpty || result.first.map({ ("0"..."9").contains($0) }) == true { result = "d" + result }
    return result
  }

  /// A type with everything known that has to be; nil where it is left open. Throws for types that no graph has.
  mutating func valueType(_ type: DeclaredType, port: String) throws -> ValueType? {
    switch type {
    case .tensor(let element?, let dims?):
      try check(dims, element)
      return .tensor(TensorType(element, shape(dims, port: port)))
    case .sequence(let inner?): return try valueType(inner, port: port).map { .sequence($0) }
    case .optional(let inner?): return try valueType(inner, port: port).map { .optional($0) }
    case .map(let key?, let value?): return try valueType(value, port: port).map { .map(key: key, value: $0) }
    case .sparseTensor:
      throw DiagnosticError(
        .limit, "onnx.type", "sparse tensors at a model's ports are not supported", hint: "use a dense tensor")
    case .opaque(let domain, let name):
      throw DiagnosticError(
        .limit, "onnx.type", "the opaque type \(domain).\(name) is not supported", hint: "use tensors")
    case .tensor, .sequence(nil), .optional(nil), .map: return nil
    }
  }

  /// The bytes of the known sizes must be countable, with room for the unknown ones.
  private func check(_ dims: [DeclaredDim], _ element: ElementType) throws {
    var total = element.bits
    for case .value(let size) in dims where size != 0 {
      let (product, overflow) = total.multipliedReportingOverflow(by: Int(size))
      guard !overflow, (0..<1 << 56).contains(product) else {
        throw DiagnosticError(
          .user, "onnx.dims",
          "the sizes [\(dims.map(\.description).joined(separator: ", "))] are negative or multiply to more than can be addressed",
          hint: "export the model again")
      }
      total = product
    }
  }
}
