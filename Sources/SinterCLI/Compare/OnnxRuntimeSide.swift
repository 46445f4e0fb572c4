import Foundation
import Sinter
import SinterCore
import SinterIR

/// What ONNX Runtime computes of a file: all values that nodes give, by a short program in Python.
enum OnnxRuntimeSide {
  /// Refuses what is no program, ahead of the work.
  static func check(python: String) throws(DiagnosticError) {
    let places =
      python.contains("/")
      ? [python] : (Environment.value("PATH") ?? "").split(separator: ":").map { "\($0)/\(python)" }
    if places.contains(where: { !Files.isFolder($0) && access($0, X_OK) == 0 }) { return }
    let example = "give the path of a Python that has onnx and onnxruntime, such as .venv/bin/python"
    // An environment is often given by its folder.
    if Files.isFolder(python) {
      let inside = [python + "/bin/python", python + "/python"].map { $0.replacing("//", with: "/") }
      let found = inside.first { !Files.isFolder($0) && access($0, X_OK) == 0 }
      throw DiagnosticError(
        .user, "diff.python", "--python \(python) is a folder, where a program was expected",
        hint: found.map { "give \($0)" } ?? example)
    }
    let problem =
      if !python.contains("/") {
        "--python \(python): no folder on the PATH has such a program"
      } else if Files.exists(python) {
        "--python \(python) is a file that may not be run"
      } else {
        "--python \(python): there is no such file"
      }
    throw DiagnosticError(.user, "diff.python", problem, hint: example)
  }

  static func side(_ model: String, _ graph: Graph, _ inputs: [HostTensor], python: String) throws
    -> ModelComparison.Side
  {
    let outputs = graph.outputs.map(\.name)
    let known = Set(graph.namedResults.map(\.name) + outputs)
    return ModelComparison.Side(name: "onnxruntime", names: graph.namedResults.map(\.name), outputs: outputs) { names in
      let found = try run(
        model, zip(graph.inputs.map(\.name), inputs).map { ($0, $1) }, names.filter { known.contains($0) }, python)
      return names.map { found[$0] }
    }
  }

  private static func run(
    _ model: String, _ inputs: [(name: String, tensor: HostTensor)], _ names: [String], _ python: String
  ) throws -> [String: HostTensor] {
    let result = try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      Result { try run(model, inputs, names, python, in: folder) }
    }
    return try result.get()
  }

  private struct Request: Encodable {
    var model: String
    var inputs: [String]
    var outputs: [String]
  }

  private static func run(
    _ model: String, _ inputs: [(name: String, tensor: HostTensor)], _ names: [String], _ python: String,
    in folder: String
  ) throws -> [String: HostTensor] {
    for (index, input) in inputs.enumerated() { try NpyFile.write(input.tensor, to: "\(folder)/in\(index).npy") }
    let request = Request(model: model, inputs: inputs.map(\.name), outputs: names)
    try AtomicFile.write(JSONText.of(request) ?? "{}", to: "\(folder)/request.json")
    try AtomicFile.write(program, to: "\(folder)/run.py")
    let outcome = try Subprocess.run(python, ["\(folder)/run.py", folder])
    if outcome.succeeded, !Files.exists("\(folder)/done") {
      throw DiagnosticError(
        .user, "diff.python", "--python \(python) runs no program of Python",
        hint: "give the path of a Python that has onnx and onnxruntime, such as .venv/bin/python",
        output: outcome.output)
    }
    guard outcome.succeeded else {
      throw DiagnosticError(
        .user, "diff.onnxruntime", "ONNX Runtime does not run the model",
        hint: "pip install onnx onnxruntime, or tell --python which Python has them", output: outcome.output)
    }
    var found: [String: HostTensor] = [:]
    for (index, name) in names.enumerated() {
      let path = "\(folder)/out\(index).npy"
      if Files.exists(path) { found[name] = try NpyFile.read(path) }
    }
    return found
  }

  /// Makes outputs of what is asked for, and runs the model without its optimizations, which would drop these values.
  private static let program = """
    from json import load
    from sys import argv
    from numpy import load as read, ndarray, save
    from onnx import ValueInfoProto, load as model_of
    from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
    folder = argv[1]
    with open(folder + "/request.json") as file:
        request = load(file)
    model = model_of(request["model"])
    there = {output.name for output in model.graph.output}
    given = {name for node in model.graph.node for name in node.output}
    for name in request["outputs"]:
        if name in given and name not in there:
            model.graph.output.append(ValueInfoProto(name=name))
    options = SessionOptions()
    if len(request["outputs"]) > len(there):
        options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = {name: read(f"{folder}/in{index}.npy") for index, name in enumerate(request["inputs"])}
    known = {output.name for output in session.get_outputs()}
    asked = [name for name in request["outputs"] if name in known]
    for name, value in zip(asked, session.run(asked, feeds)):
        if isinstance(value, ndarray) and value.dtype.kind in "fiub":
            save(f"{folder}/out{request['outputs'].index(name)}.npy", value)
    open(folder + "/done", "w").close()
    """
}
