import SinterCore

/// A value while a program is being built: its number and its type.
public struct Operand: Hashable, Sendable {
  /// Its number in the program.
  public let id: FormValueID
  /// The element type and the sizes.
  public let type: TensorType

  /// The element type.
  public var element: ElementType { type.element }
  /// The sizes.
  public var shape: [Dim] { type.shape }
  /// The number of axes.
  public var rank: Int { type.rank }
}

/// Adds forms to a program: what an operator's `lower` talks to.
///
/// Each function computes one value and gives it back as an operand for the next. Nothing here decides what is stored: fusion does.
public struct Lowering {
  /// What has been built so far.
  public internal(set) var program: FormProgram
  /// Where the values added next come from.
  public var origin: [String] = []
  /// The program's steps so far, in order.
  public var steps: [FormProgram.Step] {
    get { program.steps }
    set { program.steps = newValue }
  }

  private var sizeCount = 0
  var knownSizes: Set<Symbol> = []
  private var openObligations: [Obligation] = []
  /// What is checked before the steps added next.
  var checked: [Obligation] = []

  /// Begins a program.
  public init(name: String) { program = FormProgram(name: name) }

  // MARK: Values from outside

  /// - Parameter declared: the type that callers know, where it names some sizes otherwise.
  public mutating func input(_ type: TensorType, named name: String, declared: TensorType? = nil) -> Operand {
    let id = program.values.append(.init(type: type, name: name, origin: origin))
    program.inputs.append(.init(value: id, name: name, declared: declared == type ? nil : declared))
    return Operand(id: id, type: type)
  }

  /// A tensor whose elements are known ahead of time.
  public mutating func constant(_ tensor: HostTensor, named name: String = "") -> Operand {
    let id = program.values.append(.init(type: tensor.type, name: name, origin: origin, constant: tensor))
    return Operand(id: id, type: tensor.type)
  }

  /// Makes a value an output of the program, behind those that it has.
  public mutating func output(_ operand: Operand, named name: String) {
    program.outputs.append(.init(value: operand.id, name: name))
  }

  /// Says which values a symbol may have.
  public mutating func setRange(_ range: ClosedRange<Int>, of symbol: Symbol) { program.ranges[symbol] = range }

  /// A new run-time error and its number; %0 and %1 in the text stand for the offending value and the bound, %2 for the value less the bound where
  /// it is negative: a place that was counted from the end, as it was given. The text is followed by where it comes from.
  public mutating func error(_ text: String) -> Int {
    let place = origin.filter { !$0.isEmpty }.joined(separator: ", ")
    program.errors.append(place.isEmpty ? text : "\(text) (\(place.filter { $0 != "%" }))")
    return program.errors.count - 1
  }

  /// The same value with other ways to write its sizes, which are equal to its own when the model runs.
  public func renaming(_ operand: Operand, _ shape: [Dim]) -> Operand {
    Operand(id: operand.id, type: TensorType(operand.element, shape))
  }

  /// A value that a repetition defines; see `FormProgram.Repetition`.
  public mutating func declare(_ type: TensorType, named name: String = "") -> Operand {
    Operand(id: program.values.append(.init(type: type, name: name, origin: origin)), type: type)
  }

  // MARK: Sizes from data

  /// From here on a size is known: the only element of an i64 value.
  ///
  /// - Parameter what: what the size is of, as the subject of the error where it is negative.
  public mutating func define(_ symbol: Symbol, as value: Operand, _ what: String) {
    define(symbol, as: value, failing: "\(what) would be %0")
  }

  /// The same with the whole text of the error, where %0 stands for the number.
  public mutating func define(_ symbol: Symbol, as value: Operand, failing text: String) {
    program.steps.append(.define(symbol, .element(value.id, error: error(text))))
    flushObligations(knowing: [symbol])
  }

  /// From here on the symbol is known to be this size.
  public mutating func define(_ symbol: Symbol, as size: Dim) {
    program.steps.append(.define(symbol, .size(size)))
    flushObligations(knowing: [symbol])
  }

  /// A name for a size that no other size of the program has.
  public mutating func freshSize() -> Symbol {
    sizeCount += 1
    return Symbol("$\(sizeCount)")
  }

  /// Has a size known that a repetition at hand changes from iteration to iteration.
  public mutating func knows(turning symbol: Symbol) { knownSizes.insert(symbol) }

  /// Whether a size that data determine is known here.
  public func knows(_ symbol: Symbol) -> Bool { knownSizes.contains(symbol) }

  /// Has sizes checked as soon as all of them are known, unless they are checked already.
  public mutating func require(_ obligations: [Obligation]) {
    for obligation in obligations {
      if checked.contains(where: { $0.isSameRelation(as: obligation) }) { continue }
      checked.append(obligation)
      if obligation.symbols.allSatisfy({ !$0.isFromData || knownSizes.contains($0) }) {
        program.steps.append(.require(obligation))
      } else {
        openObligations.append(obligation)
      }
    }
  }

  /// From here on sizes are known: what waited for them is checked.
  mutating func flushObligations(knowing symbols: [Symbol]) {
    knownSizes.formUnion(symbols)
    let open = openObligations
    openObligations = []
    for obligation in open {
      if obligation.symbols.allSatisfy({ !$0.isFromData || knownSizes.contains($0) }) {
        program.steps.append(.require(obligation))
      } else {
        openObligations.append(obligation)
      }
    }
  }

  // MARK: Forms

  /// A builder of bodies that read this program's values.
  public func builder() -> BodyBuilder {
    let values = program.values
    return BodyBuilder { values[$0].type.element }
  }

  /// Adds any form whose parts are built already.
  public mutating func add(_ form: Form, _ type: TensorType) -> Operand {
    let id = program.values.append(.init(type: type, origin: origin))
    program.steps.append(.compute(id, form))
    return Operand(id: id, type: type)
  }

  private func makeBody(axes count: Int, _ build: (BodyBuilder, [Expr]) throws -> [Expr]) throws -> Body {
    let builder = builder()
    let results = try build(builder, (0..<count).map { builder.axis($0) })
    if let problem = builder.problem {
      throw DiagnosticError(.bug, "lower.types", "a body mixes types: \(problem)", at: origin)
    }
    return builder.body(results)
  }

  /// Each element from `build(builder, indices)`; the result has the element type that `build` gives.
  public mutating func element(
    _ shape: [Dim], _ build: (BodyBuilder, [Expr]) throws -> Expr
  ) throws -> Operand {
    var type = ElementType.f32
    let body = try makeBody(axes: shape.count) { builder, axes in
      let result = try build(builder, axes)
      type = result.type
      return [result]
    }
    return add(.element(ElementForm(body: body)), TensorType(type, shape))
  }

  /// `build` gets the indices of the result's axes, then those of the inner ones. Positions (argmax) are i64.
  public mutating func reduce(
    _ combine: Combine, _ shape: [Dim], over inner: [Dim], _ build: (BodyBuilder, [Expr], [Expr]) throws -> Expr
  ) throws -> Operand {
    var type = ElementType.f32
    let body = try makeBody(axes: shape.count + inner.count) { builder, axes in
      let result = try build(builder, Array(axes.prefix(shape.count)), Array(axes.dropFirst(shape.count)))
      type = result.type
      return [result]
    }
    let form = ReduceForm(inner: inner, combine: combine, body: body)
    return add(.reduce(form), TensorType(combine.isIndex ? .i64 : type, shape))
  }

  /// See `ContractForm`. `lhs` gets (batch, m, k) indices, `rhs` (batch, n, k). The result has the type of `accumulate`.
  public mutating func contract(
    batch: [Dim], m: [Dim], n: [Dim], k: [Dim], accumulate: ElementType,
    lhs: (BodyBuilder, [Expr], [Expr], [Expr]) throws -> Expr,
    rhs: (BodyBuilder, [Expr], [Expr], [Expr]) throws -> Expr
  ) throws -> Operand {
    func side(_ own: Int, _ build: (BodyBuilder, [Expr], [Expr], [Expr]) throws -> Expr) throws -> Body {
      try makeBody(axes: batch.count + own + k.count) { builder, axes in
        [
          try build(
            builder, Array(axes[..<batch.count]), Array(axes[batch.count..<(batch.count + own)]),
            Array(axes[(batch.count + own)...])
          ).cast(to: accumulate)
        ]
      }
    }
    let form = ContractForm(
      batch: batch, m: m, n: n, k: k, lhs: try side(m.count, lhs), rhs: try side(n.count, rhs), accumulate: accumulate)
    return add(.contract(form), TensorType(accumulate, batch + m + n))
  }

  /// See `AttendForm`. `query` gets (batch, rows, depth) indices, `key` (batch, key, depth), `value` (batch, columns, key), and `score` a
  /// product and its (batch, rows, key) index. The result has the type of `accumulate`.
  public mutating func attend(
    batch: [Dim], rows: [Dim], keys: Dim, depth: Dim, columns: Dim, accumulate: ElementType, emptyIsZero: Bool,
    query: (BodyBuilder, [Expr], [Expr], Expr) throws -> Expr, key: (BodyBuilder, [Expr], Expr, Expr) throws -> Expr,
    score: (BodyBuilder, Expr, [Expr]) throws -> Expr, value: (BodyBuilder, [Expr], Expr, Expr) throws -> Expr
  ) throws -> Operand {
    let (b, r) = (batch.count, rows.count)
    let form = AttendForm(
      batch: batch, rows: rows, keys: keys, depth: [depth], columns: [columns],
      query: try makeBody(axes: b + r + 1) { builder, axes in
        [try query(builder, Array(axes[..<b]), Array(axes[b..<(b + r)]), axes[b + r]).cast(to: accumulate)]
      },
      key: try makeBody(axes: b + 2) { [try key($0, Array($1[..<b]), $1[b], $1[b + 1]).cast(to: accumulate)] },
      score: try makeBody(axes: b + r + 1) { [try score($0, $0.accumulator(0, accumulate), $1).cast(to: accumulate)] },
      value: try makeBody(axes: b + 2) { [try value($0, Array($1[..<b]), $1[b], $1[b + 1]).cast(to: accumulate)] },
      accumulate: accumulate, emptyIsZero: emptyIsZero)
    return add(.attend(form), TensorType(accumulate, batch + rows + [columns]))
  }

  /// Running results of `combine` along an axis of the given sizes: without the element at hand where `exclusive`, from the end where `reversed`.
  /// `build` gives the elements.
  public mutating func scan(
    _ combine: Combine, _ shape: [Dim], axis: Int, exclusive: Bool, reversed: Bool,
    _ build: (BodyBuilder, [Expr]) throws -> Expr
  ) throws -> Operand {
    var type = ElementType.f32
    let body = try makeBody(axes: shape.count) { builder, axes in
      let result = try build(builder, axes)
      type = result.type
      return [result]
    }
    let form = ScanForm(axis: axis, combine: combine, isExclusive: exclusive, isReversed: reversed, body: body)
    return add(.scan(form), TensorType(type, shape))
  }

  /// `update` gets indices of `domain` and gives an index per axis of the result, and the value.
  public mutating func scatter(
    _ type: TensorType, domain: [Dim], combine: Combine?, base: (BodyBuilder, [Expr]) throws -> Expr,
    update: (BodyBuilder, [Expr]) throws -> (indices: [Expr], value: Expr)
  ) throws -> Operand {
    let baseBody = try makeBody(axes: type.rank) { [try base($0, $1)] }
    let updateBody = try makeBody(axes: domain.count) { builder, axes in
      let (indices, value) = try update(builder, axes)
      return indices + [value]
    }
    return add(.scatter(ScatterForm(base: baseBody, domain: domain, update: updateBody, combine: combine)), type)
  }

  /// The sorting order along an axis, of the first `count` places; see `SortForm`.
  public mutating func sort(
    _ shape: [Dim], axis: Int, count: Dim, descending: Bool, _ build: (BodyBuilder, [Expr]) throws -> Expr
  ) throws -> Operand {
    let body = try makeBody(axes: shape.count) { [try build($0, $1)] }
    var result = shape
    result[axis] = count
    let form = SortForm(axis: axis, extent: shape[axis], isDescending: descending, body: body)
    return add(.sort(form), TensorType(.i64, result))
  }

  /// A windowed contraction; see `ConvolveForm`. The result has the type of `accumulate`.
  public mutating func convolve(
    _ input: Operand, _ weight: Operand, result: [Dim], window: [Int], strides: [Int], dilations: [Int],
    padsBegin: [Dim], groups: Int, channelsLast: Bool, isTransposed: Bool = false, accumulate: ElementType
  ) -> Operand {
    let form = ConvolveForm(
      input: input.id, weight: weight.id, window: window, strides: strides, dilations: dilations, padsBegin: padsBegin,
      groups: groups, channelsLast: channelsLast, isTransposed: isTransposed, accumulate: accumulate)
    return add(.convolve(form), TensorType(accumulate, result))
  }
}
