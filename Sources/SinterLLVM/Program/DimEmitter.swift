internal import CLLVM
import SinterCore

/// Writes the computation of sizes, and notes whether anything in it overflows or divides by zero.
struct DimEmitter {
  let ir: IRModule
  /// The value of a symbol, an i64.
  let symbol: (Symbol) -> IRValue?
  /// True where some step could not be computed; nil as long as nothing can fail.
  private(set) var failed: IRValue?

  init(ir: IRModule, symbol: @escaping (Symbol) -> IRValue?) {
    self.ir = ir
    self.symbol = symbol
  }

  private mutating func fails(_ condition: IRValue) {
    if ir.knownInt(condition) == 0 { return }
    failed = failed.map { ir.or($0, condition) } ?? condition
  }

  private mutating func checked(_ intrinsic: String, _ a: IRValue, _ b: IRValue) -> IRValue {
    let pair = ir.intrinsic(intrinsic, [ir.i64], [a, b])
    fails(LLVMBuildExtractValue(ir.builder, pair, 1, ""))
    return LLVMBuildExtractValue(ir.builder, pair, 0, "")
  }

  mutating func emit(_ dim: Dim) throws -> IRValue {
    var sum: IRValue? = dim.constant == 0 && !dim.isConstant ? nil : ir.index(dim.constant)
    for term in dim.terms {
      var product: IRValue?
      for factor in term.factors {
        let value = try emit(factor)
        product = product.map { checked("llvm.smul.with.overflow", $0, value) } ?? value
      }
      let factors = product ?? ir.index(1)
      let scaled =
        term.coefficient == 1 ? factors : checked("llvm.smul.with.overflow", factors, ir.index(term.coefficient))
      sum = sum.map { checked("llvm.sadd.with.overflow", $0, scaled) } ?? scaled
    }
    return sum ?? ir.index(0)
  }

  private mutating func emit(_ atom: Dim.Atom) throws -> IRValue {
    switch atom {
    case .symbol(let name):
      guard let value = symbol(name) else {
        throw DiagnosticError(.bug, "library.symbol", "the size \(name.name) has no value")
      }
      return value
    case .quotient(let a, let b): return try division(a, b).quotient
    case .remainder(let a, let b): return try division(a, b).remainder
    case .minimum(let a, let b):
      let (x, y) = (try emit(a), try emit(b))
      return ir.select(ir.icmp(LLVMIntSLT, x, y), x, y)
    case .maximum(let a, let b):
      let (x, y) = (try emit(a), try emit(b))
      return ir.select(ir.icmp(LLVMIntSGT, x, y), x, y)
    case .joint(let a, let b):
      let (x, y) = (try emit(a), try emit(b))
      return ir.select(ir.icmp(LLVMIntEQ, x, 1), y, x)
    case .place(let index, let size):
      let (x, y) = (try emit(index), try emit(size))
      return checked("llvm.sadd.with.overflow", x, ir.select(ir.icmp(LLVMIntSLT, x, 0), y, ir.index(0)))
    case .scaled(let size, let bits): return scaled(try emit(size), by: bits.value.flatMap { Dim.factor($0) } ?? 0)
    case .product(let a, let b): return checked("llvm.smul.with.overflow", try emit(a), try emit(b))
    case .overflow:
      fails(ir.int(ir.i1, 1))
      return ir.index(0)
    }
  }

  /// `Dim.scaled`: rounded to 32 bits where these have fractions.
  private mutating func scaled(_ size: IRValue, by factor: Float) -> IRValue {
    let product = ir.fmul(ir.sitofp(size, ir.f64), ir.real(ir.f64, Double(factor)))
    let magnitude = ir.intrinsic("llvm.fabs", [ir.f64], [product])
    let isTooLarge = ir.fcmp(LLVMRealOGE, magnitude, ir.real(ir.f64, 0x1p62))
    fails(isTooLarge)
    let isSmall = ir.fcmp(LLVMRealOLT, magnitude, ir.real(ir.f64, 0x1p23))
    let rounded = ir.select(isSmall, ir.fpext(ir.fptrunc(product, ir.f32), ir.f64), product)
    let whole = ir.intrinsic("llvm.floor", [ir.f64], [rounded])
    return ir.fptosi(ir.select(isTooLarge, ir.real(ir.f64, 0), whole), ir.i64)
  }

  /// Toward minus infinity.
  private mutating func division(_ a: Dim, _ b: Dim) throws -> (quotient: IRValue, remainder: IRValue) {
    let (x, y) = (try emit(a), try emit(b))
    let isZero = ir.icmp(LLVMIntEQ, y, 0)
    fails(isZero)
    let isMinusOne = ir.icmp(LLVMIntEQ, y, -1)
    fails(ir.and(isMinusOne, ir.icmp(LLVMIntEQ, x, .min)))
    let divisor = ir.select(ir.or(isZero, isMinusOne), ir.index(1), y)
    let towardZero = ir.sdiv(x, divisor)
    let rest = ir.sub(x, ir.mul(towardZero, divisor))
    let isUp = ir.and(ir.icmp(LLVMIntNE, rest, 0), ir.icmp(LLVMIntSLT, ir.xor(rest, divisor), 0))
    let quotient = ir.select(isUp, ir.sub(towardZero, 1), towardZero)
    let remainder = ir.select(isUp, ir.add(rest, divisor), rest)
    return (ir.select(isMinusOne, ir.sub(ir.index(0), x), quotient), remainder)
  }
}
