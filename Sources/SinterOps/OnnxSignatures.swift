import SinterIR

extension OnnxSignature {
  /// The forms of the nodes of ONNX's own domain and of onnxruntime's, as their schemas have them: a name, the opset from which the line holds,
  /// the most inputs (`*` for any number), and the attributes that must be there. An opset that changes neither has no line.
  static let standard: [String: [OnnxSignature]] = {
    var signatures: [String: [OnnxSignature]] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      guard words.count >= 3, let since = Int(words[1]) else { continue }
      signatures[words[0], default: []].append(
        OnnxSignature(since: since, inputLimit: Int(words[2]), required: Array(words[3...])))
    }
    return signatures
  }()

  private static let text = """
    Abs 1 1
    Acos 7 1
    Acosh 9 1
    Add 1 2
    AffineGrid 20 2
    And 1 2
    ArgMax 1 1
    ArgMin 1 1
    Asin 7 1
    Asinh 9 1
    Atan 7 1
    Atanh 9 1
    Attention 23 6
    Attention 24 7
    AveragePool 1 1 kernel_shape
    BatchNormalization 1 5
    Bernoulli 15 1
    BitCast 26 1 to
    BitShift 11 2 direction
    BitwiseAnd 18 2
    BitwiseNot 18 1
    BitwiseOr 18 2
    BitwiseXor 18 2
    BlackmanWindow 17 1
    Cast 1 1 to
    CastLike 15 2
    CausalConvWithState 27 4
    Ceil 1 1
    Celu 12 1
    CenterCropPad 18 2
    Clip 1 1
    Clip 11 3
    Col2Im 18 3
    Compress 9 2
    Concat 1 *
    Concat 4 * axis
    ConcatFromSequence 11 1 axis
    ConstantOfShape 9 1
    Conv 1 3
    ConvInteger 10 4
    ConvTranspose 1 3
    Cos 7 1
    Cosh 9 1
    CumProd 26 2
    CumSum 11 2
    DFT 17 2
    DFT 20 3
    DeformConv 19 5
    DepthToSpace 1 1 blocksize
    DequantizeLinear 10 3
    Det 11 1
    Div 1 2
    Dropout 1 1
    Dropout 12 3
    DynamicQuantizeLinear 11 1
    Einsum 12 * equation
    Elu 1 1
    Equal 1 2
    Erf 9 1
    Exp 1 1
    Expand 8 2
    EyeLike 9 1
    Flatten 1 1
    Floor 1 1
    GRU 1 6
    Gather 1 2
    GatherElements 11 2
    GatherND 11 2
    Gelu 20 1
    Gemm 1 3
    GlobalAveragePool 1 1
    GlobalLpPool 1 1
    GlobalMaxPool 1 1
    Greater 1 2
    GreaterOrEqual 12 2
    GridSample 16 2
    GroupNormalization 18 3 num_groups
    HammingWindow 17 1
    HannWindow 17 1
    HardSigmoid 1 1
    HardSwish 14 1
    Hardmax 1 1
    Identity 1 1
    If 1 1 else_branch then_branch
    ImageDecoder 20 1
    InstanceNormalization 1 3
    IsInf 10 1
    IsNaN 9 1
    LRN 1 1 size
    LSTM 1 8
    LayerNormalization 17 3
    LeakyRelu 1 1
    Less 1 2
    LessOrEqual 12 2
    LinearAttention 27 6 kv_num_heads q_num_heads
    Log 1 1
    LogSoftmax 1 1
    Loop 1 * body
    LpNormalization 1 1
    LpPool 1 1
    LpPool 2 1 kernel_shape
    MatMul 1 2
    MatMulInteger 10 4
    Max 1 *
    MaxPool 1 1 kernel_shape
    MaxRoiPool 1 2 pooled_shape
    MaxUnpool 9 3 kernel_shape
    Mean 1 *
    MeanVarianceNormalization 9 1
    MelWeightMatrix 17 5
    Min 1 *
    Mish 18 1
    Mod 10 2
    Mul 1 2
    Multinomial 7 1
    Neg 1 1
    NegativeLogLikelihoodLoss 12 3
    NonMaxSuppression 10 5
    NonZero 9 1
    Not 1 1
    OneHot 9 3
    Optional 15 1
    OptionalGetElement 15 1
    OptionalHasElement 15 1
    Or 1 2
    PRelu 1 2
    Pad 1 1 paddings
    Pad 2 1 pads
    Pad 11 3
    Pad 18 4
    Pow 1 2
    QLinearConv 10 9
    QLinearMatMul 10 8
    QuantizeLinear 10 3
    RMSNormalization 23 2
    RNN 1 6
    RandomNormal 1 0 shape
    RandomNormalLike 1 1
    RandomUniform 1 0 shape
    RandomUniformLike 1 1
    Range 11 3
    Reciprocal 1 1
    ReduceL1 1 1
    ReduceL1 18 2
    ReduceL2 1 1
    ReduceL2 18 2
    ReduceLogSum 1 1
    ReduceLogSum 18 2
    ReduceLogSumExp 1 1
    ReduceLogSumExp 18 2
    ReduceMax 1 1
    ReduceMax 18 2
    ReduceMean 1 1
    ReduceMean 18 2
    ReduceMin 1 1
    ReduceMin 18 2
    ReduceProd 1 1
    ReduceProd 18 2
    ReduceSum 1 1
    ReduceSum 13 2
    ReduceSumSquare 1 1
    ReduceSumSquare 18 2
    RegexFullMatch 20 1
    Relu 1 1
    Reshape 1 1
    Reshape 5 2
    Resize 10 2
    Resize 11 4
    ReverseSequence 10 2
    RoiAlign 10 3
    RotaryEmbedding 23 4
    Round 11 1
    STFT 17 4
    Scan 8 * body num_scan_inputs
    Scatter 9 3
    ScatterElements 11 3
    ScatterND 11 3
    Selu 1 1
    SequenceAt 11 2
    SequenceConstruct 11 *
    SequenceEmpty 11 0
    SequenceErase 11 2
    SequenceInsert 11 3
    SequenceLength 11 1
    SequenceMap 17 * body
    Shape 1 1
    Shrink 9 1
    Sigmoid 1 1
    Sign 9 1
    SimplifiedLayerNormalization 1 2
    Sin 7 1
    Sinh 9 1
    Size 1 1
    Slice 1 1 ends starts
    Slice 10 5
    Softmax 1 1
    SoftmaxCrossEntropyLoss 12 3
    Softplus 1 1
    Softsign 1 1
    SpaceToDepth 1 1 blocksize
    Split 1 2
    Split 2 1
    Split 13 2
    SplitToSequence 11 2
    Sqrt 1 1
    Squeeze 1 1
    Squeeze 13 2
    StringConcat 20 2
    StringNormalizer 10 1
    StringSplit 20 1
    Sub 1 2
    Sum 1 *
    SwiGLU 28 2
    Swish 24 1
    Tan 7 1
    Tanh 1 1
    TensorScatter 24 3
    TfIdfVectorizer 9 1 max_gram_length max_skip_count min_gram_length mode ngram_counts ngram_indexes
    ThresholdedRelu 10 1
    Tile 1 3
    Tile 6 2
    TopK 1 1 k
    TopK 10 2
    Transpose 1 1
    Trilu 14 2
    Unique 11 1
    Unsqueeze 1 1 axes
    Unsqueeze 13 2
    Upsample 1 1 height_scale width_scale
    Upsample 7 1 scales
    Upsample 9 2
    Where 9 3
    Xor 1 2
    ai.onnx.preview::FlexAttention 1 3
    ai.onnx.ml::ArrayFeatureExtractor 1 2
    ai.onnx.ml::Binarizer 1 1
    ai.onnx.ml::CastMap 1 1
    ai.onnx.ml::CategoryMapper 1 1
    ai.onnx.ml::DictVectorizer 1 1
    ai.onnx.ml::FeatureVectorizer 1 *
    ai.onnx.ml::Imputer 1 1
    ai.onnx.ml::LabelEncoder 1 1
    ai.onnx.ml::LinearClassifier 1 1 coefficients
    ai.onnx.ml::LinearRegressor 1 1
    ai.onnx.ml::Normalizer 1 1
    ai.onnx.ml::OneHotEncoder 1 1
    ai.onnx.ml::SVMClassifier 1 1
    ai.onnx.ml::SVMRegressor 1 1
    ai.onnx.ml::Scaler 1 1
    ai.onnx.ml::TreeEnsemble 5 1 leaf_targetids leaf_weights nodes_falseleafs nodes_falsenodeids nodes_featureids \
    nodes_modes nodes_splits nodes_trueleafs nodes_truenodeids tree_roots
    ai.onnx.ml::TreeEnsembleClassifier 1 1
    ai.onnx.ml::TreeEnsembleRegressor 1 1
    ai.onnx.ml::ZipMap 1 1
    com.microsoft::Attention 1 7 num_heads
    com.microsoft::BiasGelu 1 2
    com.microsoft::BifurcationDetector 1 4
    com.microsoft::CropAndResize 1 4
    com.microsoft::DecoderMaskedMultiHeadAttention 1 11 num_heads
    com.microsoft::DequantizeLinear 1 3
    com.microsoft::DynamicQuantizeLSTM 1 12
    com.microsoft::DynamicQuantizeMatMul 1 5
    com.microsoft::EmbedLayerNormalization 1 9
    com.microsoft::ExpandDims 1 2
    com.microsoft::FastGelu 1 2
    com.microsoft::FusedConv 1 4
    com.microsoft::FusedGemm 1 3
    com.microsoft::FusedMatMul 1 2
    com.microsoft::GatherBlockQuantized 1 4
    com.microsoft::Gelu 1 1
    com.microsoft::GemmFastGelu 1 3
    com.microsoft::GridSample 1 2
    com.microsoft::GroupQueryAttention 1 16 kv_num_heads num_heads
    com.microsoft::Inverse 1 1
    com.microsoft::MatMulIntegerToFloat 1 7
    com.microsoft::MatMulNBits 1 6 K N block_size
    com.microsoft::MoE 1 8
    com.microsoft::MultiHeadAttention 1 10 num_heads
    com.microsoft::NGramRepeatBlock 1 2 ngram_size
    com.microsoft::Pad 1 3
    com.microsoft::QAttention 1 9 num_heads
    com.microsoft::QEmbedLayerNormalization 1 18
    com.microsoft::QGemm 1 9
    com.microsoft::QLinearAdd 1 8
    com.microsoft::QLinearAveragePool 1 5 kernel_shape
    com.microsoft::QLinearConcat 1 * axis
    com.microsoft::QLinearGlobalAveragePool 1 5
    com.microsoft::QLinearLeakyRelu 1 5
    com.microsoft::QLinearMul 1 8
    com.microsoft::QLinearSigmoid 1 5
    com.microsoft::QLinearSoftmax 1 5 opset
    com.microsoft::QMoE 1 21
    com.microsoft::QuantizeLinear 1 3
    com.microsoft::QuickGelu 1 1
    com.microsoft::RotaryEmbedding 1 4
    com.microsoft::SkipLayerNormalization 1 5
    com.microsoft::SkipSimplifiedLayerNormalization 1 4
    com.microsoft::SparseAttention 1 11 kv_num_heads num_heads sparse_block_size
    com.microsoft::TransposeMatMul 1 2
    com.microsoft::Trilu 1 2
    com.microsoft::Unique 1 1
    """
}
