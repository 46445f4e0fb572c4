import SinterCore
import SinterForms

extension Lowering {
  /// The places below `extent` at which a condition holds, in order.
  ///
  /// - Parameters:
  ///   - size: how many there are: a number that is known, or a size from data, which is known from here on.
  ///   - what: what that size is of, for errors.
  mutating func selected(
    _ extent: Dim, size: Dim, _ what: String, _ condition: (BodyBuilder, Expr) throws -> Expr
  ) throws -> Operand {
    let flags = try element([extent]) { builder, index in try condition(builder, index[0]).cast(to: .i64) }
    if let symbol = size.symbol, symbol.isFromData, !knows(symbol) {
      let count = try reduce(.sum, [], over: [extent]) { builder, _, inner in builder.load(flags.id, inner) }
      define(symbol, as: count, what)
    }
    let places = try scan(.sum, [extent], axis: 0, exclusive: true, reversed: false) { builder, index in
      builder.load(flags.id, index)
    }
    return try scatter(
      TensorType(.i64, [size]), domain: [extent], combine: nil, base: { builder, _ in builder.constant(0, .i64) },
      update: { builder, index in
        let isChosen = builder.load(flags.id, index) .!= builder.constant(0, .i64)
        return ([builder.select(isChosen, builder.load(places.id, index), builder.constant(-1, .i64))], index[0])
      })
  }
}
