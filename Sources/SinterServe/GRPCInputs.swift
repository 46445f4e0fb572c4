#if Serve
  import Foundation
  import SinterCore
  import SinterServing

  /// What a call of gRPC says, as a request to a model.
  enum GRPCInputs {
    /// The inputs: from the bytes that stand behind all of them, or from the fields that hold their elements.
    static func read(
      _ request: Inference_ModelInferRequest, _ model: ModelSignature
    ) throws(Refusal) -> [(name: String, tensor: HostTensor)] {
      let raw = request.rawInputContents
      guard raw.isEmpty || raw.count == request.inputs.count else {
        throw Refusal(
          .badRequest, "model '\(model.name)': \(request.inputs.count) inputs, but \(raw.count) raw_input_contents")
      }
      var inputs: [(name: String, tensor: HostTensor)] = []
      for (index, input) in request.inputs.enumerated() {
        for name in input.parameters.keys { try ModelSignature.check(parameter: name) }
        let shape = input.shape.map { Int($0) }
        if raw.isEmpty {
          inputs.append((input.name, try contents(input, shape, model)))
          continue
        }
        if input.hasContents {
          throw Refusal(
            .badRequest, "input '\(input.name)' of model '\(model.name)' has both contents and raw_input_contents")
        }
        let tensor = raw[index].withUnsafeBytes { bytes in
          Result { () throws(Refusal) in
            try model.tensor(input: input.name, datatype: input.datatype, shape: shape, raw: bytes)
          }
        }
        inputs.append((input.name, try tensor.get()))
      }
      return inputs
    }

    private static func contents(
      _ input: Inference_ModelInferRequest.InferInputTensor, _ shape: [Int], _ model: ModelSignature
    ) throws(Refusal) -> HostTensor {
      let (name, type, contents) = (input.name, input.datatype, input.contents)
      switch type {
      case "BOOL": return try model.tensor(input: name, datatype: type, shape: shape, values: contents.boolContents)
      case "INT8", "INT16", "INT32":
        return try model.tensor(input: name, datatype: type, shape: shape, integers: contents.intContents)
      case "INT64": return try model.tensor(input: name, datatype: type, shape: shape, values: contents.int64Contents)
      case "UINT8", "UINT16", "UINT32":
        return try model.tensor(input: name, datatype: type, shape: shape, integers: contents.uintContents)
      case "UINT64": return try model.tensor(input: name, datatype: type, shape: shape, values: contents.uint64Contents)
      case "FP32": return try model.tensor(input: name, datatype: type, shape: shape, values: contents.fp32Contents)
      case "FP64": return try model.tensor(input: name, datatype: type, shape: shape, values: contents.fp64Contents)
      case "BYTES": return try model.tensor(input: name, datatype: type, shape: shape, texts: contents.bytesContents)
      default:
        throw Refusal(
          .badRequest,
          "input '\(name)' of model '\(model.name)': elements of type \(type) come in raw_input_contents only")
      }
    }

    static func outputs(
      _ request: Inference_ModelInferRequest
    ) throws(Refusal) -> [InferenceRequest.RequestedOutput]? {
      for output in request.outputs {
        for name in output.parameters.keys { try ModelSignature.check(parameter: name) }
      }
      return request.outputs.isEmpty ? nil : request.outputs.map { .init(name: $0.name) }
    }

    /// Microseconds that the request says; nil where it does not.
    static func timeout(_ request: Inference_ModelInferRequest) throws(Refusal) -> Int? {
      for (name, value) in request.parameters {
        if ["sequence_id", "sequence_start", "sequence_end"].contains(name) {
          // Clients send these with every request; such values ask for nothing.
          switch value.parameterChoice {
          case .boolParam(false), .int64Param(0), .stringParam(""), .uint64Param(0): continue
          default: break
          }
        }
        try ModelSignature.check(parameter: name)
      }
      guard let timeout = request.parameters["timeout"] else { return nil }
      let time: Int64 =
        switch timeout.parameterChoice {
        case .int64Param(let time): time
        case .uint64Param(let time): Int64(clamping: time)
        default: -1
        }
      guard time >= 0 else { throw Refusal(.badRequest, "the parameter 'timeout' is no number of microseconds") }
      return time == 0 ? nil : Int(time)
    }
  }
#endif
