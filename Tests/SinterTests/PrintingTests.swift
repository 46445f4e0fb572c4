import Sinter
import Testing

/// Models and tensors in print, beside what PyTorch prints.
@Suite struct PrintingTests {
  struct Block: UnaryLayer {
    var conv = Conv2d(3, 8, kernel: [3, 5], stride: 2, padding: [1, 2], groups: 1, bias: false)
    var norm = BatchNorm2d(8)
    var act = LeakyReLU(0.2)
    var pool = MaxPool2d(2)
    func forward(_ x: Tensor) -> Tensor { pool(act(norm(conv(x)))) }
  }

  struct Net: UnaryLayer {
    var blocks = [Linear(2, 2), Linear(2, 2)]
    var features = Sequential(Block(), AdaptiveAvgPool2d([1, 1]), Flatten(), Dropout(0.25))
    var head: Linear? = Linear(8, 4)
    var missing: Linear?
    var lstm = LSTM(4, 6, layers: 2, batchFirst: true)
    var scale = Parameter([1])
    func forward(_ x: Tensor) -> Tensor { features(x) }
  }

  @Test func modelsPrintAsPyTorchsDo() {
    #expect(
      "\(Net())" == """
        Net(
          (blocks): ModuleList(
            (0-1): 2 x Linear(in_features=2, out_features=2, bias=True)
          )
          (features): Sequential(
            (0): Block(
              (conv): Conv2d(3, 8, kernel_size=(3, 5), stride=(2, 2), padding=(1, 2), bias=False)
              (norm): BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
              (act): LeakyReLU(negative_slope=0.2)
              (pool): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
            )
            (1): AdaptiveAvgPool2d(output_size=(1, 1))
            (2): Flatten(start_dim=1, end_dim=-1)
            (3): Dropout(p=0.25, inplace=False)
          )
          (head): Linear(in_features=8, out_features=4, bias=True)
          (lstm): LSTM(4, 6, num_layers=2, batch_first=True)
        )
        """)
  }

  /// Each line is what PyTorch 2.13 prints for the same module.
  static var lines: [(any Layer, String)] {
    [
      (Linear(3, 4, bias: false), "Linear(in_features=3, out_features=4, bias=False)"),
      (Bilinear(3, 4, 2), "Bilinear(in1_features=3, in2_features=4, out_features=2, bias=True)"),
      (Embedding(7, 3, paddingIndex: -1), "Embedding(7, 3, padding_idx=6)"),
      (
        Conv1d(4, 8, kernel: 3, padding: .same, dilation: 2, groups: 2),
        "Conv1d(4, 8, kernel_size=(3,), stride=(1,), padding=same, dilation=(2,), groups=2)"
      ),
      (
        Conv2d(1, 2, kernel: 3, padding: 1, paddingMode: .reflect),
        "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), padding_mode=reflect)"
      ),
      (
        ConvTranspose2d(4, 2, kernel: 3, stride: 2, padding: 1, outputPadding: 1),
        "ConvTranspose2d(4, 2, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1))"
      ),
      (AvgPool2d(3, stride: 2), "AvgPool2d(kernel_size=3, stride=2, padding=0)"),
      (AvgPool1d(3), "AvgPool1d(kernel_size=(3,), stride=(3,), padding=(0,))"),
      (LayerNorm(4), "LayerNorm((4,), eps=1e-05, elementwise_affine=True, bias=True)"),
      (GroupNorm(2, 4), "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"),
      (
        InstanceNorm2d(3),
        "InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)"
      ),
      (RMSNorm(4), "RMSNorm((4,), eps=None, elementwise_affine=True)"),
      (LocalResponseNorm(5), "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)"),
      (GELU(), "GELU(approximate='none')"), (ELU(), "ELU(alpha=1.0)"), (Softmax(1), "Softmax(dim=1)"),
      (PReLU(3), "PReLU(num_parameters=3)"), (ReLU(), "ReLU()"), (Identity(), "Identity()"),
      (PixelShuffle(2), "PixelShuffle(upscale_factor=2)"), (ZeroPad2d(1), "ZeroPad2d((1, 1, 1, 1))"),
      (Upsample(scale: 2.0, mode: .linear), "Upsample(scale_factor=2.0, mode='bilinear')"),
      (GRUCell(3, 4), "GRUCell(3, 4)"), (Unflatten(1, [2, 3]), "Unflatten(dim=1, unflattened_size=(2, 3))"),
    ]
  }

  @Test func layersPrintWhatTheyWereMadeWith() {
    for (layer, expected) in Self.lines { #expect("\(layer)" == expected) }
  }

  /// Printed by PyTorch 2.13.
  static var tensors: [(Tensor, String)] {
    [
      (tensor([[1.0, 2.0], [3.0, 4.0]]), "tensor([[1., 2.],\n        [3., 4.]])"),
      (tensor([1, -20, 3]), "tensor([  1, -20,   3])"),
      (tensor([0.1, 1.5, -2.25]), "tensor([ 0.1000,  1.5000, -2.2500])"),
      (tensor([1e-5, 1.0]), "tensor([1.0000e-05, 1.0000e+00])"),
      (tensor([1.0, 2000.0, 0.5]), "tensor([1.0000e+00, 2.0000e+03, 5.0000e-01])"),
      (tensor([1.0, .infinity, -.infinity, .nan]), "tensor([1., inf, -inf, nan])"),
      (tensor(3.5), "tensor(3.5000)"), (tensor(7), "tensor(7)"), (tensor([true, false]), "tensor([ True, False])"),
      (zeros(0), "tensor([])"), (zeros(2, 0), "tensor([], size=(2, 0))"),
      (tensor([1.0], .f64), "tensor([1.], dtype=torch.float64)"),
      (tensor([1, 2], .i32), "tensor([1, 2], dtype=torch.int32)"),
      (tensor([1.0, 2.0], requiresGradient: true), "tensor([1., 2.], requires_grad=True)"),
      (zeros(2, 1, 2), "tensor([[[0., 0.]],\n\n        [[0., 0.]]])"),
      (arange(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
      (
        arange(30).float() * 100,
        "tensor([   0.,  100.,  200.,  300.,  400.,  500.,  600.,  700.,  800.,  900.,\n        1000., 1100., 1200., 1300., 1400., 1500., 1600., 1700., 1800., 1900.,\n        2000., 2100., 2200., 2300., 2400., 2500., 2600., 2700., 2800., 2900.])"
      ),
    ]
  }

  @Test func tensorsPrintAsPyTorchsDo() {
    for (tensor, expected) in Self.tensors { #expect("\(tensor)" == expected) }
  }
}
