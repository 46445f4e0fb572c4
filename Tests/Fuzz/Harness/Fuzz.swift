import SinterCore
import SinterForms
import SinterIR
import SinterKernelIR
import SinterONNX
import SinterOps
import SinterPasses

/// What libFuzzer calls with each input: an ONNX file, or a text of one of the forms, which its first word tells apart. Errors are what a hostile
/// input deserves; a trap, or an error that Sinter calls its own, is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeBufferPointer(start: data, count: count)
  do {
    switch Subject(input) {
    case .file: try compile(input)
    case .graph: _ = try Graph(parsing: text(input), operators: .standard).partiallyLowered()
    case .forms: _ = FormVerifier.check(try FormProgram(parsing: text(input)))
    case .kernels: _ = try KernelProgram(parsing: text(input))
    }
  } catch let error as DiagnosticError {
    for diagnostic in error.diagnostics where diagnostic.kind == .bug { fatalError("\(diagnostic)") }
  } catch {
    fatalError("\(error)")
  }
  return 0
}

private enum Subject {
  case file, graph, forms, kernels

  init(_ input: UnsafeBufferPointer<UInt8>) {
    func begins(_ word: String) -> Bool { input.starts(with: word.utf8) }
    if begins("graph") {
      self = .graph
    } else if begins("forms") {
      self = .forms
    } else if begins("kernels") {
      self = .kernels
    } else {
      self = .file
    }
  }
}

private func text(_ input: UnsafeBufferPointer<UInt8>) -> String { String(decoding: input, as: UTF8.self) }

/// The file as a graph, as far as it is one, and that as forms, as it is and optimized.
private func compile(_ input: UnsafeBufferPointer<UInt8>) throws {
  let bytes = TensorBytes(count: input.count) { $0.copyBytes(from: input) }
  let file = try OnnxFile(bytes: bytes, folder: nil)
  let graph = try OnnxImporter(operators: .standard).graph(of: file)
  let problems = GraphVerifier.problems(of: graph)
  if !problems.isEmpty { fatalError("\(problems)") }
  _ = try graph.lowered()
  var optimized = graph
  var flags = Flags()
  flags.verify = true
  var passes = PassManager(flags: flags)
  try passes.run(Pipelines.optimize, on: &optimized)
  _ = try optimized.lowered()
}
