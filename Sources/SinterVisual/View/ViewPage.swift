import SinterCore
internal import SinterViewer

/// A page that shows a model in a browser, all in one file: no network, nothing beside it.
package struct ViewPage: Sendable {
  package var title: String
  package var stages: [StageView]
  package var passes: [PassChange] = []
  /// Words about where the times come from; empty where none were measured.
  package var timing = ""
  /// Whether weights are looked at, all of them.
  package var hasStatistics = true

  package init(title: String, stages: [StageView]) {
    self.title = title
    self.stages = stages
  }

  /// The page.
  package var html: String {
    let (weights, numbers) = weightsJSON()
    var scripts = "<script type=\"application/json\" id=\"model\">\(modelJSON)</script>\n"
    // Read only when a weight is looked at.
    scripts += "<script type=\"application/json\" id=\"weights\">\(weights)</script>\n"
    for (index, stage) in stages.enumerated() {
      scripts +=
        "<script type=\"application/json\" id=\"stage\(index)\">\(stage.json(weights: numbers[index]))</script>\n"
    }
    // The frame's own text holds no other "@".
    return Self.part("viewer.html").split(separator: "@", omittingEmptySubsequences: false).map { part in
      switch part {
      case "STYLE": Self.part("viewer.css")
      case "TITLE": Self.escaped(title)
      case "PROGRAM": Self.part(".js")
      case "DATA": scripts
      default: String(part)
      }
    }.joined()
  }

  /// What the page knows of the model besides its stages.
  var modelJSON: String {
    var json = JSONWriter()
    json.raw("{")
    json.key("title", first: true)
    json.string(title)
    json.key("stages")
    json.list(stages) { json, stage in
      json.raw("{")
      json.key("name", first: true)
      json.string(stage.name)
      json.key("nodes")
      json.raw("\(stage.diagram.nodes.count { $0.kind == .operation })}")
    }
    json.key("families")
    json.strings(OperatorFamily.allCases.map(\.rawValue))
    json.key("timing")
    json.string(timing)
    json.key("passes")
    json.list(passes) { $0.pass($1, stages) }
    json.raw("}")
    return json.text
  }

  /// All constants of all stages, each once, and for each stage the numbers of its own among them.
  func weightsJSON() -> (text: String, numbers: [[Int]]) {
    struct Key: Hashable {
      var name: String
      var bytes: ObjectIdentifier
    }
    var known: [Key: Int] = [:]
    var all: [Diagram.Constant] = []
    let numbers = stages.map { stage in
      stage.diagram.constants.map { constant -> Int in
        let key = Key(name: constant.name, bytes: ObjectIdentifier(constant.tensor.bytes))
        if let number = known[key] { return number }
        known[key] = all.count
        all.append(constant)
        return all.count - 1
      }
    }
    var statistics: [ObjectIdentifier: WeightStatistics] = [:]
    var json = JSONWriter()
    json.list(all) { json, constant in
      json.weight(constant)
      guard hasStatistics else { return json.raw("]") }
      let key = ObjectIdentifier(constant.tensor.bytes)
      if statistics[key] == nil { statistics[key] = WeightStatistics(of: constant.tensor) }
      if let found = statistics[key] { json.statistics(found) }
      json.raw("]")
    }
    return (json.text, numbers)
  }

  /// By scalars, as browsers read it: to a `Character` a sign with an accent is another sign.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// The files of the viewer whose names end so, one after another.
  private static func part(_ ending: String) -> String {
    var count = 0
    guard let parts = sinter_viewer_parts(&count) else { return "" }
    return (0..<count).filter { String(cString: parts[$0].name).hasSuffix(ending) }.map { index in
      String(decoding: UnsafeBufferPointer(start: parts[index].bytes, count: parts[index].length), as: UTF8.self)
    }.joined()
  }
}

extension JSONWriter {
  /// `[name, type, elements, bytes, values` of a constant; values are told of short ones.
  fileprivate mutating func weight(_ constant: Diagram.Constant) {
    let tensor = constant.tensor
    raw("[")
    string(constant.name)
    raw(",")
    string("\(tensor.type)")
    raw(",\(tensor.count),\(tensor.bytes.count),")
    string(tensor.count <= 16 ? Self.values(of: tensor) : "")
  }

  private static func values(of tensor: HostTensor) -> String {
    if tensor.element == .string { return tensor.strings.map(TensorText.quoted).joined(separator: ", ") }
    if let integers = tensor.int64s { return integers.map(String.init).joined(separator: ", ") }
    return (tensor.doubles ?? []).map { "\(Float($0))" }.joined(separator: ", ")
  }

  /// `, least, greatest, mean, deviation, share of zeros, how many are not finite, [counts]`.
  fileprivate mutating func statistics(_ found: WeightStatistics) {
    let zeros = found.finite == 0 ? 0 : Double(found.zeros) / Double(found.finite)
    for value in [found.minimum, found.maximum, found.mean, found.deviation, zeros] {
      raw(",")
      number(value)
    }
    raw(",\(found.notFinite),")
    integers(found.histogram)
  }

  fileprivate mutating func pass(_ pass: PassChange, _ stages: [StageView]) {
    raw("{")
    key("name", first: true)
    string(pass.name)
    key("summary")
    string(pass.summary)
    key("milliseconds")
    number((pass.milliseconds * 1e3).rounded() / 1e3)
    key("counts")
    integers([pass.added, pass.removed, pass.changed])
    key("rules")
    list(pass.rules.sorted { ($1.value, $0.key) < ($0.value, $1.key) }) { json, rule in
      json.raw("[")
      json.string(rule.key)
      json.raw(",\(rule.value)]")
    }
    // Places of the marked nodes in the first two stages.
    for (index, marks) in [
      [("removed", pass.removedFromFirst), ("changed", pass.changedInFirst)],
      [("added", pass.addedToLast), ("changed", pass.changedInLast)],
    ].enumerated() where index < stages.count {
      let places = Dictionary(
        stages[index].diagram.nodes.enumerated().compactMap { place, node in node.number.map { ($0, place) } }
      ) { first, _ in first }
      key("marks\(index)")
      raw("{")
      for (number, (name, nodes)) in marks.enumerated() {
        key(name, first: number == 0)
        integers(nodes.compactMap { places[$0] })
      }
      raw("}")
    }
    raw("}")
  }
}
