import SinterIR

extension OnnxRefusal {
  /// Operators of onnxruntime's domains that are no part of a model for other machines, by domain and name; `*` stands for all of a domain.
  static let standard: [String: OnnxRefusal] = {
    var refusals: [String: OnnxRefusal] = [:]
    for name in ["BeamSearch", "GreedySearch", "Sampling", "WhisperBeamSearch"] {
      refusals["com.microsoft::\(name)"] = OnnxRefusal(
        reason: "is a whole search with models inside, made for one runtime",
        hint: "export encoder and decoder as models of their own, the decoder with its past, and search in the program")
    }
    for name in ["PackedAttention", "PackedMultiHeadAttention", "RemovePadding", "RestorePadding"] {
      refusals["com.microsoft::\(name)"] = OnnxRefusal(
        reason: "works on sequences without padding, which only kernels for GPUs have",
        hint: "export the model without removing padding")
    }
    for name in ["PagedAttention", "LongformerAttention", "DecoderMaskedSelfAttention", "DecoderAttention"] {
      refusals["com.microsoft::\(name)"] = OnnxRefusal(
        reason: "is an attention whose cache or mask has a form of its own",
        hint: "export the model with Attention of ONNX, or with MultiHeadAttention or GroupQueryAttention")
    }
    for name in ["NhwcConv", "NhwcFusedConv"] {
      refusals["com.microsoft::\(name)"] = OnnxRefusal(
        reason: "has images with channels last, as an optimizer for one kind of processor writes them",
        hint: "take the file as it was before that optimizer: layouts are chosen here")
    }
    refusals["com.microsoft.nchwc::*"] = OnnxRefusal(
      reason: "is of onnxruntime's format for the processor that optimized the file, which no other program reads",
      hint: "take the file as it was exported, or write it with ORT_ENABLE_EXTENDED or a lower level of optimization")
    refusals["com.ms.internal.nhwc::*"] = OnnxRefusal(
      reason: "is of onnxruntime's own layout of images, which no file should hold",
      hint: "take the file as it was exported")
    return refusals
  }()
}
