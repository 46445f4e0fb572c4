import Foundation
import Sinter
import Testing

/// Tensors with numbers: what the first pages of a notebook do.
@Suite struct ImmediateTests {
  static func values(_ tensor: Tensor) throws -> [Double] { try tensor.numbers().doubles ?? [] }

  @Test func arithmeticComputes() throws {
    let a = tensor([[1.0, 2.0], [3.0, 4.0]]), b = tensor([10.0, 20.0])
    #expect("\(a + b)" == "tensor([[11., 22.],\n        [13., 24.]])")
    #expect("\(a.matmul(a))" == "tensor([[ 7., 10.],\n        [15., 22.]])")
    #expect("\(a.sum(0))" == "tensor([4., 6.])")
    #expect("\(a.view(-1))" == "tensor([1., 2., 3., 4.])")
    #expect("\(a > 2)" == "tensor([[False, False],\n        [ True,  True]])")
    #expect("\(a.argmax(1))" == "tensor([1, 1])")
    #expect("\(cat([a, a], axis: 1)[0])" == "tensor([1., 2., 1., 2.])")
    #expect(try (a * 2).mean().item() == 5)
    #expect(try Self.values(tensor([3, 1, 2]).sort().values) == [1, 2, 3])
    #expect(try Self.values(tensor([0, 3, 0, 4]).nonzero()) == [1, 3])
    #expect(try Self.values(tensor([0.0, 3.0, 0.0]).nonzero() * 2) == [2])
    #expect(a.shape == [2, 2] && a.element == .f32 && tensor(1).element == .i64)
  }

  @Test func closenessIsPyTorchs() throws {
    #expect(try allClose(tensor([1.0, 1000.0]), tensor([1.0 + 1e-7, 1000.005])))
    #expect(try !allClose(tensor([1.0]), tensor([1.0001])))
    #expect(try allClose(tensor([1.0]), tensor([1.1]), absolute: 0.2))
    #expect(try allClose(tensor([Double.infinity]), tensor([Double.infinity])))
    #expect(try !allClose(tensor([Double.nan]), tensor([Double.nan])))
    #expect(throws: (any Error).self) { try allClose(tensor([1.0]), tensor([1.0, 1.0])) }
    #expect(empty(2, 3).shape == [2, 3])
  }

  /// As torch.set_printoptions(precision=2), and (threshold=5, edgeitems=1).
  @Test func printOptionsShapeTheText() {
    let (x, y) = (tensor([1.23456, -2.5]), arange(10))
    var options = PrintOptions()
    options.precision = 2
    #expect(x.printed(options) == "tensor([ 1.23, -2.50])")
    (options.threshold, options.edgeItems) = (5, 1)
    #expect(y.printed(options) == "tensor([0,  ..., 9])")
    options.edgeItems = .max
    #expect(y.printed(options) == "\(y)")
    #expect(PrintOptions.shared == PrintOptions() && "\(x)" == x.printed(PrintOptions()))
  }

  @Test func evaluateGivesHostTensors() throws {
    let y = try evaluate { tensor([1.0, 2.0]).pow(2) + 2 }
    #expect(y.doubles == [3, 6])
    #expect(try evaluate { [ones(2), zeros(1)] }.map { $0.doubles ?? [] } == [[1, 1], [0]])
  }

  /// Row 5 of the notebooks: y = 2x² + 2, twice without forgetting, then forgotten.
  @Test func gradientsAddUpUntilForgotten() throws {
    let x = tensor([-2.0, 0.0, 3.0], requiresGradient: true)
    let y = 2 * x.pow(2) + 2
    try y.sum().backward()
    #expect("\(try #require(x.grad))" == "tensor([-8.,  0., 12.])")
    try y.sum().backward()
    #expect(try Self.values(try #require(x.grad)) == [-16, 0, 24])
    x.zeroGrad()
    #expect(x.grad == nil)
    try (y.detach() * x).sum().backward()
    #expect(try Self.values(try #require(x.grad)) == [10, 2, 20])
  }

  /// A line through points by hand. The values are PyTorch's for the same loop.
  @Test func gradientDescentByHand() throws {
    let x = tensor([-5.0, 5.0, 0.0, 2.0, -2.0]), y = tensor([-6.7, 9.8, 0.3, 4.1, -2.1])
    var w = tensor(1.0, requiresGradient: true), b = tensor(1.0, requiresGradient: true)
    var losses: [Double] = []
    for _ in 0..<50 {
      let loss = mseLoss(w * x + b, y)
      try loss.backward()
      losses.append(try loss.item())
      try w.assign(w - 0.01 * (try #require(w.grad)))
      try b.assign(b - 0.01 * (try #require(b.grad)))
    }
    #expect(abs(losses[0] - 4.927998) < 1e-5 && abs(losses[49] - 0.227277) < 1e-5, "\(losses)")
    let found = (try w.item(), try b.item())
    #expect(abs(found.0 - 1.636206) < 1e-5 && abs(found.1 - 1.050866) < 1e-5, "\(w) \(b)")
  }

  @Test func oldValuesStay() throws {
    var w = tensor(2.0, requiresGradient: true)
    let y = w * 3
    try w.assign(w + 1)
    let found = (try y.item(), try w.item())
    #expect(found == (6, 3) && w.requiresGradient)
  }

  @Test func layersComputeFromTheirFirstValues() throws {
    struct Net: UnaryLayer {
      var fc1 = Linear(3, 4), fc2 = Linear(4, 2)
      func forward(_ x: Tensor) -> Tensor { fc2(fc1(x).relu()) }
    }
    let net = Net(), x: HostTensor = .f32([2, 3], [1, 2, 3, 4, 5, 6])
    let given = try Self.values(net(Tensor(x)))
    let expected = try withScratchFolder { folder in
      try trace(net, .f32(2, 3)).initialized(seed: 0).compile(to: "\(folder)/libnet.so").run(x)[0].doubles ?? []
    }
    #expect(zip(given, expected).allSatisfy { abs($0 - $1) < 1e-6 } && given.count == 4)
  }

  /// Layers that live no longer than a call have parameters of their own, wherever these lie in memory.
  @Test func layersOfACallKeepTheirParameters() throws {
    let x = ones(1, 4)
    for width in 1...40 {
      let y = Linear(4, width)(x)
      #expect(y.shape == [1, Dim(width)], "\(y)")
    }
    // In a trace all of them are mistakes, none takes another's place.
    struct Net: UnaryLayer {
      func forward(_ x: Tensor) -> Tensor {
        for width in 1...40 { _ = x.matmul(x.trace.tensor(Parameter([4, width]))) }
        return x
      }
    }
    let told = message { try trace(Net(), .f32(1, 4)) }
    for width in [1, 2, 20, 40] { #expect(told.contains("f32[4, \(width)]"), "\(width)") }
  }

  /// A trace goes when its tensors do, whatever parameters, random numbers and constants it had.
  @Test func tracesGoWithTheirTensors() throws {
    weak var recording: Trace?
    weak var immediate: Trace?
    do {
      let (fc, drop) = (Linear(2, 2), Dropout(0.5))
      let traced = try trace(fc, [.f32(1, 2)], mode: .train) { tensors -> Tensor in
        recording = tensors[0].trace
        return drop(fc(tensors[0]) + ones(2))
      }
      #expect(traced.graph.nodes.count > 2)
      let x = ones(1, 2)
      immediate = x.trace
      #expect(fc(x).shape == [1, 2] && immediate != nil)
    }
    #expect(recording == nil && immediate == nil)
  }

  /// A loop of many steps needs no stack of its length: neither to be traced nor to be let go of.
  @Test func longHistoriesNeedNoStack() throws {
    final class Outcome: @unchecked Sendable { var problem = "it did not end" }
    let outcome = Outcome()
    let end = DispatchSemaphore(value: 0)
    let thread = Thread {
      var x = ones(2)
      for _ in 0..<4000 { x = x + 1 }
      do {
        let nodes = try trace((), [.f32(2)]) { $0[0] * x }.graph.nodes.count
        outcome.problem = nodes >= 4000 ? "" : "\(nodes) nodes"
      } catch { outcome.problem = "\(error)" }
      x = ones(1)
      end.signal()
    }
    thread.stackSize = 512 << 10
    thread.start()
    end.wait()
    #expect(outcome.problem == "")
  }

  /// What led to known numbers goes, where no gradient will need it.
  @Test func historiesGoOnceTheNumbersAreKnown() throws {
    final class Owner {}
    weak var start: Owner?
    var sum = zeros(1)
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: 1)
    memory.pointee = 1
    defer { memory.deallocate() }
    do {
      let owner = Owner()
      start = owner
      sum = sum + Tensor(HostTensor(.f32, [1], bytes: TensorBytes(at: memory, count: 4, owner: owner))) * 3
    }
    #expect(start != nil)
    #expect(try sum.item() == 3)
    #expect(start == nil)
    let w = tensor(2.0, requiresGradient: true), y = w * w
    #expect(try y.item() == 4)
    try y.backward()
    #expect(try w.grad?.item() == 4)
  }

  @Test func randomNumbersFollowFromTheSeed() throws {
    var first = Generator(seed: 123), again = Generator(seed: 123), other = Generator(seed: 124)
    let a = try Self.values(first.randn(1000))
    let (b, c) = (try Self.values(again.randn(1000)), try Self.values(other.randn(1000)))
    #expect(a == b && a != c)
    #expect(abs(a.reduce(0, +)) / 1000 < 0.15 && abs(a.reduce(0) { $0 + $1 * $1 } / 1000 - 1) < 0.2)
    #expect(Set(try Self.values(first.randint(2..<5, [100]))) == [2, 3, 4])
    #expect(try Self.values(first.randperm(20)).sorted() == (0..<20).map { Double($0) })
    #expect(try Self.values(first.rand(100)).allSatisfy { (0..<1).contains($0) })
  }

  @Test func mistakesAreToldWhenNumbersAreAsked() throws {
    let wrong = tensor([1.0, 2.0]) + tensor([1.0, 2.0, 3.0])
    #expect(throws: DiagnosticError.self) { try wrong.numbers() }
    #expect(throws: DiagnosticError.self) { try (wrong * 2).sum().item() }
    #expect("\(wrong)".contains("2") && "\(wrong)".contains("3"))
    #expect(throws: DiagnosticError.self) { try tensor([1.0, 2.0]).item() }
    #expect(throws: DiagnosticError.self) { try tensor([1.0]).backward() }
    #expect("\(tensor([[1.0], [1.0, 2.0]]))".contains("one length"))
    #expect("\(zeros(-1))".contains("-1"))
    #expect(throws: DiagnosticError.self) {
      try trace((), [.f32(2)]) { tensors in
        _ = try? tensors[0].numbers()
        return tensors[0].reshape(3)
      }
    }
  }

  /// Types of results are PyTorch's.
  @Test func typesArePromoted() throws {
    let whole = tensor([1, 2, 3]), part = tensor([0.5, 1.5, 2.5])
    #expect("\(whole + part)" == "tensor([1.5000, 3.5000, 5.5000])")
    #expect("\(whole * 0.5)" == "tensor([0.5000, 1.0000, 1.5000])")
    #expect("\(whole * 2)" == "tensor([2, 4, 6])")
    #expect("\(whole / 2)" == "tensor([0.5000, 1.0000, 1.5000])")
    #expect("\(whole / tensor([2, 2, 2]))" == "tensor([0.5000, 1.0000, 1.5000])")
    #expect("\(whole.floorDivide(tensor(2)))" == "tensor([0, 1, 1])")
    #expect("\(1.5 - whole)" == "tensor([ 0.5000, -0.5000, -1.5000])")
    #expect("\(whole > 1.5)" == "tensor([False,  True,  True])")
    #expect("\((whole .== 2) + 1)" == "tensor([1, 2, 1])")
    #expect("\(whole.maximum(tensor(2.0, .f64)))" == "tensor([2., 2., 3.], dtype=torch.float64)")
    #expect("\(tensor([1.0], .f16) + tensor([1.0], .bf16))" == "tensor([2.])")
    #expect("\(tensor([1.0], .f16) * tensor(2.0))" == "tensor([2.], dtype=torch.float16)")
    #expect("\(tensor([200], .u8) + tensor([-3], .i8))" == "tensor([197], dtype=torch.int16)")
    #expect("\(`where`(whole > 2, whole, part))" == "tensor([0.5000, 1.5000, 3.0000])")
  }

  /// In a trace a tensor with numbers is a constant.
  @Test func tracesTakeThemAsConstants() throws {
    let table = (arange(6).float().reshape(2, 3) * 10).t()
    let model = try trace((), [.f32("n", 2)]) { table[0] + $0[0] * ones(2) }.initialized()
    try withScratchFolder { folder in
      let result = try model.compile(to: "\(folder)/libc.so").run(.f32([1, 2], [1, 2]))[0]
      #expect(result.doubles == [1, 32])
    }
  }
}
