import Sinter
import SinterIR
import SinterModel

/// A port for programs: `{"name": "x", "type": "f32[batch, 4]", "element": "f32", "shape": ["batch", 4]}`.
struct PortInspection: Encodable {
  var name: String
  /// As people read it: `f32[batch, 4]`, `seq(f32[?])`, `map(string, f32)`, with `?` behind what may be left out.
  var type: String
  /// Of a tensor.
  var element: String?
  /// Of a tensor whose rank is known.
  var shape: [Size]?

  /// A number, a symbol or an expression of symbols, or what only a run tells.
  enum Size: Encodable {
    case number(Int)
    case expression(String)
    case unknown

    func encode(to encoder: any Encoder) throws {
      var value = encoder.singleValueContainer()
      switch self {
      case .number(let size): try value.encode(size)
      case .expression(let text): try value.encode(text)
      case .unknown: try value.encodeNil()
      }
    }
  }

  /// - Parameter types: those of all inputs, or of all outputs, by position.
  init(_ port: CallerPort, _ types: [ValueType]) {
    name = port.name
    let own = types[port.positions.lowerBound]
    type = port.structure?.description(types.compactMap(\.tensor)) ?? "\(own)"
    guard port.structure == nil, let tensor = own.tensor else { return }
    element = "\(tensor.element)"
    shape = tensor.shape.map { size in size.value.map { .number($0) } ?? .expression("\(size)") }
  }

  init(_ port: SinterModel.Port) {
    name = port.name
    type = String("\(port)".dropFirst(port.name.count + 2))
    guard port.kind == .tensor else { return }
    element = port.element.map { "\($0)" }
    shape = port.shape?.map { size in
      switch size {
      case .fixed(let size): .number(size)
      case .symbol(let name): .expression(name)
      case .unknown: .unknown
      }
    }
  }
}
