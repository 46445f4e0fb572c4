import Sinter

/// Two convolutions and two linear layers: 814,378 numbers.
struct CNNv1: UnaryLayer {
  var conv1 = Conv2d(3, 32, kernel: 3), conv2 = Conv2d(32, 32, kernel: 3)
  var pool = MaxPool2d(2), l1 = Linear(6272, 128), l2 = Linear(128, 10)

  func forward(_ x: Tensor) -> Tensor {
    let h = pool(conv2(conv1(x).relu()).relu())
    return l2(l1(h.flatten(from: 1)).relu())
  }
}

/// Six convolutions in three stages, of which each may have batch norm and dropout behind it.
struct Deeper: UnaryLayer {
  enum Norm { case none, each, shared }

  struct Stage: UnaryLayer {
    var conv1: Conv2d, conv2: Conv2d
    /// One for each convolution, or the same one for both.
    var bn1: BatchNorm2d?, bn2: BatchNorm2d?
    var pool = MaxPool2d(2), drop: Dropout?

    init(_ inputs: Int, _ outputs: Int, _ norm: Norm, drop: Double?) {
      conv1 = Conv2d(inputs, outputs, kernel: 3, padding: 1)
      conv2 = Conv2d(outputs, outputs, kernel: 3, padding: 1)
      if norm != .none { bn1 = BatchNorm2d(outputs) }
      bn2 = norm == .each ? BatchNorm2d(outputs) : bn1
      self.drop = drop.map { Dropout($0) }
    }

    func forward(_ x: Tensor) -> Tensor {
      var h = conv1(x)
      if let bn1 { h = bn1(h) }
      h = conv2(h.relu())
      if let bn2 { h = bn2(h) }
      h = pool(h.relu())
      return drop.map { $0(h) } ?? h
    }
  }

  var features: [Stage]
  var l1 = Linear(4 * 4 * 128, 128), l2 = Linear(128, 10), drop: Dropout?

  init(norm: Norm = .none, drops: Bool = false) {
    features = [(3, 32, 0.2), (32, 64, 0.3), (64, 128, 0.4)].map { Stage($0.0, $0.1, norm, drop: drops ? $0.2 : nil) }
    drop = drops ? Dropout(0.4) : nil
  }

  func forward(_ x: Tensor) -> Tensor {
    let h = l1(features.reduce(x) { $1($0) }.flatten(from: 1)).relu()
    return l2(drop.map { $0(h) } ?? h)
  }
}

/// The five networks: each adds one thing to the one before, and the last has one batch norm at two places.
func networks() -> [(name: String, net: any UnaryLayer, adds: String)] {
  [
    ("v1", CNNv1(), "two convolutions"), ("v2", Deeper(), "six convolutions"), ("v3", Deeper(drops: true), "dropout"),
    ("v4", Deeper(norm: .each, drops: true), "batch norm"),
    ("v5", Deeper(norm: .shared, drops: true), "one batch norm at two places"),
  ]
}
