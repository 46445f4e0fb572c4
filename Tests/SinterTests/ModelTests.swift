import Foundation
import Sinter
import SinterModels
import Testing

/// The networks of models/vision: names, shapes and counts of their parameters beside torchvision's, which `Tests/Peers/model_fixtures.py` has stored.
@Suite struct ModelTests {
  static let networks: [String: @Sendable () -> any UnaryLayer] = [
    "resnet18": { ResNet.resnet18() }, "resnet34": { ResNet.resnet34() }, "resnet50": { ResNet.resnet50() },
    "resnet101": { ResNet.resnet101() }, "resnext50_32x4d": { ResNet.resnext50() },
    "wide_resnet50_2": { ResNet.wideResnet50() }, "vgg11": { VGG.vgg11() }, "vgg13_bn": { VGG.vgg13(batchNorm: true) },
    "vgg16": { VGG.vgg16() }, "vgg19_bn": { VGG.vgg19(batchNorm: true) }, "alexnet": { AlexNet() },
    "googlenet": { GoogLeNet(auxLogits: true) }, "googlenet_plain": { GoogLeNet() },
    "densenet121": { DenseNet.densenet121() }, "densenet169": { DenseNet.densenet169() },
    "densenet201": { DenseNet.densenet201() }, "mobilenet_v2": { MobileNetV2() },
  ]

  static func stored() throws -> [String: (count: Int, hash: String)] {
    let path = URL(filePath: #filePath).deletingLastPathComponent().path + "/Fixtures/models.txt"
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    return Dictionary(
      uniqueKeysWithValues: lines.map { line in
        let parts = line.split(separator: " ").map(String.init)
        return (parts[0], (Int(parts[1]) ?? 0, parts[2]))
      })
  }

  private static func hash(_ text: String) -> String {
    let value = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  @Test func networksAreThoseStored() throws { #expect(Set(try Self.stored().keys) == Set(Self.networks.keys)) }

  @Test(arguments: networks.keys.sorted()) func namesAndShapesAreTorchvisions(_ name: String) throws {
    let make = try #require(Self.networks[name])
    let net = make()
    let expected = try #require(try Self.stored()[name])
    #expect(net.parameterCount == expected.count)
    let listed = net.namedParameters.map { "\($0.name) \($0.parameter.shape)" }.sorted().joined(separator: "\n")
    #expect(Self.hash(listed) == expected.hash, "\(listed.prefix(2000))")
  }

  /// Every network traces for any number of images, and gives scores of a thousand classes.
  @Test(arguments: networks.keys.sorted()) func networksTrace(_ name: String) throws {
    func run(_ net: some UnaryLayer) throws {
      let traced = try trace(net, .f32("n", 3, 96, 96))
      #expect(traced.graph.outputs.map { traced.graph.type(of: $0).description } == ["f32[n, 1000]"])
      // For Tests/Peers/test_models.py, which runs what is exported in ONNX Runtime.
      if let folder = ProcessInfo.processInfo.environment["SINTER_MODEL_FILES"],
        FileManager.default.fileExists(atPath: "\(folder)/\(name).safetensors")
      {
        let weights = try ParameterStore(reading: "\(folder)/\(name).safetensors")
        try traced.bound(to: weights).export("\(folder)/\(name).onnx")
      }
    }
    let make = try #require(Self.networks[name])
    try run(make())
  }

  @Test func layersAreReplacedByAssignment() throws {
    var net = ResNet.resnet18()
    net.fc = Linear(512, 10)
    net.avgpool = AdaptiveAvgPool2d(1)
    #expect(net.parameterCount == 11_181_642)
    let step = try trainingStep(
      net, .f32(2, 3, 32, 32), .i64(2), optimizer: SGD(learningRate: 0.001), loss: crossEntropy,
      trainable: { $0.hasPrefix("fc.") })
    #expect(step.state.filter(\.changes).map(\.name).filter { !$0.contains("running_") } == ["fc.weight", "fc.bias"])
    let whole = try trainingStep(
      net, .f32(2, 3, 32, 32), .i64(2), optimizer: SGD(learningRate: 0.001), loss: crossEntropy)
    // What is frozen gets no gradient nodes.
    #expect(step.graph.order.count * 2 < whole.graph.order.count)

    var vgg = VGG.vgg11()
    vgg.classifier[6] = Linear(4096, 2)
    vgg.avgpool = Identity()
    #expect(vgg.classifier[-1].description == "Linear(in_features=4096, out_features=2, bias=True)")
    #expect(vgg.features[..<3].count == 3 && vgg.features[5...].count == vgg.features.count - 5)
    #expect(
      vgg.features[0...1].description.contains("(0): Conv2d(3, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))"))
  }
}
