import SinterGradient
import SinterIR
import SinterONNX
import SinterOps

extension BoundModel {
  /// Reads an ONNX file.
  ///
  /// - Parameters:
  ///   - path: the file; contents outside of it are read from its folder.
  ///   - operators: what nodes may be: ONNX's own operators, with those of yours added, as in `.complete.adding(ScaledCube.self)`. A node of
  ///     a domain of yours is read by the rule that its operator gives in `onnx`.
  ///   - sizes: numbers for symbols of the inputs, such as `["batch": 1]`.
  /// - Throws: `DiagnosticError` with all that is wrong with the file, each with its node.
  public init(importing path: String, operators: OpTable = .complete, sizes: [String: Int] = [:]) throws {
    var importer = OnnxImporter(operators: operators)
    importer.sizes = Dictionary(sizes.map { (Symbol($0.key), $0.value) }) { first, _ in first }
    self.init(graph: try importer.graph(reading: path))
  }
}
