#if Serve
  import Foundation
  import GRPCCore
  import GRPCProtobuf
  import SinterCore
  import SinterServing
  import SwiftProtobuf

  /// Answers calls of gRPC: the service `inference.GRPCInferenceService` of the Open Inference Protocol with its extension for repositories.
  struct GRPCFront: RegistrableRPCService {
    private let service: InferenceService

    init(_ service: InferenceService) { self.service = service }

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
      on("ServerLive", &router) { (_: Inference_ServerLiveRequest, _) in
        Inference_ServerLiveResponse.with { $0.live = true }
      }
      on("ServerReady", &router) { (_: Inference_ServerReadyRequest, _) in
        Inference_ServerReadyResponse.with { $0.ready = service.isReady }
      }
      on("ServerMetadata", &router) { (_: Inference_ServerMetadataRequest, _) in
        Inference_ServerMetadataResponse.with {
          $0.name = ServerFacts.name
          $0.version = ServerFacts.version
          $0.extensions = ServerFacts.extensions
        }
      }
      on("ModelReady", &router) { (request: Inference_ModelReadyRequest, _) in
        Inference_ModelReadyResponse.with {
          $0.ready = service.isReady && service.table.isReady(request.name, version(request.version))
        }
      }
      on("ModelMetadata", &router) { (request: Inference_ModelMetadataRequest, _) in try metadata(request) }
      on("ModelInfer", &router) { (request: Inference_ModelInferRequest, timeout) in try await infer(request, timeout) }
      on("RepositoryIndex", &router) { (request: Inference_RepositoryIndexRequest, _) in try await index(request) }
      on("RepositoryModelLoad", &router) { (request: Inference_RepositoryModelLoadRequest, _) in
        try await OwnThread.run { Result { () throws(Refusal) in try service.table.load(request.modelName) } }.get()
        return Inference_RepositoryModelLoadResponse()
      }
      on("RepositoryModelUnload", &router) { (request: Inference_RepositoryModelUnloadRequest, _) in
        try await OwnThread.run { Result { () throws(Refusal) in try service.table.unload(request.modelName) } }.get()
        return Inference_RepositoryModelUnloadResponse()
      }
    }

    /// Has `answer` answer the calls of a method, each of one message, with one. Its second argument is the microseconds that the client waits.
    private func on<Transport: ServerTransport, Input: Message & Sendable, Output: Message & Sendable>(
      _ method: String, _ router: inout RPCRouter<Transport>,
      _ answer: @escaping @Sendable (Input, Int?) async throws -> Output
    ) {
      router.registerHandler(
        forMethod: MethodDescriptor(fullyQualifiedService: "inference.GRPCInferenceService", method: method),
        deserializer: ProtobufDeserializer<Input>(), serializer: ProtobufSerializer<Output>()
      ) { stream, _ in
        let request = try await ServerRequest(stream: stream)
        do {
          let output = try await answer(request.message, Self.timeout(request.metadata))
          return StreamingServerResponse(single: ServerResponse(message: output))
        } catch let refusal as Refusal {
          throw RPCError(code: Self.code(refusal), message: refusal.message)
        }
      }
    }

    private static func code(_ refusal: Refusal) -> RPCError.Code {
      switch refusal.kind {
      case .badRequest, .tooLarge, .unsupportedMedia, .unprocessable, .slowClient: .invalidArgument
      case .notFound: .notFound
      case .methodNotAllowed: .unimplemented
      case .failed: .internalError
      case .overloaded: .resourceExhausted
      case .stopping: .unavailable
      case .expired: .deadlineExceeded
      }
    }

    /// Microseconds of a header such as `grpc-timeout: 250m`.
    private static func timeout(_ metadata: Metadata) -> Int? {
      guard let text = metadata[stringValues: "grpc-timeout"].first(where: { _ in true }), let unit = text.last,
        let count = Int(text.dropLast()), count >= 0, count <= 99_999_999
      else { return nil }
      switch unit {
      case "H": return count * 3_600_000_000
      case "M": return count * 60_000_000
      case "S": return count * 1_000_000
      case "m": return count * 1000
      case "u": return count
      case "n": return max(count / 1000, 1)
      default: return nil
      }
    }

    /// The protocol's empty text stands for the server's choice.
    private func version(_ text: String) -> String? { text.isEmpty ? nil : text }

    private func metadata(
      _ request: Inference_ModelMetadataRequest
    ) throws -> Inference_ModelMetadataResponse {
      let facts = try service.table.facts(request.name, version(request.version))
      return .with {
        $0.name = request.name
        $0.versions = service.table.versions(request.name)
        $0.platform = ServerFacts.platform
        $0.inputs = facts.inputs.map { port in
          .with {
            $0.name = port.name
            $0.datatype = port.element?.protocolName ?? ""
            $0.shape = port.protocolShape.map { Int64($0) }
          }
        }
        $0.outputs = facts.outputs.map { port in
          .with {
            $0.name = port.name
            $0.datatype = port.element?.protocolName ?? ""
            $0.shape = port.protocolShape.map { Int64($0) }
          }
        }
      }
    }

    private func index(_ request: Inference_RepositoryIndexRequest) async throws -> Inference_RepositoryIndexResponse {
      let entries = try await OwnThread.run { Result { () throws(Refusal) in try service.table.index() } }.get()
      return .with {
        $0.models = entries.filter { $0.isReady || !request.ready }.map { entry in
          .with {
            $0.name = entry.name
            $0.version = entry.version
            $0.state = entry.state
            $0.reason = entry.reason
          }
        }
      }
    }

    private func infer(_ request: Inference_ModelInferRequest, _ timeout: Int?) async throws
      -> Inference_ModelInferResponse
    {
      let answer = try await service.answer(request.modelName, version(request.modelVersion)) {
        signature throws(Refusal) in
        var read = InferenceRequest(
          id: request.id.isEmpty ? nil : request.id, inputs: try GRPCInputs.read(request, signature),
          outputs: try GRPCInputs.outputs(request))
        read.timeout = try GRPCInputs.timeout(request) ?? timeout
        return read
      }
      return .with {
        $0.modelName = answer.model
        $0.modelVersion = answer.version
        $0.id = answer.id ?? ""
        for output in answer.outputs {
          $0.outputs.append(
            .with {
              $0.name = output.name
              $0.datatype = output.tensor.element.protocolName ?? ""
              $0.shape = output.tensor.shape.map { Int64($0) }
            })
          var bytes: [UInt8] = []
          output.tensor.appendBytes(to: &bytes)
          $0.rawOutputContents.append(Data(bytes))
        }
      }
    }
  }
#endif
