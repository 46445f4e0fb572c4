import SinterCore
import SinterForms
import TestSupport
import Testing

/// What becomes of patterns that models are made of.
@Suite("Patterns of fusion")
struct FusionPatternTests {
  /// The steps that are left, in words: `contract+` is one with an epilogue.
  private func kinds(_ program: FormProgram) -> [String] {
    Fusion.fuse(program).program.steps.map { step in
      switch step {
      case .compute(_, let form): Self.kind(form)
      case .rows(let group): "rows(" + group.members.map { Self.kind($0.form) }.joined(separator: " ") + ")"
      case .repetition: "repetition"
      case .branch: "branch"
      case .define: "define"
      case .require: "require"
      }
    }
  }

  private static func kind(_ form: Form) -> String {
    let name =
      switch form {
      case .element: "element"
      case .reduce: "reduce"
      case .contract: "contract"
      case .attend: "attend"
      case .convolve: "convolve"
      case .scan: "scan"
      case .scatter: "scatter"
      case .sort: "sort"
      case .call: "call"
      }
    return form.epilogue == nil ? name : name + "+"
  }

  private func program(
    _ inputs: [TensorType], _ build: (inout Lowering, [Operand]) throws -> [Operand]
  ) throws -> FormProgram {
    var lowering = Lowering(name: "pattern")
    let operands = inputs.enumerated().map { lowering.input($1, named: "x\($0)") }
    for (index, result) in try build(&lowering, operands).enumerated() { lowering.output(result, named: "y\(index)") }
    return lowering.program
  }

  private func linear(_ l: inout Lowering, _ x: Operand, _ w: Operand, _ bias: Operand) throws -> Operand {
    let outer = Array(x.shape.dropLast())
    let product = try l.contract(
      batch: [], m: outer, n: [w.shape[1]], k: [w.shape[0]], accumulate: .f32,
      lhs: { b, _, m, k in b.load(x.id, m + k) }, rhs: { b, _, n, k in b.load(w.id, k + n) })
    return try l.element(product.shape) { b, i in b.load(product.id, i) + b.load(bias.id, [i[i.count - 1]]) }
  }

  private func gelu(_ l: inout Lowering, _ x: Operand) throws -> Operand {
    let scaled = try l.element(x.shape) { b, i in b.load(x.id, i) / 1.4142135 }
    let erf = try l.element(x.shape) { b, i in b.load(scaled.id, i).unary(.erf) }
    let sum = try l.element(x.shape) { b, i in b.load(erf.id, i) + 1 }
    let product = try l.element(x.shape) { b, i in b.load(x.id, i) * b.load(sum.id, i) }
    return try l.element(x.shape) { b, i in b.load(product.id, i) * 0.5 }
  }

  private func row(_ b: BodyBuilder, _ i: [Expr]) -> [Expr] { i.dropLast() + [b.constant(0, .i64)] }

  private func softmax(_ l: inout Lowering, _ x: Operand) throws -> Operand {
    let shape: [Dim] = x.shape.dropLast() + [1]
    let last = x.shape[x.rank - 1]
    let top = try l.reduce(.maximum, shape, over: [last]) { b, o, i in b.load(x.id, o.dropLast() + i) }
    let power = try l.element(x.shape) { b, i in (b.load(x.id, i) - b.load(top.id, row(b, i))).unary(.exp) }
    let sum = try l.reduce(.sum, shape, over: [last]) { b, o, i in b.load(power.id, o.dropLast() + i) }
    return try l.element(x.shape) { b, i in b.load(power.id, i) / b.load(sum.id, row(b, i)) }
  }

  private func normalization(_ l: inout Lowering, _ x: Operand, _ gain: Operand) throws -> Operand {
    let shape: [Dim] = x.shape.dropLast() + [1]
    let last = x.shape[x.rank - 1]
    let sum = try l.reduce(.sum, shape, over: [last]) { b, o, i in b.load(x.id, o.dropLast() + i) }
    let mean = try l.element(shape) { b, i in b.load(sum.id, i) / 768 }
    let centred = try l.element(x.shape) { b, i in b.load(x.id, i) - b.load(mean.id, row(b, i)) }
    let square = try l.element(x.shape) { b, i in b.load(centred.id, i) * b.load(centred.id, i) }
    let squares = try l.reduce(.sum, shape, over: [last]) { b, o, i in b.load(square.id, o.dropLast() + i) }
    let variance = try l.element(shape) { b, i in b.load(squares.id, i) / 768 }
    let deviation = try l.element(shape) { b, i in (b.load(variance.id, i) + 1e-5).unary(.sqrt) }
    let scaled = try l.element(x.shape) { b, i in b.load(centred.id, i) / b.load(deviation.id, row(b, i)) }
    return try l.element(x.shape) { b, i in b.load(scaled.id, i) * b.load(gain.id, [i[i.count - 1]]) }
  }

  @Test func linearLayerWithActivation() throws {
    let types = [TensorType(.f32, ["batch", 128, 768]), TensorType(.f32, [768, 3072]), TensorType(.f32, [3072])]
    #expect(try kinds(program(types) { l, v in [try gelu(&l, linear(&l, v[0], v[1], v[2]))] }) == ["contract+"])
  }

  @Test func softmaxIsOneGroup() throws {
    let result = try kinds(program([TensorType(.f32, ["batch", 12, 128, 128])]) { l, v in [try softmax(&l, v[0])] })
    #expect(result == ["rows(reduce element reduce element)"])
  }

  @Test func normalizationIsOneGroup() throws {
    let types = [TensorType(.f32, ["batch", 128, 768]), TensorType(.f32, [768])]
    #expect(
      try kinds(program(types) { l, v in [try normalization(&l, v[0], v[1])] }) == ["rows(reduce+ reduce+ element)"])
  }

  /// Two blocks of a residual network: x + f(x), where the sum goes into the contraction and the normalization reads it.
  @Test func residualSumsAreEpilogues() throws {
    let types = [
      TensorType(.f32, ["batch", 128, 768]), TensorType(.f32, [768, 768]), TensorType(.f32, [768]),
    ]
    let result = try kinds(
      program(types) { l, v in
        let y = try linear(&l, v[0], v[1], v[2])
        let sum = try l.element(y.shape) { b, i in b.load(v[0].id, i) + b.load(y.id, i) }
        return [try normalization(&l, sum, v[2])]
      })
    #expect(result == ["contract+", "rows(reduce+ reduce+ element)"])
  }

  /// Heads are split and merged by reshape and transpose, which contractions read through.
  @Test func attentionReadsThroughRelayouts() throws {
    let types = [
      TensorType(.f32, ["batch", 128, 768]), TensorType(.f32, [768, 768]), TensorType(.f32, [768]),
    ]
    let program = try program(types) { l, v in
      func heads(_ l: inout Lowering, _ x: Operand) throws -> Operand {
        let split = try l.element(["batch", 128, 12, 64]) { b, i in
          var position = b.constant(0, .i64)
          for (index, size) in zip(i, ["batch", 128, 12, 64] as [Dim]) { position = position * b.size(size) + index }
          let inner = position.floorDivided(by: b.constant(768, .i64))
          return b.load(
            x.id,
            [
              inner.floorDivided(by: b.constant(128, .i64)), inner.modulo(b.constant(128, .i64)),
              position.modulo(b.constant(768, .i64)),
            ])
        }
        return try l.element(["batch", 12, 128, 64]) { b, i in b.load(split.id, [i[0], i[2], i[1], i[3]]) }
      }
      // Work behind the relayout, as PyTorch's exporter writes it, goes into the contraction before.
      let unscaled = try heads(&l, linear(&l, v[0], v[1], v[2]))
      let q = try l.element(unscaled.shape) { b, i in b.load(unscaled.id, i) * 0.35355 }
      let k = try heads(&l, linear(&l, v[0], v[1], v[2]))
      let value = try heads(&l, linear(&l, v[0], v[1], v[2]))
      let scores = try l.contract(
        batch: ["batch", 12], m: [128], n: [128], k: [64], accumulate: .f32,
        lhs: { b, batch, m, k in b.load(q.id, batch + m + k) },
        rhs: { b, batch, n, d in b.load(k.id, batch + n + d) })
      let scaled = try l.element(scores.shape) { b, i in b.load(scores.id, i) * 0.125 }
      let weights = try softmax(&l, scaled)
      let mixed = try l.contract(
        batch: ["batch", 12], m: [128], n: [64], k: [128], accumulate: .f32,
        lhs: { b, batch, m, k in b.load(weights.id, batch + m + k) },
        rhs: { b, batch, n, d in b.load(value.id, batch + d + n) })
      let merged = try l.element(["batch", 128, 768]) { b, i in
        let (head, at) = (i[2].floorDivided(by: b.constant(64, .i64)), i[2].modulo(b.constant(64, .i64)))
        return b.load(mixed.id, [i[0], head, i[1], at])
      }
      return [try linear(&l, merged, v[1], v[2])]
    }
    #expect(
      kinds(program) == [
        "contract+", "contract+", "contract+", "contract+", "rows(reduce element reduce element)", "contract",
        "contract+",
      ])
  }

  /// x · sigmoid(x) behind a convolution, then a residual sum.
  /// Softmax as the operator lowers.
  private func plainSoftmax(_ l: inout Lowering, _ x: Operand) throws -> Operand {
    let shape: [Dim] = x.shape.dropLast() + [1]
    let last = x.shape[x.rank - 1]
    let top = try l.reduce(.maximum, shape, over: [last]) { b, o, i in b.load(x.id, o.dropLast() + i) }
    let sum = try l.reduce(.sum, shape, over: [last]) { b, o, i in
      (b.load(x.id, o.dropLast() + i) - b.load(top.id, row(b, o))).unary(.weight)
    }
    return try l.element(x.shape) { b, i in
      (b.load(x.id, i) - b.load(top.id, row(b, i))).unary(.weight) / b.load(sum.id, row(b, i))
    }
  }

  /// The two products around a softmax, and what may stand between them.
  enum Between: String, CaseIterable {
    case nothing, mask, reshaped, scaledKey, sharedHeads, weightsSeen, scoresSeen, furtherPlace
  }

  @Test(arguments: Between.allCases) func productsAroundSoftmaxAreAttention(_ between: Between) throws {
    let shape: [Dim] = ["n", 3, 20, 8]
    let program = try program([
      TensorType(.f32, shape), TensorType(.f32, shape), TensorType(.f32, shape), TensorType(.f32, [20]),
    ]) {
      l, x in
      // One head of keys for all, repeated as exporters do.
      let repeated = try l.element(shape) { b, i in
        b.load(x[1].id, [i[0], i[1].floorDivided(by: b.constant(3, .i64)), i[2], i[3]])
      }
      let keys = between == .sharedHeads ? repeated : x[1]
      let transposed = try l.element(["n", 3, 8, 20]) { b, i in b.load(keys.id, [i[0], i[1], i[3], i[2]]) }
      let key =
        between == .scaledKey
        ? try l.element(transposed.shape) { b, i in b.load(transposed.id, i) * b.constant(0.5, .f32) } : transposed
      let scores = try l.contract(
        batch: ["n", 3], m: [20], n: [20], k: [8], accumulate: .f32,
        lhs: { b, batch, m, k in b.load(x[0].id, batch + m + k) },
        rhs: { b, batch, n, k in b.load(key.id, batch + k + n) })
      var masked = scores
      if between == .mask {
        let scaled = try l.element(scores.shape) { b, i in b.load(scores.id, i) / 8 }
        masked = try l.element(scores.shape) { b, i in b.load(scaled.id, i) + b.load(x[3].id, [i[3]]) }
      }
      if between == .reshaped {
        let group = try l.element([1, "n", 3, 20, 20]) { b, i in b.load(scores.id, Array(i[1...])) }
        let sum = try l.element(group.shape) { b, i in b.load(group.id, i) + b.load(x[3].id, [i[4]]) }
        masked = try l.element(scores.shape) { b, i in b.load(sum.id, [b.constant(0, .i64)] + i) }
      }
      if between == .furtherPlace {  // takes weight from the keys, and is cut off behind softmax
        masked = try l.element(["n", 3, 20, 21]) { b, i in
          b.load(scores.id, [i[0], i[1], i[2], i[3].minimum(b.constant(19, .i64))])
        }
      }
      let weights = try plainSoftmax(&l, masked)
      let result = try l.contract(
        batch: ["n", 3], m: [20], n: [8], k: [20], accumulate: .f32,
        lhs: { b, batch, m, k in b.load(weights.id, batch + m + k) },
        rhs: { b, batch, n, k in b.load(x[2].id, batch + k + n) })
      return [result] + (between == .weightsSeen ? [weights] : []) + (between == .scoresSeen ? [scores] : [])
    }
    let isApart = [.weightsSeen, .scoresSeen, .furtherPlace].contains(between)
    #expect((kinds(program) == ["attend"]) != isApart, "\(kinds(program))")
    let fused = Fusion.fuse(program).program
    #expect(FormVerifier.check(fused).map(\.description) == [])
    var inputs: [HostTensor] = []
    for (number, input) in program.inputs.enumerated() {
      let sizes = program.values[input.value].type.shape.map { $0.value ?? 2 }
      let count = sizes.reduce(1, *)
      inputs.append(HostTensor(.f32, sizes, doubles: (0..<count).map { Double(($0 * 37 + number * 11) % 23) / 11 - 1 }))
    }
    let expected = try FormInterpreter(program).run(inputs)
    for (a, b) in pairs(try FormInterpreter(fused).run(inputs), expected) {
      #expect(a.element == b.element && a.shape == b.shape)
      let (x, y) = (try #require(a.doubles), try #require(b.doubles))
      #expect(pairs(x, y).allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }

  @Test func convolutionTakesItsActivationAndResidual() throws {
    let types = [TensorType(.f32, [1, 64, 56, 56]), TensorType(.f32, [64, 64, 3, 3])]
    let result = try kinds(
      program(types) { l, v in
        func convolve(_ x: Operand) -> Operand {
          l.convolve(
            x, v[1], result: [1, 64, 56, 56], window: [3, 3], strides: [1, 1], dilations: [1, 1], padsBegin: [1, 1],
            groups: 1, channelsLast: false, accumulate: .f32)
        }
        let x = convolve(v[0])
        let gate = try l.element(x.shape) { b, i in 1 / ((-b.load(x.id, i)).unary(.exp) + 1) }
        let active = try l.element(x.shape) { b, i in b.load(x.id, i) * b.load(gate.id, i) }
        let y = convolve(active)
        let sum = try l.element(y.shape) { b, i in b.load(y.id, i) + b.load(v[0].id, i) }
        let positive = try l.element(y.shape) { b, i in b.load(sum.id, i).maximum(b.constant(0.0, .f32)) }
        let pooled = try l.reduce(.sum, [1, 64, 1, 1], over: [56, 56]) { b, o, i in
          b.load(positive.id, [o[0], o[1]] + i)
        }
        let mean = try l.element([1, 64, 1, 1]) { b, i in b.load(pooled.id, i) / 3136 }
        return [mean, convolve(positive)]
      })
    #expect(result == ["convolve+", "convolve+", "reduce+", "convolve"])
  }
}
