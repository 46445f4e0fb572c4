import SinterCore
import SinterIR

/// From which opset on nodes of ONNX's own domain take and give elements of a type.
package enum OnnxElementTypes {
  /// The least opset at which each operand and result of a node may have the elements that it has, and the element type that asks for it;
  /// nil where all of them go with any opset that is written.
  ///
  /// - Parameter operands: the element types of its inputs in ONNX's order, without what bodies capture; nil where one is absent, or no tensor.
  package static func need(
    of opType: String, operands: [ElementType?], results: [ElementType?]
  ) -> (since: Int, element: ElementType)? {
    var found: (since: Int, element: ElementType)?
    for line in lines[opType] ?? [] {
      for (side, elements) in [("x", operands), ("y", results)] {
        for (index, element) in elements.enumerated() {
          let place = variadic.contains(opType) ? line.lastListed(index, of: side) : index
          guard let element, line.adds(element, at: place, of: side), line.since > found?.since ?? 0 else { continue }
          found = (line.since, element)
        }
      }
    }
    return found
  }

  /// Operators whose last listed place stands for all places behind it.
  private static let variadic: Set = ["If", "Loop", "Scan"]

  /// What one version of an operator allows beyond the version before it.
  private struct Line {
    var since: Int
    /// By place, `x0` of an input and `y0` of a result.
    var added: [String: Set<ElementType>] = [:]

    func adds(_ element: ElementType, at index: Int, of side: String) -> Bool {
      added["\(side)\(index)"]?.contains(element) ?? false
    }

    /// A place, or the last one of its side that is listed where that comes before it.
    func lastListed(_ index: Int, of side: String) -> Int {
      let listed = added.keys.filter { $0.hasPrefix(side) }.compactMap { Int($0.dropFirst()) }
      return listed.max().map { min($0, index) } ?? index
    }
  }

  private static let lines: [String: [Line]] = {
    var lines: [String: [Line]] = [:]
    for text in table.split(separator: "\n") {
      let words = text.split(separator: " ").map(String.init)
      guard words.count > 2, let since = Int(words[1]) else { continue }
      var line = Line(since: since)
      for word in words[2...] {
        let sides = word.split(separator: "=")
        guard sides.count == 2 else { continue }
        let all = Set(sides[1].split(separator: "+").flatMap { elements(String($0)) })
        for place in sides[0].split(separator: ",") { line.added[String(place)] = all }
      }
      lines[words[0], default: []].append(line)
    }
    return lines
  }()

  private static func elements(_ name: String) -> [ElementType] {
    switch name {
    case "f8": [.f8e4m3fn, .f8e4m3fnuz, .f8e5m2, .f8e5m2fnuz]
    case "n16": [.i16, .u16]
    case "n8": [.i8, .u8]
    case "n4": [.i4, .u4]
    case "n2": [.i2, .u2]
    default: ElementType(name: name).map { [$0] } ?? []
    }
  }

  /// From ONNX's schemas: an operator, the opset of a version from 14 on, and what it added to inputs (x) and results (y).
  private static let table = """
    Acos 22 x0,y0=bf16
    Acosh 22 x0,y0=bf16
    Add 14 x0,x1,y0=n8+n16
    Asin 22 x0,y0=bf16
    Asinh 22 x0,y0=bf16
    Atan 22 x0,y0=bf16
    Atanh 22 x0,y0=bf16
    AveragePool 22 x0,y0=bf16
    BatchNormalization 14 x0,x1,x2,x3,x4,y0,y1,y2=bf16
    Bernoulli 22 x0=bf16
    BitShift 28 x0,x1,y0=i16+i32+i64+i8
    Cast 19 x0,y0=f8
    Cast 21 x0,y0=n4
    Cast 23 x0,y0=f4e2m1
    Cast 24 x0,y0=f8e8m0
    Cast 25 x0,y0=n2
    CastLike 19 x0,x1,y0=f8
    CastLike 21 x0,x1,y0=n4
    CastLike 23 x0,x1,y0=f4e2m1
    CastLike 24 x0,x1,y0=f8e8m0
    CastLike 25 x0,x1,y0=n2
    Celu 28 x0,y0=bf16+f16+f64
    Compress 28 x0,y0=bf16
    Constant 19 y0=f8
    Constant 21 y0=n4
    Constant 23 y0=f4e2m1
    Constant 24 y0=f8e8m0
    Constant 25 y0=n2
    ConstantOfShape 20 y0=bf16+f8
    ConstantOfShape 21 y0=n4
    ConstantOfShape 23 y0=f4e2m1
    ConstantOfShape 24 y0=f8e8m0
    ConstantOfShape 25 y0=n2
    Conv 22 x0,x1,x2,y0=bf16
    ConvTranspose 22 x0,x1,x2,y0=bf16
    Cos 22 x0,y0=bf16
    Cosh 22 x0,y0=bf16
    CumSum 14 x0,y0=bf16+f16
    DeformConv 22 x0,x1,x2,x3,x4,y0=bf16
    DequantizeLinear 19 x0,x2=f8 x1,y0=bf16+f16
    DequantizeLinear 21 x0,x2=n4+n16
    DequantizeLinear 23 x0,x2=f4e2m1
    DequantizeLinear 24 x1=f8e8m0
    DequantizeLinear 25 x0,x2=n2
    Det 22 x0,y0=bf16
    Div 14 x0,x1,y0=n8+n16
    Dropout 22 x0,y0=f8 x1=bf16+f8
    Einsum 28 x0,y0=bf16
    Elu 22 x0,y0=bf16
    Equal 19 x0,x1=string
    EyeLike 22 x0,y0=bf16
    Flatten 21 x0,y0=f8+n4
    Flatten 23 x0,y0=f4e2m1
    Flatten 24 x0,y0=f8e8m0
    Flatten 25 x0,y0=n2
    GRU 22 x0,x1,x2,x3,x5,y0,y1=bf16
    GlobalAveragePool 22 x0,y0=bf16
    GlobalLpPool 22 x0,y0=bf16
    GlobalMaxPool 22 x0,y0=bf16
    GreaterOrEqual 16 x0,x1=bf16
    GridSample 22 x0,x1,y0=bf16
    HardSigmoid 22 x0,y0=bf16
    HardSwish 22 x0,y0=bf16
    Identity 19 x0,y0=f8
    Identity 21 x0,y0=n4
    Identity 23 x0,y0=f4e2m1
    Identity 24 x0,y0=f8e8m0
    Identity 25 x0,y0=n2
    If 16 y0=bf16
    If 19 y0=f8
    If 21 y0=n4
    If 23 y0=f4e2m1
    If 24 y0=f8e8m0
    If 25 y0=n2
    InstanceNormalization 22 x0,x1,x2,y0=bf16
    IsInf 20 x0=bf16+f16+f8
    IsNaN 20 x0=f8
    LSTM 22 x0,x1,x2,x3,x5,x6,x7,y0,y1,y2=bf16
    LeakyRelu 16 x0,y0=bf16
    LessOrEqual 16 x0,x1=bf16
    Loop 16 x2,y0=bf16
    Loop 19 x2,y0=f8
    Loop 21 x2,y0=n4
    Loop 23 x2,y0=f4e2m1
    Loop 24 x2,y0=f8e8m0
    Loop 25 x2,y0=n2
    LpNormalization 22 x0,y0=bf16
    LpPool 22 x0,y0=bf16
    MaxPool 22 x0,y0=bf16
    MaxRoiPool 22 x0,x1,y0=bf16
    MaxUnpool 22 x0,y0=bf16
    Mish 22 x0,y0=bf16
    Mul 14 x0,x1,y0=n8+n16
    Multinomial 22 x0=bf16
    NegativeLogLikelihoodLoss 22 x0,x2,y0=bf16
    OneHot 28 x2,y0=bf16
    Optional 28 x0=bf16+f4e2m1+f8e8m0+f8+n4+n2
    OptionalGetElement 18 x0=bool+c128+c64+f16+f32+f64+i32+i64+string+u32+u64+n8+n16
    OptionalGetElement 28 x0,y0=bf16+f4e2m1+f8e8m0+f8+n4+n2
    OptionalHasElement 18 x0=bool+c128+c64+f16+f32+f64+i32+i64+string+u32+u64+n8+n16
    OptionalHasElement 28 x0=bf16+f4e2m1+f8e8m0+f8+n4+n2
    PRelu 16 x0,x1,y0=bf16
    Pad 21 x0,x2,y0=f8+n4
    Pad 23 x0,x2,y0=f4e2m1
    Pad 24 x0,x2,y0=f8e8m0
    Pad 25 x0,x2,y0=n2
    Pow 15 x1=bf16
    QLinearMatMul 21 x0,x2,x3,x5,x7,y0=f8 x1,x4,x6=bf16+f16
    QuantizeLinear 19 x0=bf16+f16 x1=bf16+f16+i32 x2,y0=f8
    QuantizeLinear 21 x2,y0=n4+n16
    QuantizeLinear 23 x2,y0=f4e2m1
    QuantizeLinear 24 x1=f8e8m0
    QuantizeLinear 25 x2,y0=n2
    RNN 22 x0,x1,x2,x3,x5,y0,y1=bf16
    RandomNormal 22 y0=bf16
    RandomNormalLike 22 x0,y0=bf16
    RandomUniform 22 y0=bf16
    RandomUniformLike 22 x0,y0=bf16
    Range 27 x0,x1,x2,y0=bf16+f16
    ReduceMax 20 x0,y0=bool
    ReduceMin 20 x0,y0=bool
    Relu 14 x0,y0=i16+i32+i64+i8
    Reshape 19 x0,y0=f8
    Reshape 21 x0,y0=n4
    Reshape 23 x0,y0=f4e2m1
    Reshape 24 x0,y0=f8e8m0
    Reshape 25 x0,y0=n2
    ReverseSequence 28 x0,y0=bf16
    RoiAlign 22 x0,x1,y0=bf16
    Round 22 x0,y0=bf16
    Scan 16 x0,y0=bf16
    Scan 19 x0,y0=f8
    Scan 21 x0,y0=n4
    Scan 23 x0,y0=f4e2m1
    Scan 24 x0,y0=f8e8m0
    Scan 25 x0,y0=n2
    Selu 22 x0,y0=bf16
    Shape 19 x0=f8
    Shape 21 x0=n4
    Shape 23 x0=f4e2m1
    Shape 24 x0=f8e8m0
    Shape 25 x0=n2
    Sin 22 x0,y0=bf16
    Sinh 22 x0,y0=bf16
    Size 19 x0=f8
    Size 21 x0=n4
    Size 23 x0=f4e2m1
    Size 24 x0=f8e8m0
    Size 25 x0=n2
    Softplus 22 x0,y0=bf16
    Softsign 22 x0,y0=bf16
    SplitToSequence 24 x0=bf16
    Squeeze 21 x0,y0=f8+n4
    Squeeze 23 x0,y0=f4e2m1
    Squeeze 24 x0,y0=f8e8m0
    Squeeze 25 x0,y0=n2
    Sub 14 x0,x1,y0=n8+n16
    Tan 22 x0,y0=bf16
    ThresholdedRelu 22 x0,y0=bf16
    TopK 24 x0,y0=bf16
    Transpose 21 x0,y0=f8+n4
    Transpose 23 x0,y0=f4e2m1
    Transpose 24 x0,y0=f8e8m0
    Transpose 25 x0,y0=n2
    Unique 28 x0,y0=bf16
    Unsqueeze 21 x0,y0=f8+n4
    Unsqueeze 23 x0,y0=f4e2m1
    Unsqueeze 24 x0,y0=f8e8m0
    Unsqueeze 25 x0,y0=n2
    Where 16 x1,x2,y0=bf16
    """
}
