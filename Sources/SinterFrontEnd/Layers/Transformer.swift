/// The function between a transformer layer's two linear layers.
public enum TransformerActivation: Sendable {
  case relu, gelu

  func callAsFunction(_ x: Tensor) -> Tensor { self == .relu ? x.relu() : x.gelu() }
}

/// Self-attention and two linear layers, each with a residual sum and a layer norm: PyTorch's `nn.TransformerEncoderLayer`.
public struct TransformerEncoderLayer: Layer, CustomParameterNames {
  /// Attention of the sequence to itself.
  public var selfAttention: MultiheadAttention
  /// The two layers behind attention, from width to `feedforward` and back, and the dropout between them.
  public var linear1: Linear, dropout: Dropout, linear2: Linear
  /// The norms of attention and of the linear layers.
  public var norm1: LayerNorm, norm2: LayerNorm
  /// Dropout of what attention and the linear layers add.
  public var dropout1: Dropout, dropout2: Dropout
  /// The activation between the two linear layers.
  public var activation: TransformerActivation
  /// Whether norms stand before attention and linear layers instead of behind the sums.
  public var normFirst: Bool

  /// For sequences of vectors of `width` numbers, which must be a multiple of `heads`; `feedforward` is the number between the two linear layers.
  public init(
    _ width: Int, heads: Int, feedforward: Int = 2048, dropout: Double = 0.1, activation: TransformerActivation = .relu,
    epsilon: Double = 1e-5, batchFirst: Bool = false, normFirst: Bool = false, bias: Bool = true
  ) {
    selfAttention = MultiheadAttention(width, heads: heads, dropout: dropout, bias: bias, batchFirst: batchFirst)
    linear1 = Linear(width, feedforward, bias: bias)
    self.dropout = Dropout(dropout)
    linear2 = Linear(feedforward, width, bias: bias)
    norm1 = LayerNorm(width, epsilon: epsilon, bias: bias)
    norm2 = LayerNorm(width, epsilon: epsilon, bias: bias)
    dropout1 = Dropout(dropout)
    dropout2 = Dropout(dropout)
    self.activation = activation
    self.normFirst = normFirst
  }

  /// The same layer, with all that was set on it, and with parameters of its own that start alike.
  public func copied() -> TransformerEncoderLayer {
    var (copy, copies) = (self, ParameterCopies())
    copy.changeParameters { copies[$0] }
    return copy
  }

  mutating func changeParameters(_ change: (Parameter) -> Parameter) {
    selfAttention.changeParameters(change)
    linear1.changeParameters(change)
    linear2.changeParameters(change)
    norm1.changeParameters(change)
    norm2.changeParameters(change)
  }

  /// - Parameters:
  ///   - mask: which places a place may not look at, as in `MultiheadAttention`: PyTorch's `src_mask`.
  ///   - paddingMask: which places do not count: `src_key_padding_mask`.
  public func callAsFunction(
    _ x: Tensor, mask: Tensor? = nil, paddingMask: Tensor? = nil, isCausal: Bool = false,
    file: StaticString = #fileID, line: UInt = #line
  ) -> Tensor {
    run(x, file: file, line: line) {
      func attended(_ x: Tensor) -> Tensor {
        dropout1.forward(
          selfAttention(x, x, x, mask: mask, paddingMask: paddingMask, isCausal: isCausal, file: "", line: 0))
      }
      func fed(_ x: Tensor) -> Tensor {
        dropout2.forward(linear2.forward(in: dropout.forward(activation(linear1.forward(in: x)))))
      }
      guard normFirst else {
        let h = norm1.forward(in: x + attended(x))
        return norm2.forward(in: h + fed(h))
      }
      let h = x + attended(norm1.forward(in: x))
      return h + fed(norm2.forward(in: h))
    }
  }

  public func parameterName(_ property: String) -> String? { property == "selfAttention" ? "self_attn" : nil }
}

/// The same with attention to another sequence in the middle: PyTorch's `nn.TransformerDecoderLayer`.
public struct TransformerDecoderLayer: Layer, CustomParameterNames {
  /// Attention of the target to itself, and to the encoder's result.
  public var selfAttention: MultiheadAttention, crossAttention: MultiheadAttention
  /// The two layers behind attention, from width to `feedforward` and back, and the dropout between them.
  public var linear1: Linear, dropout: Dropout, linear2: Linear
  /// The norms of self-attention, of attention to the encoder's result, and of the linear layers.
  public var norm1: LayerNorm, norm2: LayerNorm, norm3: LayerNorm
  /// Dropout of what each of the three parts adds.
  public var dropout1: Dropout, dropout2: Dropout, dropout3: Dropout
  /// The activation between the two linear layers.
  public var activation: TransformerActivation
  /// Whether parts are normalized before instead of after.
  public var normFirst: Bool

  /// For sequences of vectors of `width` numbers, which must be a multiple of `heads`; `feedforward` is the number between the two linear layers.
  public init(
    _ width: Int, heads: Int, feedforward: Int = 2048, dropout: Double = 0.1, activation: TransformerActivation = .relu,
    epsilon: Double = 1e-5, batchFirst: Bool = false, normFirst: Bool = false, bias: Bool = true
  ) {
    selfAttention = MultiheadAttention(width, heads: heads, dropout: dropout, bias: bias, batchFirst: batchFirst)
    crossAttention = MultiheadAttention(width, heads: heads, dropout: dropout, bias: bias, batchFirst: batchFirst)
    linear1 = Linear(width, feedforward, bias: bias)
    self.dropout = Dropout(dropout)
    linear2 = Linear(feedforward, width, bias: bias)
    norm1 = LayerNorm(width, epsilon: epsilon, bias: bias)
    norm2 = LayerNorm(width, epsilon: epsilon, bias: bias)
    norm3 = LayerNorm(width, epsilon: epsilon, bias: bias)
    dropout1 = Dropout(dropout)
    dropout2 = Dropout(dropout)
    dropout3 = Dropout(dropout)
    self.activation = activation
    self.normFirst = normFirst
  }

  /// The same layer, with all that was set on it, and with parameters of its own that start alike.
  public func copied() -> TransformerDecoderLayer {
    var (copy, copies) = (self, ParameterCopies())
    copy.changeParameters { copies[$0] }
    return copy
  }

  mutating func changeParameters(_ change: (Parameter) -> Parameter) {
    selfAttention.changeParameters(change)
    crossAttention.changeParameters(change)
    linear1.changeParameters(change)
    linear2.changeParameters(change)
    norm1.changeParameters(change)
    norm2.changeParameters(change)
    norm3.changeParameters(change)
  }

  /// - Parameters:
  ///   - memory: what an encoder gave.
  ///   - mask: of the own sequence (`tgt_mask`); `memoryMask` of the other; the padding masks likewise.
  public func callAsFunction(
    _ x: Tensor, _ memory: Tensor, mask: Tensor? = nil, memoryMask: Tensor? = nil, paddingMask: Tensor? = nil,
    memoryPaddingMask: Tensor? = nil, isCausal: Bool = false, file: StaticString = #fileID, line: UInt = #line
  ) -> Tensor {
    run(x, file: file, line: line) {
      func attended(_ x: Tensor) -> Tensor {
        dropout1.forward(
          selfAttention(x, x, x, mask: mask, paddingMask: paddingMask, isCausal: isCausal, file: "", line: 0))
      }
      func crossed(_ x: Tensor) -> Tensor {
        dropout2.forward(
          crossAttention(
            x, memory, memory, mask: memoryMask, paddingMask: memoryPaddingMask, file: "", line: 0))
      }
      func fed(_ x: Tensor) -> Tensor {
        dropout3.forward(linear2.forward(in: dropout.forward(activation(linear1.forward(in: x)))))
      }
      guard normFirst else {
        let h = norm1.forward(in: x + attended(x))
        let g = norm2.forward(in: h + crossed(h))
        return norm3.forward(in: g + fed(g))
      }
      let h = x + attended(norm1.forward(in: x))
      let g = h + crossed(norm2.forward(in: h))
      return g + fed(norm3.forward(in: g))
    }
  }

  public func parameterName(_ property: String) -> String? {
    property == "selfAttention" ? "self_attn" : property == "crossAttention" ? "multihead_attn" : nil
  }
}

/// Encoder layers one after another, each made like the given one with parameters of its own, and a norm behind them.
public struct TransformerEncoder: Layer {
  /// The layers, one after another.
  public var layers: [TransformerEncoderLayer]
  /// What the last layer's result is normalized by; nil for nothing.
  public var norm: LayerNorm?

  /// So many layers like the given one, each with parameters of its own.
  public init(_ layer: TransformerEncoderLayer, layers: Int, norm: LayerNorm? = nil) {
    self.layers = (0..<max(0, layers)).map { _ in layer.copied() }
    self.norm = norm
  }

  /// A result of the shape of `x`. The masks, and `isCausal`, are those of `TransformerEncoderLayer`, the same for each layer.
  public func callAsFunction(
    _ x: Tensor, mask: Tensor? = nil, paddingMask: Tensor? = nil, isCausal: Bool = false,
    file: StaticString = #fileID, line: UInt = #line
  ) -> Tensor {
    run(x, file: file, line: line) {
      let result = layers.reduce(x) {
        $1($0, mask: mask, paddingMask: paddingMask, isCausal: isCausal, file: "", line: 0)
      }
      return norm?.forward(in: result) ?? result
    }
  }
}

/// Decoder layers one after another, each made like the given one with parameters of its own, and a norm behind them.
public struct TransformerDecoder: Layer {
  /// The layers, one after another.
  public var layers: [TransformerDecoderLayer]
  /// What the last layer's result is normalized by; nil for nothing.
  public var norm: LayerNorm?

  /// So many layers like the given one, each with parameters of its own.
  public init(_ layer: TransformerDecoderLayer, layers: Int, norm: LayerNorm? = nil) {
    self.layers = (0..<max(0, layers)).map { _ in layer.copied() }
    self.norm = norm
  }

  /// A result of the shape of `x`, which attends to `memory`, the encoder's result. The masks, and `isCausal`, are the same for each layer.
  public func callAsFunction(
    _ x: Tensor, _ memory: Tensor, mask: Tensor? = nil, memoryMask: Tensor? = nil, paddingMask: Tensor? = nil,
    memoryPaddingMask: Tensor? = nil, isCausal: Bool = false, file: StaticString = #fileID, line: UInt = #line
  ) -> Tensor {
    run(x, file: file, line: line) {
      let result = layers.reduce(x) {
        $1(
          $0, memory, mask: mask, memoryMask: memoryMask, paddingMask: paddingMask,
          memoryPaddingMask: memoryPaddingMask, isCausal: isCausal, file: "", line: 0)
      }
      return norm?.forward(in: result) ?? result
    }
  }
}

/// Encoder and decoder: PyTorch's `nn.Transformer`. Its matrices start as Glorot has it, uniform.
public struct Transformer: Layer {
  /// What reads the source.
  public var encoder: TransformerEncoder
  /// What writes the target.
  public var decoder: TransformerDecoder

  /// For sequences of vectors of `width` numbers, which must be a multiple of `heads`.
  public init(
    _ width: Int = 512, heads: Int = 8, encoderLayers: Int = 6, decoderLayers: Int = 6, feedforward: Int = 2048,
    dropout: Double = 0.1, activation: TransformerActivation = .relu, epsilon: Double = 1e-5, batchFirst: Bool = false,
    normFirst: Bool = false, bias: Bool = true
  ) {
    let encoderLayer = TransformerEncoderLayer(
      width, heads: heads, feedforward: feedforward, dropout: dropout, activation: activation, epsilon: epsilon,
      batchFirst: batchFirst, normFirst: normFirst, bias: bias)
    let decoderLayer = TransformerDecoderLayer(
      width, heads: heads, feedforward: feedforward, dropout: dropout, activation: activation, epsilon: epsilon,
      batchFirst: batchFirst, normFirst: normFirst, bias: bias)
    encoder = TransformerEncoder(
      encoderLayer, layers: encoderLayers, norm: LayerNorm(width, epsilon: epsilon, bias: bias))
    decoder = TransformerDecoder(
      decoderLayer, layers: decoderLayers, norm: LayerNorm(width, epsilon: epsilon, bias: bias))
    func spread(_ parameter: Parameter) -> Parameter {
      parameter.shape.count > 1 ? parameter.initialized(.xavierUniform()) : parameter
    }
    for index in encoder.layers.indices { encoder.layers[index].changeParameters(spread) }
    for index in decoder.layers.indices { decoder.layers[index].changeParameters(spread) }
  }

  /// A result of the shape of `target`: the encoder reads `source`, the decoder attends to what it gives. Memory is the encoder's result.
  public func callAsFunction(
    _ source: Tensor, _ target: Tensor, sourceMask: Tensor? = nil, targetMask: Tensor? = nil,
    memoryMask: Tensor? = nil, sourcePaddingMask: Tensor? = nil, targetPaddingMask: Tensor? = nil,
    memoryPaddingMask: Tensor? = nil, targetIsCausal: Bool = false, file: StaticString = #fileID, line: UInt = #line
  ) -> Tensor {
    run(source, file: file, line: line) {
      let memory = encoder(source, mask: sourceMask, paddingMask: sourcePaddingMask, file: "", line: 0)
      return decoder(
        target, memory, mask: targetMask, memoryMask: memoryMask, paddingMask: targetPaddingMask,
        memoryPaddingMask: memoryPaddingMask, isCausal: targetIsCausal, file: "", line: 0)
    }
  }

  /// Minus infinity behind the diagonal, zeros elsewhere: `generate_square_subsequent_mask`.
  public static func causalMask(_ length: Int) -> Tensor {
    let length = max(0, length)
    return Tensor(
      HostTensor(
        .f32, [length, length],
        doubles: (0..<(length * length)).map { $0 % length > $0 / length ? -Double.infinity : 0 }))
  }
}
