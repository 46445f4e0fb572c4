import ArgumentParser
import Sinter
import SinterIR
import SinterONNX
import SinterQuantize

/// `sinter quantize`: a model in bytes, as standard ONNX.
struct QuantizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Quantize a model to bytes, with ranges taken from data, and write it as standard ONNX.",
    discussion: """
      Example: sinter quantize model.onnx --data calibration.npz -o model-int8.onnx
               sinter quantize model.onnx --data samples --method entropy --max-loss 0.02 --report report.json -o model-int8.onnx
               sinter quantize llm.onnx --weights int4 --block 32 -o llm-int4.onnx

      Convolutions, MatMul and Gemm with constant weights get pairs of QuantizeLinear and DequantizeLinear (QDQ) at their inputs, and \
      convolutions at their results; batch normalization goes into the convolution before it. Weights are int8 with a scale for each \
      channel, biases int32, activations uint8 with a zero point.

      Data is an .npz file with an array for each input, whose first axis counts samples, or a folder with one .npz file per run (or one \
      .npy file, for models with one input). The table shows the signal-to-noise ratio of each layer's quantized result, on the same \
      input, and how far the outputs are off when all layers are quantized.
      """)

  enum Method: String, CaseIterable, ExpressibleByArgument { case minmax, percentile, entropy, mse }
  enum Results: String, CaseIterable, ExpressibleByArgument { case none, convolutions, all }
  enum Weights: String, CaseIterable, ExpressibleByArgument { case int8, int4 }
  enum Format: String, CaseIterable, ExpressibleByArgument { case qdq, matmulnbits }

  @OptionGroup var model: ModelArgument

  @Option(
    help: "Samples that ranges are taken from: an .npz file, or a folder of .npz or .npy files.", completion: .file())
  var data: String?

  @Option(name: [.customShort("o"), .customLong("output")], help: "The ONNX file to write.", completion: .file())
  var output: String

  @Option(
    help: """
      How ranges are chosen: from all values, from a percentage of them, by least divergence (entropy), or by least squared error (mse).
      """)
  var method = Method.minmax

  @Option(help: "The percentage of values that --method percentile keeps.")
  var percentile = 99.99

  @Flag(help: "Use one scale for all weights of a layer instead of one for each channel.")
  var perTensor = false

  @Flag(help: "Quantize activations to int8 without zero points.")
  var symmetric = false

  @Option(
    help: """
      Which layers also get quantized results: none, convolutions, or all. The fewer, the closer to the original; ONNX Runtime computes a \
      MatMul followed by a bias in bytes only with all.
      """)
  var results = Results.convolutions

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Layers that stay in f32, by name or pattern, as in '/head/*'.", valueName: "name"))
  var exclude: [String] = []

  @Option(
    help: """
      The most that any output may be off, as the ratio of root mean squares of error and output; layers are left in f32, the worst \
      first, until this holds.
      """)
  var maxLoss: Double?

  @Option(help: "Samples to measure errors on, instead of those that ranges are taken from.", completion: .file())
  var check: String?

  @Option(
    name: [.long, .customLong("json")],
    help: "Write all figures in JSON; - for standard output, in place of the table.", completion: .file())
  var report: String?

  @Option(help: "int8 for weights and activations; int4 for the weights of MatMul and Gemm alone, which needs no data.")
  var weights = Weights.int8

  @Option(help: "How many int4 weights share a scale.")
  var block = 32

  @Option(
    help:
      "How int4 weights are written: as the standard DequantizeLinear of opset 21, or as ONNX Runtime's MatMulNBits.")
  var format = Format.qdq

  @Option(parsing: .unconditional, help: "Threads that run the model; 0 for all.")
  var threads = 0

  func validate() throws {
    try OutputFile.check(output, hasEnding: [".onnx"])
    try OutputFile.check(report, of: "--report", beside: output)
    if !(percentile > 0 && percentile <= 100) {
      throw ValidationError("--percentile must be more than 0 and at most 100")
    }
    if let maxLoss, !(maxLoss >= 0) { throw ValidationError("--max-loss must be at least 0") }
    if threads < 0 { throw ValidationError("--threads must be at least 0") }
    if weights == .int8, data == nil {
      throw ValidationError("--data is missing: ranges of activations are taken from it. Or give --weights int4")
    }
    if method != .percentile, percentile != 99.99 {
      throw ValidationError("--percentile is for --method percentile")
    }
    if weights == .int8, block != 32 || format != .qdq {
      throw ValidationError("--block and --format are for --weights int4")
    }
    if weights == .int4 {
      if method != .minmax || perTensor || symmetric || results != .convolutions {
        throw ValidationError("--method, --per-tensor, --symmetric and --results are for --weights int8")
      }
      if block < 16 || block.nonzeroBitCount != 1 { throw ValidationError("--block must be a power of two from 16 on") }
      if maxLoss != nil { throw ValidationError("--max-loss goes with --weights int8") }
      if data != nil || check != nil { throw ValidationError("--weights int4 takes no data") }
    }
  }

  func run() throws {
    try OutputFile.requireWritable(output, report)
    let source = try ModelFile(path: model.model).onnxFile()
    let graph = try model.graph()
    let (quantized, made) = try weights == .int4 ? inFourBits(graph) : inBytes(graph)
    let file = try OnnxExporter().file(of: quantized)
    try (source.map { file.keepingTexts(of: $0) } ?? file).write(to: OutputFile.path(output))
    if let report { try OutputFile.write(try QuantizationReportFile.json(made), to: report) }
    if output != "-", report != "-" { StandardOutput.print(QuantizationTable(made).text) }
  }

  private func inBytes(_ graph: Graph) throws -> (Graph, QuantizationReport) {
    var options = QuantizationOptions()
    options.method =
      switch method {
      case .minmax: .minMax
      case .percentile: .percentile(percentile)
      case .entropy: .entropy
      case .mse: .squaredError
      }
    options.perChannel = !perTensor
    options.symmetric = symmetric
    options.results =
      switch results {
      case .none: .none
      case .convolutions: .convolutions
      case .all: .all
      }
    options.excluded = exclude
    options.maximumLoss = maxLoss
    let quantizer = ByteQuantizer(options, runner: CompiledRunner.runner(threads: threads))
    // What is wrong with the model and what is wrong with the data is told together.
    var problems = quantizer.problems(of: graph)
    func samples(_ path: String?) -> CalibrationData? {
      guard let path else { return nil }
      do {
        return try CalibrationData(path, for: graph)
      } catch {
        problems += (error as? DiagnosticError)?.diagnostics ?? [Diagnostic(.user, "quantize.data", "\(error)")]
        return nil
      }
    }
    let (data, checks) = (samples(data), samples(check))
    guard problems.isEmpty, let data else { throw DiagnosticError(problems) }
    return try quantizer.quantize(graph, samples: data, checks: checks)
  }

  private func inFourBits(_ graph: Graph) throws -> (Graph, QuantizationReport) {
    try BlockQuantizer(block: block, form: format == .qdq ? .dequantized : .matMulNBits, excluded: exclude).quantize(
      graph)
  }
}
