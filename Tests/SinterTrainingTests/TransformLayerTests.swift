import Foundation
import Sinter
import Testing

/// Transforms as parts of graphs, beside torchvision's numbers for the same images.
@Suite struct TransformLayerTests {
  static let names = TransformTests.cases.filter { $0.transform is any UnaryLayer }.map(\.name)

  /// Of known and of open sizes, of one image and of a batch.
  @Test(arguments: names, ["image", "batch", "open"]) func computesWhatTorchvisionDoes(_ name: String, _ kind: String)
    throws
  {
    let (_, transform, source) = try #require(TransformTests.cases.first { $0.name == name })
    let layer = try #require(transform as? any UnaryLayer)
    let expected = try FileTests.expected()
    let wanted = try #require(expected["transform.\(name)"])
    let image = try #require(expected[source])
    var spec = InputSpec.f32()
    spec.type = image.type
    if kind != "image" { spec.type.shape.insert(kind == "open" ? "n" : 2, at: 0) }
    if kind == "open" { spec.type.shape.replaceSubrange(2..., with: ["h", "w"]) }
    func traced(_ layer: some UnaryLayer) throws -> TracedModel { try trace(layer, spec) }
    let model = try traced(layer).initialized().load(threads: 1)
    let given: HostTensor
    if kind == "image" {
      given = try model.run(image)[0]
    } else {
      let pixels = try #require(image.doubles)
      let both = try model.run(HostTensor(image.element, [2] + image.shape, doubles: pixels + pixels))[0]
      #expect(both.shape == [2] + wanted.shape)
      let numbers = try #require(both.doubles)
      #expect(numbers.prefix(numbers.count / 2) == numbers.suffix(numbers.count / 2))
      given = HostTensor(both.element, wanted.shape, doubles: Array(numbers.prefix(numbers.count / 2)))
    }
    #expect(given.element == wanted.element && given.shape == wanted.shape)
    let worst = zip(try #require(given.doubles), try #require(wanted.doubles)).map { abs($0 - $1) }.max() ?? .infinity
    // Of floats, both sides have weights in f32, which come by different ways.
    #expect(worst <= (given.element == .u8 ? 1 : 2e-5), "\(worst)")
  }

  struct Net: UnaryLayer {
    var conv = Conv2d(3, 2, kernel: 3)
    func forward(_ x: Tensor) -> Tensor { conv(x).relu().mean(2, 3) }
  }

  /// A model with its preprocessing takes bytes of any size, keeps its parameters' names, and goes through ONNX.
  @Test func modelsComeWithTheirPreprocessing() throws {
    let net = Net()
    let normalize = Normalize(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])
    let whole = Preprocessed(Resize(15), CenterCrop(12), ToTensor(), normalize, before: net)
    let plain = try trace(net, .f32("n", 3, 12, 12))
    let served = try trace(whole, .u8("n", 3, "h", "w"))
    #expect(served.parameters.map(\.name) == plain.parameters.map(\.name))
    #expect("\(whole)".contains("(conv): Conv2d(3, 2"))
    let store = ParameterStore(initializing: plain.parameters, seed: 3)
    let image = try #require(try FileTests.expected()["bytes"])
    let input = image.reshaped([1] + image.shape)
    let transforms = try trace(Compose(Resize(15), CenterCrop(12), ToTensor(), normalize), .u8("n", 3, "h", "w"))
    let prepared = try transforms.initialized().load(threads: 1).run(input)[0]
    let expected = try plain.bound(to: store).load(threads: 1).run(prepared)[0]
    let model = try served.bound(to: store).optimized()
    let given = try model.load(threads: 1).run(input)[0]
    try withScratchFolder { folder in
      try model.export("\(folder)/served.onnx")
      let read = try BoundModel(importing: "\(folder)/served.onnx").load(threads: 1).run(input)[0]
      for result in [given, read] {
        #expect(result.shape == expected.shape)
        let worst = zip(try #require(result.doubles), try #require(expected.doubles)).map { abs($0 - $1) }.max()
        #expect((worst ?? .infinity) < 1e-5)
      }
    }
  }

  @Test func whatCannotBeInAGraphIsNamed() throws {
    func told(_ layer: some UnaryLayer, _ spec: InputSpec) -> String { message { try trace(layer, spec) } }
    let net = Identity()
    #expect(
      told(Preprocessed(RandomHorizontalFlip(), before: net), .f32(3, 4, 4)).contains(
        "RandomHorizontalFlip draws at random"))
    #expect(told(Compose(Lambda { $0 }), .f32(3, 4, 4)).contains("cannot be a part of a graph"))
    #expect(told(ToTensor(), .f32(3, 4, 4)).contains("ToTensor takes images of u8"))
    #expect(
      told(Normalize(mean: [0, 0], deviation: [1]), .f32(3, 4, 4)).contains("2 means, but the image has 3 channels"))
    #expect(told(Normalize(mean: [0], deviation: [0]), .f32(3, 4, 4)).contains("deviation of 0"))
    #expect(told(Resize(4), .i64(3, 4, 4)).contains("Resize takes images of u8 or f32"))
    #expect(told(CenterCrop(2), .f32(4, 4)).contains("CenterCrop takes images"))
  }
}
