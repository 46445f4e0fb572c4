import SinterCore
import SinterForms

/// Which elements a reduction combines into which result.
protocol ReductionScope {
  /// The result's.
  var shape: [Dim] { get }

  /// Combines what `value` makes of each element. With `shift`, a value of the result's shape, elements enter as exp(x - shift).
  func reduce(
    _ combine: Combine, _ lowering: inout Lowering, shift: Operand?, _ value: (Expr) throws -> Expr
  ) throws -> Operand

  /// How many elements make one, as i64.
  func count(_ builder: BodyBuilder) -> Expr
}

extension ReductionScope {
  func reduce(_ combine: Combine, _ lowering: inout Lowering, _ value: (Expr) throws -> Expr) throws -> Operand {
    try reduce(combine, &lowering, shift: nil, value)
  }

  func shifted(_ value: Expr, _ shift: Operand?, _ index: [Expr]) -> Expr {
    shift.map { (value - value.builder.load($0.id, index)).unary(.exp) } ?? value
  }
}

/// A reduction whose axes are known.
struct StaticReduction: ReductionScope {
  let x: Operand
  /// In order.
  let axes: [Int]
  let shape: [Dim]
  let keepsAxes: Bool

  func reduce(
    _ combine: Combine, _ lowering: inout Lowering, shift: Operand?, _ value: (Expr) throws -> Expr
  ) throws -> Operand {
    if axes.isEmpty {
      return try lowering.element(shape) { builder, index in
        shifted(try value(builder.load(x.id, index)), shift, index)
      }
    }
    return try lowering.reduce(combine, shape, over: axes.map { x.shape[$0] }) { builder, index, inner in
      var own: [Expr] = []
      var kept = index.makeIterator()
      for axis in 0..<x.rank {
        if let k = axes.firstIndex(of: axis) {
          if keepsAxes { _ = kept.next() }
          own.append(inner[k])
        } else if let place = kept.next() {
          own.append(place)
        }
      }
      return shifted(try value(builder.load(x.id, own)), shift, index)
    }
  }

  func count(_ builder: BodyBuilder) -> Expr { builder.size(axes.map { x.shape[$0] }.reduce(1, *)) }
}

/// A reduction whose axes are read at run time: each result looks at all elements and takes its own.
struct DynamicReduction: ReductionScope {
  let x: Operand
  let axes: NamedAxes
  let shape: [Dim]
  let keepsAxes: Bool

  /// Axes may be named twice where they keep their places.
  func defineSizes(_ lowering: inout Lowering) throws {
    try lowering.defineSizes(shape, of: "the result, whose axes are not right,") { builder, place in
      func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
      var size = number(-1)
      if keepsAxes {
        size = builder.select(axes.names(builder, place), number(1), builder.size(x.shape[place]))
      } else {
        for axis in 0..<x.rank {
          let isHere = !axes.names(builder, axis) && (axes.countOfOthers(builder, before: axis) .== number(place))
          size = builder.select(isHere, builder.size(x.shape[axis]), size)
        }
      }
      return builder.select(axes.areRight(builder, mayRepeat: keepsAxes), size, number(-1))
    }
  }

  func reduce(
    _ combine: Combine, _ lowering: inout Lowering, shift: Operand?, _ value: (Expr) throws -> Expr
  ) throws -> Operand {
    try lowering.reduce(combine, shape, over: x.shape) { builder, index, inner in
      func number(_ value: Int) -> Expr { builder.constant(value, .i64) }
      var isOwn = builder.bool(true)
      // How many axes before this one stay: the place of this one in the result.
      var before = number(0)
      for axis in 0..<x.rank {
        let goes = axes.names(builder, axis)
        var place = index.last ?? number(0)
        if keepsAxes {
          place = index[axis]
        } else {
          for j in index.indices.dropLast().reversed() { place = builder.select(before .== number(j), index[j], place) }
        }
        isOwn = isOwn && (goes || (place .== inner[axis]))
        before = before + builder.select(goes, number(0), number(1))
      }
      let element = shifted(try value(builder.load(x.id, inner)), shift, index)
      return builder.select(
        isOwn, element, builder.constant(combine.identity(of: element.type) ?? .int(0), element.type))
    }
  }

  func count(_ builder: BodyBuilder) -> Expr {
    (0..<x.rank).reduce(builder.constant(1, .i64)) { product, axis in
      product * builder.select(axes.names(builder, axis), builder.size(x.shape[axis]), builder.constant(1, .i64))
    }
  }
}
