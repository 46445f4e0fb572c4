import Sinter

/// 784-20-784: twenty numbers between, so that what comes out is a sum of twenty pictures, between black and white.
struct DenseAutoencoder: UnaryLayer {
  var encoder = Linear(784, 20), decoder = Linear(20, 784)

  func forward(_ x: Tensor) -> Tensor {
    decoder(encoder(x.flatten(from: 1))).sigmoid().unflatten(1, [1, 28, 28])
  }
}

/// Two convolutions that halve the picture, two transposed ones that double it again; 8 channels of 7×7 between.
struct ConvAutoencoder: UnaryLayer {
  var conv1 = Conv2d(1, 16, kernel: 3, stride: 2, padding: 1), conv2 = Conv2d(16, 8, kernel: 3, stride: 2, padding: 1)
  var up1 = ConvTranspose2d(8, 16, kernel: 2, stride: 2), up2 = ConvTranspose2d(16, 1, kernel: 2, stride: 2)

  func forward(_ x: Tensor) -> Tensor {
    let code = conv2(conv1(x).relu()).relu()
    return up2(up1(code).relu()).sigmoid()
  }
}
