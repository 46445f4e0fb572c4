import SinterCore
import SinterIR
import SinterONNX
import Testing

@Suite("ONNX files, written and read")
struct RoundTripTests {
  @Test func everyPartSurvives() throws {
    let file = SampleModels.everything()
    let copy = try SampleModels.read(file.encoded())
    #expect(shown(copy) == shown(file))
    #expect(try copy.encoded() == file.encoded())
  }

  @Test func contentsStayInTheMappedFile() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/m.onnx"
    try SampleModels.everything().write(to: path)
    let file = try OnnxFile(reading: path)
    let big = try #require(file.graph.initializers.first { $0.name == "big" })
    #expect(big.value.array(of: Float.self) == (0..<1000).map { Float($0) })
  }

  @Test func largeContentsGoBesideTheModel() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/m.onnx"
    try SampleModels.everything().write(to: path, limit: 100)
    let file = try OnnxFile(reading: path)
    let big = try #require(file.graph.initializers.first { $0.name == "big" })
    #expect(big.value.array(of: Float.self) == (0..<1000).map { Float($0) })
    #expect(try MappedFile(path + ".data").count == 4000)
  }

  /// Contents in the typed fields, packed and not, and in several runs.
  @Test(arguments: [
    (ElementType.i32, WireBuilder.block(5, [1, 2, 0x80, 1])),
    (.i32, WireBuilder.integer(5, 1) + [0x28, 2, 0x28, 0x80, 1]),
    (.i32, WireBuilder.block(5, [1]) + WireBuilder.block(5, [2, 0x80, 1])),
    (.i64, WireBuilder.block(7, [1, 2, 0x80, 1])),
    (.u64, WireBuilder.block(11, [1, 2, 0x80, 1])), (.u32, WireBuilder.block(11, [1, 2, 0x80, 1])),
    (.i16, WireBuilder.block(5, [1, 2, 0x80, 1])), (.u8, WireBuilder.block(5, [1, 2, 0x80, 1])),
  ])
  func typedFieldsAreDecoded(element: ElementType, field: [UInt8]) throws {
    let tensor = WireBuilder.integer(1, 3) + WireBuilder.integer(2, UInt64(element.onnx)) + field
    let file = try SampleModels.read(WireBuilder.model(tensor: tensor))
    let value = file.graph.initializers[0].value
    let numbers: [Int] =
      switch element.bits {
      case 8: value.array(of: UInt8.self).map { Int($0) }
      case 16: value.array(of: Int16.self).map { Int($0) }
      case 32: value.array(of: Int32.self).map { Int($0) }
      default: value.array(of: Int.self)
      }
    #expect(numbers == [1, 2, 128])
  }

  @Test func floatsInTypedFields() throws {
    let packed = WireBuilder.block(4, [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40])
    let loose: [UInt8] = [0x25, 0, 0, 0x80, 0x3f, 0x25, 0, 0, 0, 0x40]
    for field in [packed, loose] {
      let tensor = WireBuilder.block(1, [2]) + WireBuilder.integer(2, 1) + field
      let file = try SampleModels.read(WireBuilder.model(tensor: tensor))
      #expect(file.graph.initializers[0].value.array(of: Float.self) == [1, 2])
    }
  }

  @Test func truthValuesAreZeroAndOne() throws {
    let tensor = WireBuilder.integer(1, 3) + WireBuilder.integer(2, 9) + WireBuilder.block(9, [0, 7, 1])
    let file = try SampleModels.read(WireBuilder.model(tensor: tensor))
    #expect(file.graph.initializers[0].value.array(of: UInt8.self) == [0, 1, 1])
  }
}

/// A value with all that is in it, the contents of tensors in place of their handles.
private func shown(_ value: Any) -> String {
  if let bytes = value as? TensorBytes { return bytes.withBytes { Array($0) }.description }
  let mirror = Mirror(reflecting: value)
  if mirror.children.isEmpty { return "\(value)" }
  return "(" + mirror.children.map { ($0.label ?? "") + ":" + shown($0.value) }.joined(separator: ",") + ")"
}
