import SinterCore

/// Attention: a product gives each row a score for every key, softmax makes weights of a row's scores, and the result is the sum of the
/// values by these weights.
///
///     score[batch…, rows…, key] = `score` of Σ over depth… of query[batch…, rows…, depth…] · key[batch…, key, depth…]
///     result[batch…, rows…, columns…] = Σ over keys of softmax(score)[batch…, rows…, key] · value[batch…, columns…, key]
///
/// The depth and the columns are numbers, of at most `sizeLimit` elements. All is computed in the type of `accumulate`. `score` is a body
/// over (batch, rows, keys) whose `accumulator(0)` is the product. Where there is no key the result is zero. Where all scores of a row are
/// minus infinity it is NaN, or zero with `emptyIsZero`. The epilogue runs over the result's axes.
public struct AttendForm: Hashable, Sendable {
  /// Sizes of the axes that queries, keys and values share, and of the axes of queries.
  public var batch: [Dim], rows: [Dim]
  /// The number of keys, which is that of values.
  public var keys: Dim
  /// Sizes of the axes that query and key are multiplied over, and of the result's own axes.
  public var depth: [Dim], columns: [Dim]
  /// Bodies over (batch, rows, depth), (batch, keys, depth), (batch, rows, keys) and (batch, columns, keys).
  public var query: Body, key: Body, score: Body, value: Body
  /// The type of products, weights and sums; the three operands are converted to it.
  public var accumulate: ElementType
  /// Whether a row whose scores are all minus infinity gives zeros instead of NaN.
  public var emptyIsZero: Bool
  /// What becomes of each sum, `accumulator(0)`, before it is stored; nil: the sum itself.
  public var epilogue: Body?

  /// What a task keeps of a row and of a key has to fit beside others.
  public static let sizeLimit = 1024

  /// A form of these parts. The products of `depth` and of `columns` must be numbers of at most `sizeLimit`: see
  /// `fits`.
  public init(
    batch: [Dim], rows: [Dim], keys: Dim, depth: [Dim], columns: [Dim], query: Body, key: Body, score: Body,
    value: Body,
    accumulate: ElementType, emptyIsZero: Bool, epilogue: Body? = nil
  ) {
    self.batch = batch
    self.rows = rows
    self.keys = keys
    self.depth = depth
    self.columns = columns
    self.query = query
    self.key = key
    self.score = score
    self.value = value
    self.accumulate = accumulate
    self.emptyIsZero = emptyIsZero
    self.epilogue = epilogue
  }

  /// Whether a form can have a depth or columns of these sizes; none of either is not what kernels are for.
  public static func fits(_ sizes: [Dim]) -> Bool {
    sizes.reduce(1, *).value.map { (1...sizeLimit).contains($0) } ?? false
  }

  /// The product that scores are made of.
  package var products: ContractForm {
    ContractForm(batch: batch, m: rows, n: [keys], k: depth, lhs: query, rhs: key, accumulate: accumulate)
  }

  /// The sum of the values; `weights` is a body over (batch, rows, keys).
  package func sums(_ weights: Body) -> ContractForm {
    ContractForm(batch: batch, m: rows, n: columns, k: [keys], lhs: weights, rhs: value, accumulate: accumulate)
  }
}
