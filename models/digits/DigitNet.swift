import Sinter

/// A classifier of handwritten digits, 8 by 8 pixels in 0 ... 1, as [n, 1, 8, 8]: ten scores each.
struct DigitNet: UnaryLayer {
  var conv1 = Conv2d(1, 16, kernel: 3, padding: 1)
  var norm1 = BatchNorm2d(16)
  var conv2 = Conv2d(16, 32, kernel: 3, padding: 1)
  var norm2 = BatchNorm2d(32)
  var conv3 = Conv2d(32, 32, kernel: 3, padding: 1)
  var norm3 = BatchNorm2d(32)
  var pool = MaxPool2d(2)
  var fc1 = Linear(32 * 2 * 2, 64)
  var drop = Dropout(0.25)
  var fc2 = Linear(64, 10)

  func forward(_ x: Tensor) -> Tensor {
    var h = norm1(conv1(x)).relu()
    h = pool(norm2(conv2(h)).relu())
    h = pool(norm3(conv3(h)).relu())
    return fc2(drop(fc1(h.flatten(from: 1)).relu()))
  }
}
