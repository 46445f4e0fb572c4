import Sinter
import Testing

/// Mistakes in models: each is told with its layer and line, all of them at once, and none of them traps.
@Suite struct TraceErrorTests {
  struct MadeInForward: UnaryLayer {
    static let line = #line + 1
    func forward(_ x: Tensor) -> Tensor { Linear(4, 2)(x) }
  }

  /// Gradients with respect to what is not of the trace are mistakes, not zeros and not those of another value.
  @Test func gradientsAreThoseOfTheTrace() throws {
    var foreign: Tensor?
    _ = try trace((), [.f32(3)]) { tensors -> Tensor in
      foreign = tensors[0]
      return tensors[0]
    }
    let other = try #require(foreign)
    let numbers = message { try trace((), [.f32(3)]) { $0[0].gradients(withRespectTo: $0[0], tensor([1.0, 2.0])) } }
    #expect(numbers.contains("with respect to a tensor with numbers, f32[2]"), "\(numbers)")
    let stranger = message { try trace((), [.f32(3)]) { $0[0].gradients(withRespectTo: other) } }
    #expect(stranger.contains("with a tensor of another trace, f32[3]"), "\(stranger)")
    let seeded = message {
      try trace((), [.f32(3)]) { $0[0].trace.gradients(of: $0[0], withRespectTo: [$0[0]], seed: other) }
    }
    #expect(seeded.contains("with a tensor of another trace"), "\(seeded)")
  }

  struct Shapes: UnaryLayer {
    var conv = Conv2d(4, 6, kernel: 3, groups: 0)
    var other = Conv2d(4, 6, kernel: 3, groups: 4)
    var window = Conv2d(4, 6, kernel: [3])
    var stride = Conv2d(4, 6, kernel: 3, stride: 0)
    var same = Conv2d(4, 6, kernel: 3, stride: 2, padding: .same)
    var negative = Linear(-1, 3)
    var norm = GroupNorm(0, 4)
    var attention = MultiheadAttention(6, heads: 4)
    var pool = MaxPool2d(0)
    var drop = Dropout(1.5)
    var table = Embedding(3, 2)
    var padded = Embedding(3, 2, paddingIndex: 5)

    func forward(_ x: Tensor) -> Tensor {
      _ = conv(x)
      _ = other(x)
      _ = window(x)
      _ = stride(x)
      _ = same(x)
      _ = negative(x)
      _ = norm(x)
      let row = x.trace.constant(.f32([1, 2, 6], [Float](repeating: 0, count: 12)))
      _ = attention(row, row, row)
      _ = pool(x)
      _ = drop(x)
      _ = table(x)
      _ = padded(x.argmax(1))
      return x
    }
  }

  struct Functions: UnaryLayer {
    func forward(_ x: Tensor) -> Tensor {
      _ = x.trace.constant(.f32([3], [1, 2]))
      _ = x + tensor([[1.0, 2.0], [3.0]])
      _ = x.chunk(0)
      _ = x.split(0)
      _ = x.split(sizes: [])
      _ = x.transpose(0, 7)
      _ = x.flatten(from: 9)
      _ = x.unflatten(8, [1])
      _ = x.sort(9)
      _ = x.interpolate(size: [2])
      _ = x.pad([1])
      _ = cat([])
      _ = einsum("ij,jk->ik")
      _ = x.multinomial(2)
      _ = x.reshape(7, 7, 7)
      return x
    }
  }

  private func problems(_ body: () throws -> Void) -> [Diagnostic] {
    do {
      try body()
      return []
    } catch { return (error as? DiagnosticError)?.diagnostics ?? [] }
  }

  @Test func aLayerMadeInForwardIsAnError() {
    let found = problems { _ = try trace(MadeInForward(), .f32("n", 4)) }
    #expect(found.map(\.id) == ["trace.parameter", "trace.parameter"])
    #expect(found.allSatisfy { $0.message.contains("does not hold") && $0.hint?.contains("stored property") == true })
    #expect(found.allSatisfy { $0.places.joined().contains("TraceErrorTests.swift:\(MadeInForward.line)") }, "\(found)")
  }

  @Test func whatLayersWereMadeWithIsChecked() {
    let found = problems { _ = try trace(Shapes(), .f32(2, 4, 5, 5), mode: .train) }
    let words = [
      "groups must be positive", "do not divide into 4 groups", "kernel must be one number or 2",
      "stride must be positive",
      "needs a stride of 1", "-1 is no size", "do not divide into 0 groups", "width of 6", "kernel must be positive",
      "probability", "indices, integers", "padding index 5",
    ]
    for word in words { #expect(found.contains { $0.message.contains(word) }, "\(word) in \(found)") }
    #expect(found.allSatisfy { $0.places.joined().contains("TraceErrorTests.swift") }, "\(found)")
  }

  @Test func whatFunctionsAreGivenIsChecked() {
    let line = #line + 1
    let found = problems { _ = try trace(Functions(), .f32(2, 4, 5, 5)) }
    let words = [
      "3 elements of type f32, but there are 2", "one length on each level", "0 parts", "parts of 0", "no parts",
      "axes 0 and 7",
      "axes 9", "axis 8", "axis 9", "size must be 2", "not a pair", "Reshape",
    ]
    for word in words { #expect(found.contains { $0.message.contains(word) }, "\(word) in \(found)") }
    // The outermost model's mistakes are at the line that traces it.
    let own = found.filter { !$0.places.isEmpty }
    #expect(own.allSatisfy { $0.places.joined().contains("TraceErrorTests.swift:\(line)") }, "\(own)")
  }

  @Test func whatNothingReadsIsAnError() throws {
    let traced = try trace(Linear(2, 3), .f32(1, 2))
    var store = ParameterStore(initializing: traced.parameters, seed: 1)
    store["old.weight"] = .f32([1], [1])
    store["norm.num_batches_tracked"] = .i64([], [7])
    let found = problems { _ = try traced.bound(to: store) }
    #expect(found.map(\.id) == ["parameters.unexpected"])
    #expect(found.first?.message.contains("old.weight") == true)
    _ = try traced.bound(to: store, strict: false)
  }

  @Test func initialValuesMustFit() {
    struct Net: UnaryLayer {
      var scale = Parameter([3], initializer: .values(.f32([2], [1, 2])))
      var kind = Parameter([2], initializer: .values(.i64([2], [1, 2])))
      var size = Parameter([1 << 40, 1 << 40])
      func forward(_ x: Tensor) -> Tensor { x + x.trace.tensor(scale) + x.trace.tensor(kind) + x.trace.tensor(size) }
    }
    let found = problems { _ = try trace(Net(), .f32(3)) }
    #expect(found.count == 3, "\(found)")
    #expect(found.contains { $0.message.contains("2 initial values") })
    #expect(found.contains { $0.message.contains("cannot start as a tensor of type i64") })
    #expect(found.contains { $0.message.contains("more elements than can be counted") })
  }
}
