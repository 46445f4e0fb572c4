import SinterCore
import SinterForms
import SinterIR

/// For each element the value that belongs to the key that it equals, or a default. NaN equals NaN, and of equal keys the first one counts.
public struct LabelEncoder: Primitive {
  public static let name = "LabelEncoder"
  public static let summary = "The value that belongs to each element as a key."

  /// The keys, a list of the input's element type; nil only until attributes are read.
  public var keys: HostTensor?
  /// The value of each key, as many as there are keys.
  public var values: HostTensor?
  /// One element of the type of the values.
  public var fallback: HostTensor?

  public init() {}
  /// An encoder of a table of keys and values. `keys` and `values` are lists of one length; `fallback` has one
  /// element of the values' type.
  public init(keys: HostTensor, values: HostTensor, fallback: HostTensor) {
    (self.keys, self.values, self.fallback) = (keys, values, fallback)
  }

  public mutating func attributes(_ list: inout some AttributeList) {
    list.tensor("keys_tensor", &keys)
    list.tensor("values_tensor", &values)
    list.tensor("default_tensor", &fallback)
  }

  public static var onnx: [OnnxRule] {
    [
      OnnxRule("LabelEncoder", domain: .ml, since: 2) { node, builder in
        guard let keys = node.table("keys"), let values = node.table("values") else {
          throw DiagnosticError(
            .user, "labels.missing", "there are no keys, or no values", hint: "export the model again")
        }
        let fallback = node.tensor("default_tensor") ?? node.fallback(values.element)
        let op = LabelEncoder(keys: keys, values: values, fallback: fallback)
        return try builder.add(op, node.inputs)
      },
      // Texts become their numbers, and numbers texts.
      OnnxRule("LabelEncoder", domain: .ml, since: 1) { node, builder in
        let texts = node.strings("classes_strings") ?? []
        let (names, numbers) = (HostTensor(strings: texts, shape: [texts.count]), Array(0..<texts.count))
        let isText = try builder.inputs(node.inputs, outputs: 1).tensor(0).element == .string
        let (keys, values) = isText ? (names, .i64([texts.count], numbers)) : (.i64([texts.count], numbers), names)
        let op = LabelEncoder(keys: keys, values: values, fallback: node.fallback(values.element))
        return try builder.add(op, node.inputs)
      },
      OnnxRule("CategoryMapper", domain: .ml) { node, builder in
        let (texts, numbers) = (node.strings("cats_strings") ?? [], node.ints("cats_int64s") ?? [])
        let (names, categories) = (
          HostTensor(strings: texts, shape: [texts.count]), HostTensor.i64([numbers.count], numbers)
        )
        let isText = try builder.inputs(node.inputs, outputs: 1).tensor(0).element == .string
        let (keys, values) = isText ? (names, categories) : (categories, names)
        let op = LabelEncoder(keys: keys, values: values, fallback: node.fallback(values.element))
        return try builder.add(op, node.inputs)
      },
    ]
  }

  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    NodeSpecification(of: self, domain: .ml, since: 4)
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard let keys, let values, let fallback, keys.count == values.count, fallback.count == 1,
      fallback.element == values.element
    else {
      throw DiagnosticError(
        .user, "labels.values",
        "there must be a value for each key, and a default of their type, but there are \(keys?.count ?? 0) keys, "
          + "\(values?.count ?? 0) values, and a default of type \(fallback.map { "\($0.type)" } ?? "none")",
        hint: "export the model again")
    }
    guard x.element == keys.element else {
      throw DiagnosticError(.user, "labels.type", "the keys are \(keys.type), but the input is \(x)")
    }
    return [Fact(values.element, x.shape)]
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    guard let keys, let values, let fallback else {
      throw DiagnosticError(.bug, "labels.values", "a label encoder without keys, values or a default")
    }
    if keys.element == .string {
      let lookup = TextLookup(keys: keys.strings, into: &lowering) { values.picked($0, else: fallback) }
      return [try lowering.element(x.shape) { lookup.value($0, of: $0.load(x.id, $1)) }]
    }
    let order = Self.order(keys)
    let none = lowering.constant(fallback.reshaped([]))
    if order.isEmpty {
      return [try lowering.element(x.shape) { builder, _ in builder.load(none.id, []) }]
    }
    // The last key again up to a power of two, so that a search by halves stays inside.
    var padded = order.sorted
    while padded.count & (padded.count - 1) != 0 { padded.append(padded[padded.count - 1]) }
    let sortedKeys = lowering.constant(keys.picked(padded))
    let sortedValues = lowering.constant(values.picked(padded))
    let ofNaN = order.nan.map { lowering.constant(values.picked([$0])) }
    return [
      try lowering.element(x.shape) { builder, index in
        let own = builder.load(x.id, index)
        var place = builder.constant(0, .i64)
        var step = padded.count / 2
        while step > 0 {
          let next = place + builder.constant(step, .i64)
          place = builder.select(builder.load(sortedKeys.id, [next]) <= own, next, place)
          step /= 2
        }
        let isKey = builder.load(sortedKeys.id, [place]) .== own
        var value = builder.select(isKey, builder.load(sortedValues.id, [place]), builder.load(none.id, []))
        if let ofNaN {
          value = builder.select(own.unary(.isNaN), builder.load(ofNaN.id, [builder.constant(0, .i64)]), value)
        }
        return value
      }
    ]
  }

  /// The places of distinct keys in ascending order, and that of NaN.
  private static func order(_ keys: HostTensor) -> (sorted: [Int], nan: Int?, isEmpty: Bool) {
    var nan: Int?
    var sorted: [Int] = []
    if keys.element.isFloat {
      let numbers = keys.doubles ?? []
      nan = numbers.firstIndex { $0.isNaN }
      var seen: Set<Double> = []
      sorted = numbers.indices.filter { !numbers[$0].isNaN && seen.insert(numbers[$0]).inserted }
      sorted.sort { numbers[$0] < numbers[$1] }
      // Without any other key NaN stands for them: no element equals it.
      if sorted.isEmpty, let nan { sorted = [nan] }
    } else {
      let numbers = keys.int64s ?? []
      var seen: Set<Int64> = []
      sorted = numbers.indices.filter { seen.insert(numbers[$0]).inserted }
      sorted.sort { numbers[$0] < numbers[$1] }
    }
    return (sorted, nan, sorted.isEmpty)
  }

  public static var examples: [OperatorExample] {
    let numbers = LabelEncoder(
      keys: .i64([5], [7, -2, 0, 7, 12]), values: .f32([5], [0.5, 1, 2, 9, -1]), fallback: .f32([1], [100]))
    let floats = LabelEncoder(
      keys: .f32([3], [.nan, 0.5, -1]), values: .i64([3], [1, 2, 3]), fallback: .i64([1], [-1]))
    let short = LabelEncoder(
      keys: HostTensor(.i16, [1], values: [Int16(3)]), values: HostTensor(.f64, [1], values: [0.25]),
      fallback: HostTensor(.f64, [], values: [-1.0]))
    let texts = LabelEncoder(
      keys: HostTensor(strings: ["cat", "dog", "cat", ""], shape: [4]), values: .i64([4], [3, 4, 5, 6]),
      fallback: .i64([1], [-1]))
    let names = LabelEncoder(
      keys: .i64([2], [0, 1]), values: HostTensor(strings: ["no", "yes"], shape: [2]),
      fallback: HostTensor(strings: ["?"], shape: [1]))
    let words = LabelEncoder(
      keys: HostTensor(strings: ["a", "b"], shape: [2]), values: HostTensor(strings: ["b", "a"], shape: [2]),
      fallback: HostTensor(strings: ["c"], shape: [1]))
    let given = HostTensor(strings: ["dog", "cat", "", "cow", "Dog", "b"], shape: [2, 3])
    return [
      OperatorExample(texts, [.given(given)]), OperatorExample(words, [.given(given)]),
      OperatorExample(names, [.random(TensorType(.i64, ["n"]), -1...2)], sizes: [Symbol("n"): 5]),
      OperatorExample(numbers, [.given(.i64([2, 4], [7, -2, 0, 12, 13, -3, 1, 6]))]),
      OperatorExample(floats, [.given(.f32([5], [.nan, 0.5, -1, 0, 7]))]),
      OperatorExample(short, [.random(TensorType(.i16, ["n"]), 0...5)], sizes: [Symbol("n"): 9]),
    ]
  }
}

extension OnnxNode {
  /// The attribute `<name>_tensor`, or the list of one of the types that attributes have.
  fileprivate func table(_ name: String) -> HostTensor? {
    if let tensor = tensor("\(name)_tensor") { return tensor }
    if let texts = strings("\(name)_strings") { return HostTensor(strings: texts, shape: [texts.count]) }
    if let numbers = floats("\(name)_floats") { return HostTensor(.f32, [numbers.count], doubles: numbers) }
    return ints("\(name)_int64s").map { .i64([$0.count], $0) }
  }

  /// What an element of no key becomes, as a tensor of one element.
  fileprivate func fallback(_ element: ElementType) -> HostTensor {
    switch element {
    case .string: HostTensor(strings: [string("default_string") ?? "_Unused"], shape: [1])
    case .i64: .i64([1], [int("default_int64") ?? -1])
    case .f32: HostTensor(.f32, [1], doubles: [float("default_float") ?? -0.0])
    case let other: HostTensor(other, [1], doubles: [other.isFloat ? -0.0 : -1])
    }
  }
}

extension HostTensor {
  /// The elements at some places, and that of `fallback` for the place behind the last one.
  fileprivate func picked(_ places: [Int], else fallback: HostTensor) -> HostTensor {
    if element == .string {
      return HostTensor(
        strings: places.map { $0 < count ? strings[$0] : fallback.strings[0] }, shape: [places.count])
    }
    if let integers = int64s, let other = fallback.int64s {
      return HostTensor(element, [places.count], integers: places.map { $0 < count ? integers[$0] : other[0] })
    }
    let (numbers, other) = (doubles ?? [], fallback.doubles ?? [0])
    return HostTensor(element, [places.count], doubles: places.map { $0 < count ? numbers[$0] : other[0] })
  }

  /// The elements at some places, as a list.
  fileprivate func picked(_ places: [Int]) -> HostTensor {
    if element == .string { return HostTensor(strings: places.map { strings[$0] }, shape: [places.count]) }
    if let integers = int64s { return HostTensor(element, [places.count], integers: places.map { integers[$0] }) }
    let numbers = doubles ?? []
    return HostTensor(element, [places.count], doubles: places.map { numbers[$0] })
  }
}

extension LabelEncoder: PiecewiseConstant {}
