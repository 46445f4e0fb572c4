import Foundation
import Sinter
import SinterCore
import SinterForms
import SinterIR
import SinterLLVM
import SinterOps
import TestSupport
import Testing

/// Whole libraries at any sizes, under the sanitizers of addresses and of undefined behaviour. `programs/sizes.c` runs them.
@Suite struct LibrarySizeTests {
  private static let sanitizers =
    "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g"

  /// A graph and inputs for it, with what it means.
  private struct Model {
    var graph: Graph
    var text: String
    var tolerance: Double
    var runs: [(inputs: [HostTensor], meant: Outcome)] = []
  }

  /// Some operators' examples.
  @Test func operatorsComputeOrRefuseAnySizes() throws {
    let isLong = Flags.fromEnvironment().fuzz != nil
    let types = OpTable.standard.all.enumerated().filter { isLong || $0.offset % 9 == 4 }.map(\.element)
    var models: [Model] = []
    for type in types {
      guard let example = isLong ? type.examples.last : type.examples.first else { continue }
      guard let sizes = try? SizeExample(example, accepts: { _ = try SizeCheck.kernels(of: $0) }) else { continue }
      // The program that runs them knows numbers only; TextLibraryTests run text.
      let ports = sizes.graph.inputs + sizes.graph.outputs
      if ports.contains(where: { sizes.graph.type(of: $0.value).tensor?.element == .string }) { continue }
      let tolerance = example.op.isDeterministic ? example.tolerance : .infinity
      var model = Model(graph: sizes.graph, text: type.name, tolerance: tolerance)
      var generator = CheckGenerator(seed: 5)
      for shapes in sizes.shapes(12, &generator) {
        let inputs = sizes.inputs(shapes, &generator)
        let meant = Outcome { try FormInterpreter(try sizes.graph(shapes: shapes).lowered()).run(inputs) }
        model.runs.append((inputs, meant))
      }
      models.append(model)
    }
    try Self.check(models)
  }

  /// Some random graphs.
  @Test func randomGraphsComputeOrRefuseAnySizes() throws {
    let first = Flags.fromEnvironment().fuzzSeed ?? 5001
    var models: [Model] = []
    for seed in first..<(first + Swift.min(Flags.fromEnvironment().fuzz ?? 10, 200)) {
      guard let graph = try? RandomSizeGraph.make(seed: UInt64(seed), steps: 12), let forms = try? graph.lowered()
      else { continue }
      var model = Model(graph: graph, text: "seed \(seed):\n\(graph)", tolerance: 1e-3)
      var generator = SeededGenerator(seed: UInt64(seed))
      for _ in 0..<8 {
        let inputs = graph.inputsOfRandomSizes(&generator)
        model.runs.append((inputs, Outcome { try FormInterpreter(forms, largest: 1 << 14).run(inputs) }))
      }
      models.append(model)
    }
    try Self.check(models)
  }

  private static func check(_ models: [Model]) throws {
    try Files.withTemporaryFolder { folder throws(DiagnosticError) in
      Result { try check(models, in: folder) }
    }.get()
  }

  private static func check(_ models: [Model], in folder: String) throws {
    var compiled: [Model] = []
    var objects: [String] = []
    for model in models {
      var (model, graph) = (model, model.graph)
      graph.name = "case\(compiled.count)"
      var compiler = Compiler()
      var options = LibraryOptions(emission: .object, writesHeaders: false)
      options.compiler = "cc \(sanitizers)"
      let path = "\(folder)/\(graph.name).o"
      do {
        _ = try LibraryCompiler.compile(try compiler.kernels(of: graph), to: path, options: options)
      } catch {
        if SizeCheck.kind(of: error) == .bug { Issue.record("\(model.text): \(error)") }
        continue
      }
      model.runs.removeAll { if case .error(.limit, _) = $0.meant { true } else { false } }
      compiled.append(model)
      objects.append(path)
    }
    let results = try run(compiled, objects, in: folder)
    var next = 0
    for model in compiled {
      for run in model.runs where next < results.count {
        let given = results[next]
        next += 1
        if run.meant.isDataError, case .values = given { continue }
        if let problem = given.problem(against: run.meant, tolerance: model.tolerance) {
          Issue.record("\(problem), inputs \(run.inputs.map(\.shape)), \(model.text)")
        }
      }
    }
  }

  /// What the program gives for all runs of all models, in order.
  private static func run(_ models: [Model], _ objects: [String], in folder: String) throws -> [Outcome] {
    let tests = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let names = models.indices.map { "case\($0)_library" }
    var table = "#include \"sinter.h\"\n" + names.map { "extern const SinterLibrary *\($0)(void);\n" }.joined()
    table += "const SinterLibrary *models[\(max(names.count, 1))];\nconst size_t model_count = \(names.count);\n"
    table += "__attribute__((constructor)) static void fill(void) {\n"
    table += names.enumerated().map { "  models[\($0)] = \($1)();\n" }.joined() + "}\n"
    try Files.write(table, to: "\(folder)/table.c")
    var bytes: [UInt8] = []
    func put(_ number: Int) { withUnsafeBytes(of: Int64(number)) { bytes += $0 } }
    for (index, model) in models.enumerated() {
      for run in model.runs {
        put(index)
        for input in run.inputs {
          put(input.rank)
          input.shape.forEach(put)
          put(input.bytes.count)
          input.bytes.withBytes { bytes += $0 }
        }
      }
    }
    try bytes.withUnsafeBytes { try Files.write($0, to: "\(folder)/runs") }
    let flags = sanitizers.split(separator: " ").map(String.init)
    let built = try Subprocess.run(
      "cc",
      flags + [
        "-std=gnu11", "-O1", "-I", "\(tests)/../../Sources/SinterABI/include", "\(tests)/programs/sizes.c",
        "\(folder)/table.c",
      ] + objects + ["-o", "\(folder)/sizes", "-lm", "-lpthread"])
    try #require(built.succeeded, "\(built.output)")
    let ran = try Subprocess.run("\(folder)/sizes", ["\(folder)/runs", "\(folder)/results"])
    if !ran.succeeded {
      let last = ran.output.split(separator: "\n").last { $0.hasPrefix("model ") }.flatMap { Int($0.dropFirst(6)) }
      Issue.record("\(ran.output.suffix(4000))\nin \(last.map { models[$0].text } ?? "no model")")
    }
    return outcomes(models, [UInt8](FileManager.default.contents(atPath: "\(folder)/results") ?? Data()))
  }

  private static func outcomes(_ models: [Model], _ bytes: [UInt8]) -> [Outcome] {
    var at = 0
    func take(_ count: Int) -> ArraySlice<UInt8>? {
      guard count >= 0, at + count <= bytes.count else { return nil }
      defer { at += count }
      return bytes[at..<(at + count)]
    }
    func number() -> Int? { take(8).map { part in part.withUnsafeBytes { Int($0.loadUnaligned(as: Int64.self)) } } }
    var results: [Outcome] = []
    for model in models {
      for _ in model.runs {
        guard let status = number(), let text = take(number() ?? -1) else { return results }
        if status != 0 {
          // Sizes or data that do not fit; anything else is no answer.
          let kind: Diagnostic.Kind = [2, 6].contains(status) ? .user : .bug
          results.append(
            .error(
              kind, DiagnosticError(kind, "run.status", "status \(status): \(String(decoding: text, as: UTF8.self))")))
          continue
        }
        var tensors: [HostTensor] = []
        for port in model.graph.outputs {
          guard let element = model.graph.type(of: port.value).tensor?.element, let rank = number() else {
            return results
          }
          let shape = (0..<rank).compactMap { _ in number() }
          guard shape.count == rank, let data = take(number() ?? -1) else { return results }
          tensors.append(
            HostTensor(element, shape, bytes: TensorBytes(count: data.count) { target in target.copyBytes(from: data) })
          )
        }
        results.append(.values(tensors))
      }
    }
    return results
  }
}
