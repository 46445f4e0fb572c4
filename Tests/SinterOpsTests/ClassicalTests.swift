import SinterCore
import SinterIR
import SinterOps
import Testing

/// What the operators of classical machine learning ask of sizes, refuse, and say of their results.
@Suite struct ClassicalTests {
  private func result(_ op: some Operator, _ type: TensorType, outputs: Int = 1) throws -> (GraphBuilder, [ValueID]) {
    var builder = GraphBuilder(name: "test")
    let x = builder.input(Fact(type.element, type.shape), named: "x")
    let values = try builder.add(op, [x], outputs: outputs)
    return (builder, values)
  }

  @Test func outputsOfMapsSayTheirKeys() throws {
    var builder = GraphBuilder(name: "test")
    let scores = builder.input(Fact(.f32, ["n", 2]), named: "scores")
    let rule = try #require(OpTable.standard.rule(domain: "ai.onnx.ml", opType: "ZipMap", opset: 1))
    let node = OnnxNode(
      domain: "ai.onnx.ml", opType: "ZipMap", opset: 1, name: "maps", values: [.tensor(scores)], outputCount: 1,
      attributes: ["classlabels_strings": .strings(["cat", "dog"])])
    let maps = try rule.build(node, &builder)[0]
    builder.output(maps, named: "maps")
    #expect(builder.graph.outputs[0].note.contains("\"cat\", \"dog\""))
    #expect(GraphVerifier.problems(of: builder.graph) == [])
    let results = try GraphEvaluator.run(
      builder.graph, values: [.tensor(.f32([2, 2], [0.25, 0.75, 1, 0]))])
    guard case .sequence(let rows) = results[0], rows.count == 2, case .map(let keys, let values) = rows[1] else {
      Issue.record("expected two maps, but the result is \(results[0])")
      return
    }
    #expect(keys.strings == ["cat", "dog"])
    #expect(values.array(of: Float.self) == [1, 0])
  }

  /// Numbers for features are one for all, or as many as there are.
  @Test func asksForAsManyFeaturesAsNumbers() throws {
    var scaler = Scaler()
    scaler.scale = [1, 2, 3]
    var imputer = Imputer()
    imputer.floats = [1, 2, 3]
    var linear = LinearRegressor()
    linear.coefficients = [1, 2, 3]
    var vectors = SVMRegressor()
    vectors.supportCount = 1
    vectors.supportVectors = [1, 2, 3]
    vectors.coefficients = [1]
    for op in [scaler, imputer, linear, vectors] as [any Operator] {
      #expect(throws: DiagnosticError.self) { try result(op, TensorType(.f32, ["n", 4])) }
      let (builder, _) = try result(op, TensorType(.f32, ["n", "m"]))
      #expect(builder.graph.obligations.contains { "\($0)".contains("3") }, "\(type(of: op).name)")
    }
  }

  @Test func refusesWhatDoesNotFit() throws {
    var vectorizer = FeatureVectorizer()
    vectorizer.widths = [1, 2]
    var classifier = LinearClassifier()
    classifier.coefficients = [1, 2, 3, 4, 5, 6]
    classifier.intercepts = [0, 0, 0]
    classifier.labelNumbers = [1, 2]
    var machine = SVMClassifier()
    machine.labelNumbers = [1, 2]
    machine.vectorsPerClass = [1, 1]
    machine.supportVectors = [1, 2, 3, 4]
    machine.coefficients = [1]
    machine.rho = [0]
    let encoder = LabelEncoder(keys: .i64([1], [1]), values: .i64([2], [1, 2]), fallback: .i64([1], [0]))
    for op in [vectorizer, classifier, machine, encoder, OneHotEncoder(), Imputer()] as [any Operator] {
      #expect(throws: DiagnosticError.self, "\(type(of: op).name)") {
        try result(op, TensorType(.f32, ["n", 2]), outputs: op is LinearClassifier || op is SVMClassifier ? 2 : 1)
      }
    }
  }
}
