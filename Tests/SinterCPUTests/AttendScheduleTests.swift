import SinterCore
import SinterForms
import Testing

/// Attention against its meaning: few and many rows, one block of keys and several, keys as they lie and copied.
@Suite struct AttendScheduleTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var batch = 1
    var heads = 1
    var rows: Int
    var keys: Int
    var depth: Int
    var columns: Int
    /// The query heads that share one head of keys.
    var group = 1
    var layout = Layout.heads
    var mask = Mask.none
    /// Sizes are symbols to the schedule.
    var isSymbolic = false
    var element = ElementType.f32

    /// [batch, head, place, size]; [batch, place, head, size]; [batch, head, size, place] for keys and values.
    enum Layout: String { case heads, places, transposed }
    enum Mask: String { case none, added, causal, window, empty, nan }

    var testDescription: String {
      "\(batch)x\(heads)x\(group) \(rows)x\(keys)x\(depth)x\(columns) \(layout.rawValue) \(mask.rawValue)"
        + (isSymbolic ? " symbolic" : "") + (element == .f32 ? "" : " \(element)")
    }
  }

  static let cases: [Case] = {
    var all: [Case] = []
    for (rows, keys, depth, columns) in [
      (1, 1, 1, 1), (1, 37, 16, 16), (7, 5, 3, 20), (49, 49, 32, 32), (21, 70, 24, 40),
    ] {
      for layout in [Case.Layout.heads, .places, .transposed] {
        all.append(
          Case(heads: 2, rows: rows, keys: keys, depth: depth, columns: columns, layout: layout, mask: .added))
      }
    }
    for mask in [Case.Mask.none, .causal, .window, .empty, .nan] {
      all.append(Case(batch: 2, rows: 19, keys: 33, depth: 8, columns: 9, mask: mask))
      all.append(
        Case(
          batch: 2, heads: 2, rows: 12, keys: 300, depth: 5, columns: 17, layout: .places, mask: mask, isSymbolic: true)
      )
    }
    all.append(Case(rows: 40, keys: 600, depth: 4, columns: 8, mask: .causal))
    all.append(Case(rows: 3, keys: 520, depth: 16, columns: 16, mask: .added))
    all.append(Case(heads: 3, rows: 1, keys: 29, depth: 8, columns: 8, group: 4, mask: .added))
    all.append(Case(heads: 2, rows: 10, keys: 20, depth: 8, columns: 8, group: 2, layout: .places, isSymbolic: true))
    all.append(Case(rows: 2, keys: 9, depth: 16, columns: 8, isSymbolic: true))
    all.append(Case(rows: 5, keys: 0, depth: 4, columns: 4))
    all.append(Case(rows: 5, keys: 0, depth: 4, columns: 4, isSymbolic: true))
    all.append(Case(rows: 0, keys: 5, depth: 4, columns: 4, isSymbolic: true))
    all.append(Case(rows: 11, keys: 13, depth: 300, columns: 130))
    all.append(Case(heads: 2, rows: 6, keys: 18, depth: 8, columns: 8, mask: .added, element: .f64))
    all.append(Case(heads: 2, rows: 12, keys: 18, depth: 20, columns: 8, mask: .causal, element: .f16))
    return all
  }()

  /// A program of one attention, and inputs for it.
  static func program(_ c: Case) throws -> (FormProgram, [HostTensor]) {
    func size(_ value: Int, _ name: String) -> Dim { c.isSymbolic ? Dim(Symbol(name)) : Dim(value) }
    let (batch, rows, keys) = (size(c.batch, "b"), size(c.rows, "s"), size(c.keys, "t"))
    let (heads, depth, columns) = (Dim(c.heads), Dim(c.depth), Dim(c.columns))
    let compute: ElementType = c.element == .f64 ? .f64 : .f32
    var l = Lowering(name: "attend")
    var inputs: [HostTensor] = []
    func input(_ shape: [Dim], _ name: String, _ element: ElementType? = nil) -> Operand {
      let sizes = shape.map {
        $0.evaluated { [Symbol("b"): c.batch, Symbol("s"): c.rows, Symbol("t"): c.keys][$0] } ?? 0
      }
      let count = sizes.reduce(1, *)
      var state = UInt64(inputs.count + 3)
      let values = (0..<count).map { index -> Double in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let value = Double(Int64(bitPattern: state) >> 40) / Double(1 << 22)
        return c.mask == .nan && name == "query" && index == 0 ? .nan : value
      }
      inputs.append(HostTensor(element ?? c.element, sizes, doubles: values))
      return l.input(TensorType(element ?? c.element, shape), named: name)
    }
    func shape(_ heads: Dim, _ places: Dim, _ size: Dim, isKey: Bool) -> [Dim] {
      switch c.layout {
      case .heads: [batch, heads, places, size]
      case .places: [batch, places, heads, size]
      case .transposed: isKey ? [batch, heads, size, places] : [batch, heads, places, size]
      }
    }
    func index(_ batch: Expr, _ head: Expr, _ place: Expr, _ element: Expr, isKey: Bool) -> [Expr] {
      switch c.layout {
      case .heads: [batch, head, place, element]
      case .places: [batch, place, head, element]
      case .transposed: isKey ? [batch, head, element, place] : [batch, head, place, element]
      }
    }
    let q = input(shape(heads * Dim(c.group), rows, depth, isKey: false), "query")
    let k = input(shape(heads, keys, depth, isKey: true), "key")
    let v = input(shape(heads, keys, columns, isKey: true), "value")
    let mask = c.mask == .added ? input([rows, keys], "mask", compute) : nil
    let shared: [Dim] = c.group > 1 ? [Dim(c.group)] : []
    let attended = try l.attend(
      batch: [batch, heads], rows: shared + [rows], keys: keys, depth: depth, columns: columns, accumulate: compute,
      emptyIsZero: c.mask == .empty,
      query: { b, batch, row, depth in
        let head = row.count > 1 ? batch[1] * b.constant(c.group, .i64) + row[0] : batch[1]
        return b.load(q.id, index(batch[0], head, row[row.count - 1], depth, isKey: false))
      },
      key: { b, batch, key, depth in b.load(k.id, index(batch[0], batch[1], key, depth, isKey: true)) },
      score: { b, product, index in
        let (row, key) = (index[index.count - 2], index[index.count - 1])
        let scaled = product * 0.75
        let none = b.constant(-.infinity, compute)
        switch c.mask {
        case .none, .nan: return product
        case .added: return mask.map { scaled + b.load($0.id, [row, key]) } ?? scaled
        case .causal: return b.select(key <= row + b.constant(2, .i64), scaled, none)
        case .window:
          return b.select((row - key < b.constant(3, .i64)) && (row >= key), scaled.unary(.tanh), none)
        case .empty: return b.select(row .== key + b.constant(4, .i64), scaled, none)
        }
      },
      value: { b, batch, column, key in b.load(v.id, index(batch[0], batch[1], key, column, isKey: true)) })
    l.output(attended, named: "y")
    return (l.program, inputs)
  }

  @Test(arguments: cases) func equalsMeaning(_ c: Case) throws {
    let (program, inputs) = try Self.program(c)
    #expect(FormVerifier.check(program).map(\.description) == [])
    try checkSchedules(of: program, inputs, tolerance: 1e-4)
  }

  /// Heads of keys that several query heads share are read where they lie.
  @Test func readsSharedHeads() throws {
    func tensor(_ shape: [Int], _ seed: Int) -> HostTensor {
      let count = shape.reduce(1, *)
      return HostTensor(.f32, shape, doubles: (0..<count).map { Double(($0 * 29 + seed) % 31) / 15 - 1 })
    }
    let inputs = [tensor([2, 6, 9, 8], 1), tensor([2, 2, 11, 8], 2), tensor([2, 2, 11, 8], 3)]
    try checkSchedules(inputs.map { ($0.type, $0) }, tolerance: 1e-4) { l, x in
      func shared(_ b: BodyBuilder, _ batch: [Expr]) -> [Expr] {
        let three: Expr = b.constant(3, .i64)
        return [batch[0], batch[1].floorDivided(by: three)]
      }
      return [
        try l.attend(
          batch: [2, 6], rows: [9], keys: 11, depth: 8, columns: 8, accumulate: .f32, emptyIsZero: false,
          query: { b, batch, row, depth in b.load(x[0].id, batch + row + [depth]) },
          key: { b, batch, key, depth in b.load(x[1].id, shared(b, batch) + [key, depth]) },
          score: { _, product, _ in product },
          value: { b, batch, column, key in b.load(x[2].id, shared(b, batch) + [key, column]) })
      ]
    }
  }

  /// Element work behind attention runs in its kernel.
  @Test func takesAnEpilogue() throws {
    let (attention, inputs) = try Self.program(.init(heads: 2, rows: 9, keys: 20, depth: 8, columns: 20))
    guard case .compute(let value, .attend(var form))? = attention.steps.first else {
      Issue.record("no attention")
      return
    }
    var program = attention
    let builder = BodyBuilder { attention.values[$0].type.element }
    form.epilogue = builder.body([builder.accumulator(0, .f32) * 2 + builder.axis(3).cast(to: .f32)])
    program.steps = [.compute(value, .attend(form))]
    try checkSchedules(of: program, inputs, tolerance: 1e-4)
  }
}
