import SinterCore
import SinterIR

/// What ONNX has as a list of maps from classes to scores, one for each row: here the matrix of the scores, whose columns belong to the keys in
/// their order.
public struct ZipMap: Composite {
  public static let name = "ZipMap"
  public static let summary = "Scores by class, as a matrix with a column for each key in place of a list of maps."

  public var numbers: [Int] = []
  public var texts: [String] = []

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.ints("classlabels_int64s", &numbers, default: [])
    list.strings("classlabels_strings", &texts, default: [])
  }

  public static var onnx: [OnnxRule] { [.direct(ZipMap.self, domain: .ml)] }

  public func note(onResult index: Int) -> String {
    let keys = texts.isEmpty ? numbers.map(String.init) : texts.map { TensorText.quoted($0) }
    return "a list of maps in ONNX, one for each row; here a matrix, whose columns belong to the keys "
      + keys.joined(separator: ", ")
  }

  public func expand(_ inputs: NodeInputs, into builder: inout GraphBuilder) throws -> [ValueID] {
    let count = max(numbers.count, texts.count)
    let rows = try builder.rows(try inputs.value(0), of: Self.name)
    let type = try builder.type(rows)
    try builder.require(by: Self.name) {
      try $0.equal(type.shape[1], Dim(count), "number of columns of \(type) and of keys")
    }
    return [try builder.add1(Identity(), [rows])]
  }

  public static var examples: [OperatorExample] {
    var op = ZipMap()
    op.numbers = [4, -1]
    var named = ZipMap()
    named.texts = ["yes", "no"]
    return [
      OperatorExample(op, [.random(TensorType(.f32, ["n", 2]), 0...1)], sizes: [Symbol("n"): 3]),
      OperatorExample(named, [.random(TensorType(.f32, ["m"]), 0...1)], sizes: [Symbol("m"): 2]),
    ]
  }
}
