import Sinter

/// Two convolutions of 3 by 3 beside a shortcut (He et al., 2016).
public struct BasicBlock: UnaryLayer {
  public var conv1: Conv2d, bn1: BatchNorm2d
  public var relu = ReLU()
  public var conv2: Conv2d, bn2: BatchNorm2d
  /// What the shortcut needs where sizes change.
  public var downsample: Sequential?

  public init(_ inputs: Int, _ planes: Int, stride: Int = 1, downsample: Sequential? = nil) {
    conv1 = startedConv(inputs, planes, kernel: 3, stride: stride, padding: 1)
    bn1 = BatchNorm2d(planes)
    conv2 = startedConv(planes, planes, kernel: 3, padding: 1)
    bn2 = BatchNorm2d(planes)
    self.downsample = downsample
  }

  public func forward(_ x: Tensor) -> Tensor {
    let h = bn2(conv2(relu(bn1(conv1(x)))))
    return relu(h + (downsample.map { $0(x) } ?? x))
  }
}

/// Convolutions of 1, 3 and 1 with fewer channels in the middle, beside a shortcut; the stride stands at the one of 3.
public struct Bottleneck: UnaryLayer {
  public var conv1: Conv2d, bn1: BatchNorm2d
  public var conv2: Conv2d, bn2: BatchNorm2d
  public var conv3: Conv2d, bn3: BatchNorm2d
  public var relu = ReLU()
  public var downsample: Sequential?

  public init(
    _ inputs: Int, _ planes: Int, stride: Int = 1, groups: Int = 1, baseWidth: Int = 64, downsample: Sequential? = nil
  ) {
    let width = planes * baseWidth / 64 * groups
    conv1 = startedConv(inputs, width, kernel: 1)
    bn1 = BatchNorm2d(width)
    conv2 = startedConv(width, width, kernel: 3, stride: stride, padding: 1, groups: groups)
    bn2 = BatchNorm2d(width)
    conv3 = startedConv(width, planes * 4, kernel: 1)
    bn3 = BatchNorm2d(planes * 4)
    self.downsample = downsample
  }

  public func forward(_ x: Tensor) -> Tensor {
    let h = bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x))))))))
    return relu(h + (downsample.map { $0(x) } ?? x))
  }
}

/// Residual networks with torchvision's names: `ResNet.resnet18()`, `.resnet50()` and so on. Images [n, 3, h, w] give scores [n, classes].
public struct ResNet: UnaryLayer {
  public var conv1 = startedConv(3, 64, kernel: 7, stride: 2, padding: 3)
  public var bn1 = BatchNorm2d(64), relu = ReLU()
  public var maxpool = MaxPool2d(3, stride: 2, padding: 1)
  public var layer1: Sequential, layer2: Sequential, layer3: Sequential, layer4: Sequential
  public var avgpool: any UnaryLayer = AdaptiveAvgPool2d([1, 1])
  public var fc: any UnaryLayer

  private init(_ counts: [Int], classes: Int, expansion: Int, _ block: (Int, Int, Int, Sequential?) -> any UnaryLayer) {
    var inputs = 64
    func stage(_ planes: Int, _ count: Int, stride: Int) -> Sequential {
      var layers: [any UnaryLayer] = []
      for index in 0..<count {
        let stride = index == 0 ? stride : 1
        let shortcut =
          stride != 1 || inputs != planes * expansion
          ? Sequential(
            startedConv(inputs, planes * expansion, kernel: 1, stride: stride), BatchNorm2d(planes * expansion)) : nil
        layers.append(block(inputs, planes, stride, shortcut))
        inputs = planes * expansion
      }
      return Sequential(layers)
    }
    layer1 = stage(64, counts[0], stride: 1)
    layer2 = stage(128, counts[1], stride: 2)
    layer3 = stage(256, counts[2], stride: 2)
    layer4 = stage(512, counts[3], stride: 2)
    fc = Linear(512 * expansion, classes)
  }

  private static func basic(_ counts: [Int], _ classes: Int) -> ResNet {
    ResNet(counts, classes: classes, expansion: 1) { BasicBlock($0, $1, stride: $2, downsample: $3) }
  }

  private static func deep(_ counts: [Int], _ classes: Int, groups: Int = 1, baseWidth: Int = 64) -> ResNet {
    ResNet(counts, classes: classes, expansion: 4) {
      Bottleneck($0, $1, stride: $2, groups: groups, baseWidth: baseWidth, downsample: $3)
    }
  }

  public static func resnet18(classes: Int = 1000) -> ResNet { basic([2, 2, 2, 2], classes) }
  public static func resnet34(classes: Int = 1000) -> ResNet { basic([3, 4, 6, 3], classes) }
  public static func resnet50(classes: Int = 1000) -> ResNet { deep([3, 4, 6, 3], classes) }
  public static func resnet101(classes: Int = 1000) -> ResNet { deep([3, 4, 23, 3], classes) }
  public static func resnext50(classes: Int = 1000) -> ResNet { deep([3, 4, 6, 3], classes, groups: 32, baseWidth: 4) }
  public static func wideResnet50(classes: Int = 1000) -> ResNet { deep([3, 4, 6, 3], classes, baseWidth: 128) }

  public func forward(_ x: Tensor) -> Tensor {
    let stem = maxpool(relu(bn1(conv1(x))))
    let features = layer4(layer3(layer2(layer1(stem))))
    return fc(avgpool(features).flatten(from: 1))
  }
}
