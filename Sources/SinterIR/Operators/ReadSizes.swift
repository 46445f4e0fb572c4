import SinterCore
import SinterForms

/// A small tensor of integers whose elements are sizes from here on: each becomes a symbol that is known when the model runs.
///
/// The builder puts one before each input whose elements an operator takes as sizes (a shape, a count), where shapes and constants do not
/// determine them, and behind what computes sizes that are too long to go on with (`Dim.isLong`). Everything behind it goes on with symbols,
/// as it does with the sizes of inputs.
public struct ReadSizes: Primitive {
  public static let name = "ReadSizes"
  public static let summary = "Computed integers taken as sizes from here on."

  /// Whether elements may be negative: such as places that count from the end, or what is cut off.
  public var isSigned = false

  public init() {}
  /// Elements that may be negative where `isSigned`.
  public init(isSigned: Bool) { self.isSigned = isSigned }

  public mutating func attributes(_ list: inout some AttributeList) { list.bool("signed", &isSigned, default: false) }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? { NodeSpecification("Identity") }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.element.isInteger, x.element.bits >= 8, x.rank <= 1, let count = x.count.value,
      (0...Fact.contentsLimit).contains(count)
    else {
      throw DiagnosticError(
        .limit, "operator.dynamic", "sizes must be a list of up to \(Fact.contentsLimit) integers, but are \(x)",
        hint: "give the list a known length")
    }
    let known = inputs.contents(0)
    // A number of either sign is the difference of two sizes, of which one is zero.
    let sizes = (0..<count).map { place in
      if let size = known?[place], !size.isLong { return size }
      return isSigned
        ? inputs.freshSize(2 * place) - inputs.freshSize(2 * place + 1)
        : inputs.freshSize(place)
    }
    return [Fact(.tensor(x), contents: sizes)]
  }

  /// Numbers of either sign are held within these bounds, which are beyond any axis, so that sums of them with sizes can be counted.
  private static let bound = 1 << 60

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    for (place, size) in (node.outputs.first?.contents ?? []).enumerated() {
      func part(_ build: (Expr) -> Expr) throws -> Operand {
        try lowering.element([]) { builder, _ in
          let index = x.shape.map { _ in builder.constant(place, .i64) }
          let number = builder.load(x.id, index).cast(to: .i64)
          let bound = Self.bound
          return build(
            isSigned ? number.clamped(builder.constant(-bound, .i64), builder.constant(bound, .i64)) : number)
        }
      }
      let own = size.symbols.filter { $0.isFromData && !lowering.knows($0) }
      if isSigned {
        guard size.terms.count == 2 else { continue }
        for term in size.terms {
          guard case .symbol(let symbol)? = term.factors.first, own.contains(symbol) else { continue }
          let isPositive = term.coefficient > 0
          let value = try part { ($0 * (isPositive ? 1 : -1)).maximum($0.builder.constant(0, .i64)) }
          lowering.define(symbol, as: value, "size \(place)")
        }
      } else if let symbol = size.symbol, own.contains(symbol) {
        lowering.define(symbol, as: try part { $0 }, "size \(place)")
      }
    }
    return [x]
  }

  public static var examples: [OperatorExample] {
    [
      OperatorExample(ReadSizes(), [.given(.i64([2], [3, 0]))]),
      OperatorExample(ReadSizes(isSigned: true), [.given(.i64([4], [3, -2, 0, .max]))]),
      OperatorExample(ReadSizes(), [.constant(.i64([2], [3, 4]))]),
    ]
  }
}

/// An input whose elements an operator takes as sizes.
public struct SizeInput: Hashable, Sendable {
  /// Which input's elements are sizes.
  public var index: Int
  /// Whether elements may be negative.
  public var isSigned: Bool

  /// The input of a number, counted from 0.
  public init(_ index: Int, isSigned: Bool = false) {
    self.index = index
    self.isSigned = isSigned
  }
}
