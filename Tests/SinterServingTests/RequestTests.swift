import Foundation
import SinterCore
import SinterModel
import Testing

@testable import SinterServing

/// A model with an input of each kind that matters.
private let model = ModelSignature(
  name: "m",
  inputs: [
    SinterModel.Port(name: "x", element: .f32, shape: [.symbol("n"), .fixed(2)]),
    SinterModel.Port(name: "k", isOptional: true, element: .i8, shape: [.symbol("n")]),
    SinterModel.Port(name: "t", isOptional: true, element: .string, shape: [.fixed(2)]),
    SinterModel.Port(name: "b", isOptional: true, element: .bool, shape: nil),
  ], outputs: [SinterModel.Port(name: "y", element: .f32, shape: [.symbol("n")])])

private func bytes(_ text: String, _ behind: [UInt8] = []) -> TensorBytes {
  let all = Array(text.utf8) + behind
  return TensorBytes(count: all.count) { $0.copyBytes(from: all) }
}

private func read(_ text: String, _ behind: [UInt8] = []) throws -> InferenceRequest {
  try InferenceRequest(body: bytes(text, behind), jsonLength: behind.isEmpty ? nil : text.utf8.count, for: model)
}

@Suite("Requests")
struct RequestTests {
  @Test(arguments: [
    #"{"inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2.5, -3, 4e0]}]}"#,
    #"{"inputs": [{"data": [[1, 2.5], [-3, 4]], "datatype": "FP32", "shape": [2, 2], "name": "x"}], "id": "7"}"#,
  ])
  func readsElementsAsJSON(text: String) throws {
    let request = try read(text)
    #expect(request.inputs[0].tensor.shape == [2, 2])
    #expect(request.inputs[0].tensor.array(of: Float.self) == [1, 2.5, -3, 4])
    #expect(try model.values(request).count == 4)
  }

  @Test func readsBytesBehindTheText() throws {
    let text =
      #"{"parameters": {"binary_data_output": true, "timeout": 5000}, "inputs": ["#
      + #"{"name": "t", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 12}},"#
      + #"{"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}],"#
      + #""outputs": [{"name": "y", "parameters": {"binary_data": false}}, {"name": "y"}]}"#
    let floats: [UInt8] = [Float(1.5), -2].withUnsafeBytes { Array($0) }
    let request = try read(text, [4, 0, 0, 0] + Array("grö".utf8) + [0, 0, 0, 0] + floats)
    #expect(request.inputs[0].tensor.strings == ["grö", ""])
    #expect(request.inputs[1].tensor.array(of: Float.self) == [1.5, -2])
    #expect(request.timeout == 5000)
    #expect(try model.requested(request).map(\.isBinary) == [false, true])
  }

  @Test func keepsTextsAndTruths() throws {
    let request = try read(
      #"{"inputs": [{"name": "t", "shape": [2], "datatype": "BYTES", "data": ["grün\n", ""]},"#
        + #" {"name": "b", "shape": [], "datatype": "BOOL", "data": [true]}]}"#)
    #expect(request.inputs[0].tensor.strings == ["grün\n", ""])
    #expect(request.inputs[1].tensor.array(of: UInt8.self) == [1])
  }

  /// Each is a lie; the sentence has to name what is wrong.
  @Test(arguments: [
    ("", "'{'"), ("[]", "'{'"), ("{}", "no \"inputs\""), (#"{"inputs": []} x"#, "the end of the text"),
    (#"{"inputs": [{"shape": [1]}]}"#, "no \"name\""),
    (#"{"inputs": [{"name": "z", "shape": [1], "datatype": "FP32", "data": [1]}]}"#, "no input 'z'"),
    (#"{"inputs": [{"name": "x", "shape": [1, 2], "data": [1, 2]}]}"#, "no \"datatype\""),
    (#"{"inputs": [{"name": "x", "datatype": "FP32", "data": [1, 2]}]}"#, "no \"shape\""),
    (
      #"{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]}]}"#,
      "expected elements of type FP32, given FP64"
    ),
    (#"{"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}]}"#, "expected 2 dimensions"),
    (
      #"{"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}"#,
      "dimension 1 is 3, expected 2"
    ),
    (#"{"inputs": [{"name": "x", "shape": [-1, 2], "datatype": "FP32", "data": []}]}"#, "no shape"),
    (
      #"{"inputs": [{"name": "x", "shape": [4611686018427387904, 2], "datatype": "FP32", "data": [1]}]}"#,
      "more elements"
    ),
    (#"{"inputs": [{"name": "x", "shape": [1000000000000, 2], "datatype": "FP32", "data": [1, 2]}]}"#, "given fewer"),
    (#"{"inputs": [{"name": "x", "shape": [1e3, 2], "datatype": "FP32", "data": [1, 2]}]}"#, "an integer"),
    (#"{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1]}]}"#, "expected 2 elements"),
    (#"{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2, 3]}]}"#, "given more"),
    (#"{"inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2, 3], [4]]}]}"#, "given more"),
    (#"{"inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2], 3, 4]}]}"#, "as deep as"),
    (#"{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, [2]]}]}"#, "given a list"),
    (#"{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, "2"]}]}"#, "a number"),
    (
      #"{"inputs": [{"name": "k", "shape": [1], "datatype": "INT8", "data": [128]}]}"#,
      "128, expected an integer of type INT8"
    ),
    (#"{"inputs": [{"name": "k", "shape": [1], "datatype": "INT8", "data": [1.5]}]}"#, "1.5, expected an integer"),
    (#"{"inputs": [{"name": "b", "shape": [1], "datatype": "BOOL", "data": [2]}]}"#, "neither true nor false"),
    (#"{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32"}]}"#, "neither \"data\" nor"),
    (
      #"{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}]}"#,
      "expected 8 bytes"
    ),
    (
      #"{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": -1}}]}"#,
      "expected -1 bytes"
    ),
    (
      #"{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2], "parameters": {"shared_memory_region": "r"}}]}"#,
      "shared_memory_region"
    ),
    (#"{"inputs": [], "inputs": []}"#, "again"),
  ])
  func refusesLies(text: String, sentence: String) {
    #expect {
      try read(text)
    } throws: { ($0 as? Refusal)?.status == 400 && "\($0)".contains(sentence) }
  }

  @Test func refusesBytesThatDoNotFit() throws {
    func text(_ name: String, _ type: String, _ shape: String, _ size: Int) -> String {
      #"{"inputs": [{"name": "\#(name)", "shape": \#(shape), "datatype": "\#(type)", "parameters": {"binary_data_size": \#(size)}}]}"#
    }
    let cases: [(String, [UInt8], String)] = [
      (text("x", "FP32", "[1, 2]", 7), Array(repeating: 0, count: 7), "8 bytes are what"),
      (text("x", "FP32", "[1, 2]", 8), Array(repeating: 0, count: 9), "1 bytes are left"),
      (text("b", "BOOL", "[2]", 2), [1, 2], "element 1 is 2"),
      (text("t", "BYTES", "[2]", 8), [200, 0, 0, 0, 0, 0, 0, 0], "a length of 200"),
      (text("t", "BYTES", "[2]", 9), [1, 0, 0, 0, 255, 0, 0, 0, 0], "no text in UTF-8"),
      (text("t", "BYTES", "[2]", 5), [1, 0, 0, 0, 65], "hold fewer"),
      (text("t", "BYTES", "[2]", 9), [0, 0, 0, 0, 0, 0, 0, 0, 0], "left behind"),
    ]
    for (text, behind, sentence) in cases {
      #expect {
        try read(text, behind)
      } throws: { "\($0)".contains(sentence) }
    }
    #expect(throws: Refusal.self) { try InferenceRequest(body: bytes("{}"), jsonLength: 3, for: model) }
    #expect(throws: Refusal.self) { try InferenceRequest(body: bytes("{}"), jsonLength: -1, for: model) }
  }

  @Test func everyInputHasToBeThereOnce() throws {
    let one = #"{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}"#
    #expect { try model.values(try read(#"{"inputs": [\#(one), \#(one)]}"#)) } throws: {
      "\($0)".contains("given twice")
    }
    #expect { try model.values(try read(#"{"inputs": []}"#)) } throws: {
      "\($0)".contains("input 'x' of model 'm' is missing")
    }
  }

  @Test func answersAreWhatFoundationReads() throws {
    let answer = InferenceAnswer(
      model: "m", version: "2", id: "9",
      outputs: [
        .init(name: "y", tensor: .f32([2], [1, -2.5]), isBinary: false),
        .init(name: "z", tensor: HostTensor(strings: ["ab", ""], shape: [2]), isBinary: true),
      ])
    let (bytes, length) = try answer.body()
    let text = try JSONSerialization.jsonObject(with: Data(bytes.prefix(try #require(length)))) as? [String: Any]
    let outputs = text?["outputs"] as? [[String: Any]]
    #expect(text?["id"] as? String == "9")
    #expect(outputs?[0]["data"] as? [Double] == [1, -2.5])
    #expect((outputs?[1]["parameters"] as? [String: Int]) == ["binary_data_size": 10])
    #expect(Array(bytes.dropFirst(length ?? 0)) == [2, 0, 0, 0, 97, 98, 0, 0, 0, 0])
  }

  @Test func predictionsTellTheirShape() throws {
    let model = ModelSignature(
      name: "p", inputs: [SinterModel.Port(name: "x", element: .f32, shape: [.symbol("n"), .fixed(2)])], outputs: [])
    let lists = try Prediction.inputs(bytes("[[1, 2], [3, 4], [5, 6]]"), isBinary: false, for: model)
    #expect(lists.inputs[0].tensor.shape == [3, 2])
    let object = try Prediction.inputs(bytes(#"{"x": [[1, 2]]}"#), isBinary: false, for: model)
    #expect(object.inputs[0].tensor.array(of: Float.self) == [1, 2])
    let raw = try Prediction.inputs(bytes("", Array(repeating: 0, count: 16)), isBinary: true, for: model)
    #expect(raw.inputs[0].tensor.shape == [2, 2])
    for text in ["[[1, 2], [3]]", "[1, 2]", "3", "[[1, 2]] 4", "[]", String(repeating: "[", count: 100)] {
      #expect(throws: Refusal.self) { try Prediction.inputs(bytes(text), isBinary: false, for: model) }
    }
    #expect(throws: Refusal.self) {
      try Prediction.inputs(bytes("", [1, 2, 3]), isBinary: true, for: model)
    }
    let body = try Prediction.body(
      InferenceAnswer(
        model: "p", version: "1", outputs: [.init(name: "y", tensor: .f32([2, 1], [1, 2]), isBinary: false)]))
    #expect(String(decoding: body, as: UTF8.self) == "[[1.0],[2.0]]")
  }

  @Test func modelsThatTheProtocolHasNoWordsForAreRefused() {
    func problem(_ port: SinterModel.Port) -> String? { ModelSignature(name: "m", inputs: [port], outputs: []).problem }
    #expect(
      problem(SinterModel.Port(name: "x", kind: .sequence, element: .f32, shape: nil))?.contains("no tensor") == true)
    #expect(problem(SinterModel.Port(name: "x", element: .c64, shape: []))?.contains("no name") == true)
    #expect(problem(SinterModel.Port(name: "x", element: .bf16, shape: nil)) == nil)
    #expect(
      Set(ElementType.allCases.compactMap(\.protocolName)).count
        == ElementType.allCases.filter { $0.protocolName.flatMap(ElementType.init(protocolName:)) == $0 }.count)
  }
}
