import SinterIR

extension OpTable {
  /// All operators that Sinter has.
  public static let standard = OpTable(
    standardTypes, rules: OnnxRule.sequences + OnnxRule.optionals + [.castMap, .dictVectorizer, .zipMap],
    signatures: OnnxSignature.standard, refusals: OnnxRefusal.standard)

  /// Sorted within their groups.
  private static let standardTypes: [any Operator.Type] = [
    // Control
    If.self,
    Loop.self,
    Scan.self,

    // Sizes from data
    Expect.self,
    ReadSizes.self,

    // Sequences
    Excerpt.self,
    InsertRows.self,
    RemoveRows.self,
    SequencePlace.self,

    // Optimizers
    OnnxAdagrad.self,
    OnnxAdam.self,
    OnnxMomentum.self,

    // Gradients
    Barrier.self,
    PoolGradient.self,
    StopGradient.self,
    SumTo.self,

    // Elementwise
    BiasGelu.self,
    Binary.self,
    BitCast.self,
    Cast.self,
    CastLike.self,
    Celu.self,
    Clip.self,
    Compare.self,
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
    SwiGLU.self,
    Swish.self,
    ThresholdedRelu.self,
    Unary.self,
    Variadic.self,
    Where.self,

    // Shape
    AffineGrid.self,
    CenterCropPad.self,
    Col2Im.self,
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
    BifurcationDetector.self,
    Compress.self,
    Gather.self,
    GatherElements.self,
    GatherND.self,
    NGramRepeatBlock.self,
    NonMaxSuppression.self,
    NonZero.self,
    OneHot.self,
    ScatterElements.self,
    ScatterND.self,
    TopK.self,
    Unique.self,

    // Reduction
    Cumulative.self,
    Reduce.self,
    Softmax.self,

    // Contraction
    Det.self,
    Einsum.self,
    FusedGemm.self,
    FusedMatMul.self,
    Gemm.self,
    Inverse.self,
    MatMul.self,

    // Convolution
    Conv.self,
    ConvTranspose.self,
    DeformConv.self,
    FusedConv.self,

    // Normalization
    BatchNormalization.self,
    EmbedLayerNormalization.self,
    GroupNormalization.self,
    LRN.self,
    LayerNormalization.self,
    LpNormalization.self,
    MeanVarianceNormalization.self,
    RMSNormalization.self,
    SimplifiedLayerNormalization.self,
    SkipLayerNormalization.self,

    // Pooling
    AveragePool.self,
    GlobalPool.self,
    LpPool.self,
    MaxPool.self,
    MaxRoiPool.self,
    MaxUnpool.self,

    // Resampling
    CropAndResize.self,
    GridSample.self,
    Resize.self,
    RoiAlign.self,

    // Recurrent
    DynamicQuantizeLSTM.self,
    GRU.self,
    LSTM.self,
    ProjectedLSTM.self,
    RNN.self,

    // Experts
    MixtureOfExperts.self,

    // Quantization
    ByteConv.self,
    ByteMatMul.self,
    ConvInteger.self,
    DequantizeLinear.self,
    DynamicQuantizeLinear.self,
    DynamicQuantizeMatMul.self,
    FlipTopBit.self,
    Float8MatMul.self,
    GatherBlockQuantized.self,
    MatMulInteger.self,
    MatMulIntegerToFloat.self,
    MatMulNBits.self,
    QAttention.self,
    QEmbedLayerNormalization.self,
    QGemm.self,
    QLinearAveragePool.self,
    QLinearBinary.self,
    QLinearConcat.self,
    QLinearConv.self,
    QLinearGlobalAveragePool.self,
    QLinearLeakyRelu.self,
    QLinearMatMul.self,
    QLinearSigmoid.self,
    QLinearSoftmax.self,
    QuantizeLinear.self,
    Requantize.self,
    UnpackedBlocks.self,

    // Classical
    ArrayFeatureExtractor.self,
    Binarizer.self,
    FeatureVectorizer.self,
    Imputer.self,
    LabelEncoder.self,
    LinearClassifier.self,
    LinearRegressor.self,
    Normalizer.self,
    OneHotEncoder.self,
    PairwiseCoupling.self,
    SVMClassifier.self,
    SVMRegressor.self,
    Scaler.self,
    TreeEnsemble.self,

    // Random
    Bernoulli.self,
    Dropout.self,
    KeyedUniform.self,
    Multinomial.self,
    RandomDraw.self,

    // Loss
    CTCLoss.self,
    NegativeLogLikelihoodLoss.self,
    SoftmaxCrossEntropyLoss.self,

    // Images
    ImageDecoder.self,

    // Text
    RegexFullMatch.self,
    StringConcat.self,
    StringNormalizer.self,
    StringSplit.self,
    TfIdfVectorizer.self,
    Tokenizer.self,

    // Signal
    CosineWindow.self,
    DFT.self,
    MelWeightMatrix.self,
    STFT.self,

    // Attention
    Attention.self,
    CausalConvWithState.self,
    GroupQueryAttention.self,
    LinearAttention.self,
    MultiHeadAttention.self,
    PackedAttention.self,
    RotaryEmbedding.self,
    SparseAttention.self,
    TensorScatter.self,
  ]
}
