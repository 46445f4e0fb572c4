import Sinter
import Testing

/// Tables of layers and counts, beside torchinfo's totals for the same networks.
@Suite struct SummaryTests {
  struct MLP: UnaryLayer {
    var fc1 = Linear(784, 128), fc2 = Linear(128, 10)
    var relu = ReLU()
    func forward(_ x: Tensor) -> Tensor { fc2(relu(fc1(x.flatten(from: 1)))) }
  }

  /// 3072-128-10 of a course.
  struct WideMLP: UnaryLayer {
    var l1 = Linear(3072, 128), l2 = Linear(128, 10)
    func forward(_ x: Tensor) -> Tensor { l2(l1(x.flatten(from: 1)).relu()) }
  }

  /// Two convolutions and two linear layers on 32 by 32 pixels.
  struct CNN: UnaryLayer {
    var features = Sequential(Conv2d(3, 32, kernel: 3), ReLU(), Conv2d(32, 32, kernel: 3), ReLU(), MaxPool2d(2))
    var classifier = Sequential(Linear(6272, 128), ReLU(), Linear(128, 10))
    func forward(_ x: Tensor) -> Tensor { classifier(features(x).flatten(from: 1)) }
  }

  struct Shared: UnaryLayer {
    var first = Linear(4, 4)
    var again: Linear
    var norm = BatchNorm1d(4)
    init() { again = first }
    func forward(_ x: Tensor) -> Tensor { norm(again(first(x))) }
  }

  @Test func totalsAreTorchinfos() throws {
    #expect(try summary(MLP(), .f32(1, 1, 28, 28)).total == 101_770)
    #expect(try summary(WideMLP(), .f32(1, 3, 32, 32)).total == 394_634)
    #expect(try summary(CNN(), .f32(1, 3, 32, 32)).total == 814_378)
  }

  @Test func eachCallIsARow() throws {
    let table = try summary(MLP(), .f32("n", 1, 28, 28), trainable: { $0.hasPrefix("fc2") })
    #expect(table.rows.map(\.type) == ["MLP", "Linear", "ReLU", "Linear"])
    #expect(table.rows.map(\.depth) == [0, 1, 1, 1])
    #expect(table.rows.map(\.own) == [0, 100_480, 0, 1_290])
    #expect(table.rows.map(\.output) == [["n", 10], ["n", 128], ["n", 128], ["n", 10]])
    #expect(table.trainable == 1_290 && table.frozen == 100_480)
    let text = table.description
    #expect(text.contains("├─Linear") && text.contains("[n, 128]") && text.contains("100,480"))
    #expect(text.contains("Total params: 101,770") && text.contains("Non-trainable params: 100,480"))
  }

  @Test func sharedParametersCountOnce() throws {
    let net = Shared()
    let table = try summary(net, .f32(2, 4))
    // The norm's scale and bias count, its running statistics do not.
    #expect(table.total == 20 + 8)
    #expect(table.rows.map(\.isRepeated) == [false, false, true, false])
    #expect(net.parameterCount == 28)
    let named = net.namedParameters
    #expect(
      named.map(\.name) == [
        "first.weight", "first.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var",
      ])
    #expect(named[0].aliases == ["again.weight"])
  }
}
