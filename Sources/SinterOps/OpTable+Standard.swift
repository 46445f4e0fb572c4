import SinterIR

extension OpTable {
  /// All operators that Sinter has, sorted within their groups.
  public static let standard = OpTable([
    // Elementwise
    Binary.self,
    Cast.self,
    CastLike.self,
    Celu.self,
    Clip.self,
    Compare.self,
    Dropout.self,
    Elu.self,
    Gelu.self,
    HardSigmoid.self,
    Identity.self,
    IsInf.self,
    IsNaN.self,
    LeakyRelu.self,
    PRelu.self,
    Selu.self,
    Shrink.self,
    Swish.self,
    ThresholdedRelu.self,
    Unary.self,
    Variadic.self,
    Where.self,

    // Shape
    Concat.self,
    Constant.self,
    ConstantOfShape.self,
    DepthToSpace.self,
    Expand.self,
    EyeLike.self,
    Flatten.self,
    Pad.self,
    Range.self,
    Reshape.self,
    ReverseSequence.self,
    Shape.self,
    Size.self,
    Slice.self,
    SpaceToDepth.self,
    Split.self,
    Squeeze.self,
    Tile.self,
    Transpose.self,
    Trilu.self,
    Unsqueeze.self,

    // Indexing
    ArgReduce.self,
    Gather.self,
    GatherElements.self,
    GatherND.self,
    OneHot.self,
    ScatterElements.self,
    ScatterND.self,
    TopK.self,

    // Reduction
    Cumulative.self,
    Reduce.self,
    Softmax.self,

    // Contraction
    Gemm.self,
    MatMul.self,

    // Convolution
    Conv.self,
    ConvTranspose.self,

    // Normalization
    BatchNormalization.self,
    GroupNormalization.self,
    LayerNormalization.self,
    RMSNormalization.self,

    // Pooling
    AveragePool.self,
    GlobalPool.self,
    LpPool.self,
    MaxPool.self,

    // Resampling
    Resize.self,

    // Recurrent
    GRU.self,
    LSTM.self,
    RNN.self,
  ])
}
