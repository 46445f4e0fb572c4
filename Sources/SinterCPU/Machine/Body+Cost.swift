import SinterCore
import SinterForms

extension Body {
  /// A rough number of instructions that one element takes, a vector counting as one.
  var cost: Int {
    exprs.reduce(0) { sum, expr in
      switch expr.node {
      case .constant, .axis, .size, .accumulator: sum
      case .unary(let function, _): sum + (function.isCostly ? 16 : 1)
      case .binary(.power, _, _), .binary(.arcTangent2, _, _): sum + 40
      case .binary(.divide, _, _), .binary(.modulo, _, _), .binary(.remainder, _, _), .binary(.floorDivide, _, _):
        sum + 4
      case .load, .binary, .compare, .select, .cast, .bitcast, .checked: sum + (expr.type == .i64 ? 0 : 1)
      }
    }
  }

  /// Floating-point operations that one element takes.
  var flops: Int {
    exprs.reduce(0) { sum, expr in
      guard expr.type.isFloat else { return sum }
      switch expr.node {
      case .unary, .binary: return sum + 1
      case .constant, .axis, .size, .load, .accumulator, .compare, .select, .cast, .bitcast, .checked: return sum
      }
    }
  }

  /// How many elements to compute at a time: as many of the widest type (indices aside) as a vector holds. 1 where a
  /// type is packed closer than bytes.
  func lanes(_ machine: Machine, result: ElementType) -> Int {
    var bits = result == .i64 ? 0 : result.bits
    var widest = bits
    for expr in exprs {
      switch expr.node {
      case .load, .unary, .binary, .cast, .select, .accumulator:
        if expr.type.bits < 8 { return 1 }
        widest = Swift.max(widest, expr.type.bits)
        if expr.type != .i64 { bits = Swift.max(bits, expr.type.bits) }
      case .constant, .axis, .size, .compare, .bitcast, .checked: break
      }
    }
    if result.bits < 8 || bits > 64 { return 1 }
    let width = bits == 0 ? Swift.max(widest, 64) : bits
    return Swift.max(1, machine.vectorBits / Swift.max(8, width))
  }
}
