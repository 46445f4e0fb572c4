import SinterCore
import SinterForms
import SinterIR

/// Random numbers as a function of a key and of where they are asked for: Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random
/// numbers: as easy as 1, 2, 3" (2011). So a tensor of them is one element expression, and the same for every number of threads.
struct Philox {
  /// The bits of a seed, an f32 as ONNX has them.
  private let key: UInt32

  init(seed: Double) { key = Float(seed).bitPattern }

  static let rounds = 10
  /// What words are multiplied by in each round.
  static let factors: (UInt32, UInt32) = (0xd251_1f53, 0xcd9e_8d57)
  /// What the halves of the key grow by after each round.
  static let steps: (UInt32, UInt32) = (0x9e37_79b9, 0xbb67_ae85)

  /// A seed for a node that has none: a number from its name, so that a model is a function and its nodes draw different numbers.
  static func seed(of node: OnnxNode) -> Double {
    var hash: UInt32 = 0x811c_9dc5
    for byte in node.name.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
    return Double(hash >> 8)
  }

  /// Four numbers of 32 bits, as u64, for a number of 64 bits.
  func words(_ counter: Expr) -> [Expr] {
    let builder = counter.builder
    return Self.words(counter, key: builder.constant(Int(key), .u64), more: builder.constant(0, .u64))
  }

  /// Four numbers of 32 bits, as u64, for two numbers of 64 bits, which count, and for a key of 64 bits.
  static func words(_ counter: Expr, key: Expr, more: Expr) -> [Expr] {
    let builder = counter.builder
    func number(_ value: UInt32) -> Expr { builder.constant(Int(value), .u64) }
    func shifted(_ x: Expr) -> Expr { x.applying(.shiftRight, builder.constant(32, .u64)) }
    func low(_ x: Expr) -> Expr { x.applying(.and, number(.max)) }
    func halves(_ x: Expr) -> [Expr] { [low(x.cast(to: .u64)), shifted(x.cast(to: .u64))] }
    var c = halves(counter) + halves(more)
    var keys = halves(key)
    for _ in 0..<rounds {
      let (first, second) = (c[0] * number(factors.0), c[2] * number(factors.1))
      c = [
        shifted(second).applying(.xor, c[1]).applying(.xor, keys[0]), low(second),
        shifted(first).applying(.xor, c[3]).applying(.xor, keys[1]), low(first),
      ]
      keys = [low(keys[0] + number(steps.0)), low(keys[1] + number(steps.1))]
    }
    return c
  }

  /// Uniform numbers in 0 ..< 1, two of them, each a multiple of the distance of the type's numbers below 1.
  func uniform(_ counter: Expr, as type: ElementType) -> (Expr, Expr) {
    let (words, builder) = (words(counter), counter.builder)
    func real(_ bits: Expr, _ count: Int) -> Expr {
      bits.cast(to: type.computeType) * builder.constant(0x1p-52 * Double(1 << (52 - count)), type.computeType)
    }
    func top(_ word: Expr, _ count: Int) -> Expr {
      word.applying(.shiftRight, builder.constant(32 - count, .u64))
    }
    guard type == .f64 else {
      let count = type == .f16 ? 11 : type == .bf16 ? 8 : 24
      return (real(top(words[0], count), count), real(top(words[1], count), count))
    }
    func pair(_ high: Expr, _ low: Expr) -> Expr {
      real(high.applying(.shiftLeft, builder.constant(20, .u64)).applying(.or, top(low, 20)), 52)
    }
    return (pair(words[0], words[1]), pair(words[2], words[3]))
  }

  /// A normal number of mean 0 and variance 1, by Box and Muller's transform.
  func normal(_ counter: Expr, as type: ElementType) -> Expr {
    let (u, v) = uniform(counter, as: type == .f64 ? .f64 : .f32)
    let radius = ((1 - u).unary(.log) * -2).unary(.sqrt)
    return radius * (v * (2 * Double.pi)).unary(.cos)
  }
}

extension Reshaping {
  /// The place of an element in row-major order, which random numbers are counted by.
  static func place(_ builder: BodyBuilder, _ index: [Expr], of shape: [Dim]) -> Expr {
    linearize(builder, index, shape)
  }
}
