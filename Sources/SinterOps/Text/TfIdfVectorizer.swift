import SinterCore
import SinterForms
import SinterIR

/// How often each n-gram of a list occurs in a row of items (numbers or texts), in the column that belongs to it. An n-gram of a row is n items
/// that follow one another, or that stand two, three and so on places apart, up to one more than the most items that may be skipped.
public struct TfIdfVectorizer: Primitive {
  public static let name = "TfIdfVectorizer"
  public static let summary = "How often each n-gram of a list occurs in each row."

  /// The number of occurrences; the weight of what occurs; both multiplied.
  public enum Mode: String, CaseIterable, Sendable { case counts = "TF", weights = "IDF", both = "TFIDF" }

  public var mode = Mode.counts
  /// The least and the most items of an n-gram that counts, at least 1.
  public var shortest = 1, longest = 1
  /// How many items may at most lie between two items of an n-gram.
  public var mostSkipped = 0
  /// Where the n-grams of each length begin in the pool.
  public var starts: [Int] = []
  /// The column of each n-gram, and its weight; without weights, 1.
  public var columns: [Int] = []
  /// The weight of each n-gram; empty: 1.
  public var weights: [Double] = []
  /// The items of all n-grams, one after another: of one of the two.
  public var numbers: [Int] = []
  /// The items of all n-grams where they are texts; empty where they are numbers.
  public var texts: [String] = []

  public init() {}

  public mutating func attributes(_ list: inout some AttributeList) {
    list.choice("mode", &mode, default: .counts)
    list.int("min_gram_length", &shortest, default: 1)
    list.int("max_gram_length", &longest, default: 1)
    list.int("max_skip_count", &mostSkipped, default: 0)
    list.ints("ngram_counts", &starts, default: [])
    list.ints("ngram_indexes", &columns, default: [])
    list.floats("weights", &weights, default: [])
    list.ints("pool_int64s", &numbers, default: [])
    list.strings("pool_strings", &texts, default: [])
  }

  public static var onnx: [OnnxRule] { [.direct(TfIdfVectorizer.self, since: 9)] }
  public func onnxNode(_ inputs: NodeInputs) -> NodeSpecification? {
    var form = NodeSpecification(of: self, since: 9)
    // ONNX has no defaults for these.
    let needed: [(name: String, value: OnnxAttribute)] = [
      ("mode", .string(mode.rawValue)), ("min_gram_length", .int(shortest)),
      ("max_gram_length", .int(longest)), ("max_skip_count", .int(mostSkipped)),
      ("ngram_counts", .ints(starts)), ("ngram_indexes", .ints(columns)),
    ]
    form.attributes += needed.filter { item in !form.attributes.contains { $0.name == item.name } }
    return form
  }

  public func infer(_ inputs: NodeInputs, requiring obligations: inout Obligations) throws -> [Fact] {
    let x = try inputs.tensor(0)
    guard x.rank == 1 || x.rank == 2, x.element == .string || x.element == .i64 || x.element == .i32 else {
      throw wrong("the input must be a list, or rows, of texts, \(ElementType.i64) or \(ElementType.i32), but is \(x)")
    }
    guard x.element == .string ? numbers.isEmpty : texts.isEmpty else {
      throw wrong("the input is \(x), but the n-grams are of \(texts.isEmpty ? "numbers" : "texts")")
    }
    _ = try grams()
    return [Fact(.f32, Array(x.shape.dropLast()) + [Dim(width)])]
  }

  private var width: Int { (columns.max() ?? -1) + 1 }

  private func wrong(_ message: String) -> DiagnosticError {
    DiagnosticError(.user, "tfidf.attributes", message, hint: "export the model again")
  }

  /// For each length the places of its n-grams' items in the pool, and their columns.
  private func grams() throws -> [Int: [(items: Swift.Range<Int>, column: Int)]] {
    guard shortest >= 1, shortest <= longest, mostSkipped >= 0 else {
      throw wrong("n-grams of \(shortest) to \(longest) items with up to \(mostSkipped) skipped make no sense")
    }
    guard weights.isEmpty || weights.count == columns.count else {
      throw wrong("there are \(weights.count) weights for \(columns.count) n-grams")
    }
    let poolCount = numbers.count + texts.count
    var grams: [Int: [(items: Swift.Range<Int>, column: Int)]] = [:]
    var number = 0
    for (index, start) in starts.enumerated() {
      let (length, end) = (index + 1, index + 1 < starts.count ? starts[index + 1] : poolCount)
      guard start >= 0, start <= end, end <= poolCount, (end - start) % length == 0 else {
        throw wrong("the n-grams of \(length) items lie from \(start) to \(end) in a pool of \(poolCount)")
      }
      for first in stride(from: start, to: end, by: length) {
        guard number < columns.count, columns[number] >= 0 else { throw wrong("an n-gram has no column") }
        if (shortest...longest).contains(length) {
          grams[length, default: []].append((first..<(first + length), columns[number]))
        }
        number += 1
      }
    }
    guard number == columns.count else { throw wrong("there are \(columns.count) columns for \(number) n-grams") }
    return grams
  }

  public func lower(_ node: LoweringNode, into lowering: inout Lowering) throws -> [Operand] {
    let x = try node.input(0)
    let grams = try grams()
    let shape = [x.rank == 2 ? x.shape[0] : 1, Dim(width)]
    let words = try words(x, &lowering)
    var counts = try lowering.element(shape) { builder, _ in builder.constant(0.0, .f32) }
    for length in grams.keys.sorted() {
      counts = try add(grams[length] ?? [], of: length, in: words, to: counts, &lowering)
    }
    return [try weighted(counts, as: try node.output().shape, &lowering)]
  }

  /// The items as their places among the different items of the pool; -1 those that are not there.
  private struct Words {
    var items: Operand
    /// The place of each item of the pool.
    var pool: [Int]
    var count: Int
  }

  private func words(_ x: Operand, _ lowering: inout Lowering) throws -> Words {
    func load(_ builder: BodyBuilder, _ index: [Expr]) -> Expr { builder.load(x.id, x.rank == 2 ? index : [index[1]]) }
    let shape = [x.rank == 2 ? x.shape[0] : 1, x.shape[x.rank - 1]]
    if x.element == .string {
      let (ids, bound) = lowering.numbers(of: texts)
      var places = [Int](repeating: -1, count: bound)
      var pool: [Int] = []
      var different: [String] = []
      for (text, id) in zip(texts, ids) {
        if places[id] < 0 {
          places[id] = different.count
          different.append(text)
        }
        pool.append(places[id])
      }
      let lookup = TextLookup(keys: different, into: &lowering) { rows in
        .i64([rows.count], rows.map { $0 < different.count ? $0 : -1 })
      }
      let items = try lowering.element(shape) { lookup.value($0, of: load($0, $1)) }
      return Words(items: items, pool: pool, count: different.count)
    }
    let sorted = Array(Set(numbers)).sorted()
    let places = Dictionary(uniqueKeysWithValues: sorted.enumerated().map { ($1, $0) })
    let search = sorted.isEmpty ? nil : SortedSearch(sorted, into: &lowering)
    let items = try lowering.element(shape) { builder, index in
      guard let search else { return builder.constant(-1, .i64) }
      let (place, isFound) = search.place(builder, of: load(builder, index).cast(to: .i64))
      return builder.select(isFound, place, builder.constant(-1, .i64))
    }
    return Words(items: items, pool: numbers.map { places[$0] ?? 0 }, count: sorted.count)
  }

  /// Adds one to the column of each n-gram of some length at each place. N-grams are found item by item: the beginning so far has a number, and
  /// with the next item that makes the number of the longer one.
  private func add(
    _ grams: [(items: Swift.Range<Int>, column: Int)], of length: Int, in words: Words, to counts: Operand,
    _ lowering: inout Lowering
  ) throws -> Operand {
    // Beginnings of one item are numbered by it.
    var numbers: [Int] = grams.map { words.pool[$0.items.lowerBound] }
    var searches: [SortedSearch] = []
    for place in 1..<max(length, 1) {
      let keys = zip(grams, numbers).map { $1 * words.count + words.pool[$0.items.lowerBound + place] }
      let sorted = Array(Set(keys)).sorted()
      let places = Dictionary(uniqueKeysWithValues: sorted.enumerated().map { ($1, $0) })
      numbers = keys.map { places[$0] ?? 0 }
      searches.append(SortedSearch(sorted, into: &lowering))
    }
    // Of equal n-grams the first one counts.
    var columns = [Int](repeating: -1, count: (numbers.max() ?? 0) + 1)
    for (gram, number) in zip(grams, numbers).reversed() { columns[number] = gram.column }
    let columnOf = lowering.constant(.i64([columns.count], columns))
    let (rows, items) = (words.items.shape[0], words.items.shape[1])
    let skips = length == 1 ? 1 : mostSkipped + 1
    return try lowering.scatter(
      counts.type, domain: [rows, Dim(skips), items], combine: .sum,
      base: { builder, index in builder.load(counts.id, index) },
      update: { builder, index in
        let distance = index[1] + builder.constant(1, .i64)
        let (zero, none) = (builder.constant(0, .i64), builder.constant(-1, .i64))
        var number = builder.load(words.items.id, [index[0], index[2]])
        var place = index[2]
        for search in searches {
          place = place + distance
          let item = builder.load(
            words.items.id, [index[0], place], where: place < builder.size(items), otherwise: .int(-1))
          let isWord = number >= zero && item >= zero
          let (next, isFound) = search.place(builder, of: number * builder.constant(words.count, .i64) + item)
          number = builder.select(isWord && isFound, next, none)
        }
        // A word may begin no n-gram at all.
        let isGram = number >= zero && number < builder.constant(columns.count, .i64)
        let column = builder.load(columnOf.id, [number], where: isGram, otherwise: .int(-1))
        return ([index[0], column], builder.constant(1.0, .f32))
      })
  }

  private func weighted(_ counts: Operand, as shape: [Dim], _ lowering: inout Lowering) throws -> Operand {
    var ofColumn = [Double](repeating: 0, count: width)
    for (number, column) in columns.enumerated() { ofColumn[column] = weights.isEmpty ? 1 : weights[number] }
    let weights = mode == .counts ? nil : lowering.constant(HostTensor(.f32, [width], doubles: ofColumn))
    return try lowering.element(shape) { builder, index in
      let column = index[index.count - 1]
      let count = builder.load(counts.id, index.count == 2 ? index : [builder.constant(0, .i64), column])
      guard let weights else { return count }
      let weight = builder.load(weights.id, [column])
      if mode == .both { return count * weight }
      return builder.select(count > 0, weight, builder.constant(0.0, .f32))
    }
  }

  public static var examples: [OperatorExample] {
    var words = TfIdfVectorizer()
    words.mode = .both
    (words.longest, words.mostSkipped) = (3, 1)
    (words.starts, words.columns) = ([0, 3, 7], [2, 0, 1, 3, 4, 6, 5])
    words.texts = ["a", "b", "", "a", "b", "b", "a", "a", "b", "a", "b", "a", "a"]
    words.weights = [0.5, 1, 2, 3, 4, 5, 6]
    var numbers = TfIdfVectorizer()
    (numbers.shortest, numbers.longest, numbers.mostSkipped) = (2, 2, 2)
    (numbers.starts, numbers.columns) = ([0, 2], [0, 1, 2, 3, 1])
    numbers.numbers = [7, 8, 7, 8, -1, 7, 8, 8]
    var seen = numbers
    seen.mode = .weights
    seen.weights = [1, 2, 3, 4, 5]
    let texts = HostTensor(strings: ["a", "b", "a", "c", "", "a", "b", "b"], shape: [2, 4])
    let given = HostTensor.i64([2, 5], [7, 8, -1, 7, 8, 8, 8, 0, 7, 9])
    return [
      OperatorExample(words, [.given(texts)]), OperatorExample(words, [.given(texts.reshaped([8]))]),
      OperatorExample(words, [.given(HostTensor(strings: [], shape: [3, 0]))]),
      OperatorExample(numbers, [.given(given)]), OperatorExample(seen, [.given(given.reshaped([10]))]),
    ]
  }
}
