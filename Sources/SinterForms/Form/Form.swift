import SinterCore

/// How one value is computed. A closed set: nothing below lowering sees an operator.
public enum Form: Hashable, Sendable {
  case element(ElementForm)
  case reduce(ReduceForm)
  case contract(ContractForm)
  case attend(AttendForm)
  case convolve(ConvolveForm)
  case scan(ScanForm)
  case scatter(ScatterForm)
  case sort(SortForm)
  case call(CallForm)
}

/// Each element by itself. The body's axes are those of the result.
public struct ElementForm: Hashable, Sendable {
  /// The element at the body's axes; one scalar.
  public var body: Body

  /// A form that computes `body` for each element of the result.
  public init(body: Body) { self.body = body }
}

/// The elements of `body` over the inner axes combined. The body's axes are the result's, then the inner ones; the epilogue's
/// are the result's, and `accumulator(0)` is the combination.
public struct ReduceForm: Hashable, Sendable {
  /// Sizes of the axes that disappear.
  public var inner: [Dim]
  /// How the elements become one.
  public var combine: Combine
  /// The element at (result axes, inner axes).
  public var body: Body
  /// What becomes of each combination, `accumulator(0)`, before it is stored; nil: the combination itself.
  public var epilogue: Body?

  /// A reduction of `body` over the `inner` axes.
  public init(inner: [Dim], combine: Combine, body: Body, epilogue: Body? = nil) {
    self.inner = inner
    self.combine = combine
    self.body = body
    self.epilogue = epilogue
  }
}

/// Sums of products over shared axes: result[batch…, m…, n…] = Σ over k… of lhs[batch…, m…, k…] · rhs[batch…, n…, k…].
///
/// `lhs` and `rhs` are bodies over those axes in that order, most often a single load. Products and sums are computed in the type
/// of `accumulate`; operands are converted to it. The epilogue runs over the result's axes.
public struct ContractForm: Hashable, Sendable {
  /// Sizes of the axes that both sides share and keep, that only the left has, that only the right has, and that are
  /// summed over.
  public var batch: [Dim], m: [Dim], n: [Dim], k: [Dim]
  /// Bodies over (batch, m, k) and (batch, n, k).
  public var lhs: Body, rhs: Body
  /// The type of products and sums; both sides are converted to it.
  public var accumulate: ElementType
  /// What becomes of each sum, `accumulator(0)`, before it is stored; nil: the sum itself.
  public var epilogue: Body?

  /// A contraction of the left side with the right one. Either may have no axes of its own.
  public init(
    batch: [Dim], m: [Dim], n: [Dim], k: [Dim], lhs: Body, rhs: Body, accumulate: ElementType, epilogue: Body? = nil
  ) {
    self.batch = batch
    self.m = m
    self.n = n
    self.k = k
    self.lhs = lhs
    self.rhs = rhs
    self.accumulate = accumulate
    self.epilogue = epilogue
  }
}

/// A windowed contraction, ONNX's Conv (a cross-correlation), or its adjoint, ONNX's ConvTranspose.
///
/// Layouts: with `channelsLast` the input and the result are [n, spatial…, channels], otherwise [n, channels, spatial…]. Weights
/// are [m, c / groups, window…] in either case. Elements outside the input count as zero.
///
/// The adjoint (`isTransposed`) has weights [c, m / groups, window…]: the element of the input at place i adds itself times the weight
/// at tap k to the result at i · stride + k · dilation − padsBegin, for each tap that reaches a place of the result.
public struct ConvolveForm: Hashable, Sendable {
  /// The image: [n, spatial…, channels] with `channelsLast`, else [n, channels, spatial…].
  public var input: FormValueID
  /// The window's weights: [m, c / groups, window…], or [c, m / groups, window…] of the adjoint.
  public var weight: FormValueID
  /// One number for each spatial axis: the window's size, the distance between windows, and that between the elements
  /// of one, all at least 1.
  public var window: [Int], strides: [Int], dilations: [Int]
  /// Zeros added before the first element of each spatial axis (of the adjoint: elements cut off the result). What lies behind the last
  /// follows from the result's size.
  public var padsBegin: [Dim]
  /// Parts that the channels are split into, each of which is convolved with weights of its own. It divides both
  /// numbers of channels.
  public var groups: Int
  /// Whether channels are the last axis of the input and the result, else the second.
  public var channelsLast: Bool
  /// Whether this is the adjoint.
  public var isTransposed: Bool
  /// The type of products and sums; both operands are converted to it.
  public var accumulate: ElementType
  /// What becomes of each sum, `accumulator(0)`, before it is stored; nil: the sum itself.
  public var epilogue: Body?

  /// A convolution of `input` with `weight`. Arrays have one entry for each spatial axis.
  public init(
    input: FormValueID, weight: FormValueID, window: [Int], strides: [Int], dilations: [Int], padsBegin: [Dim],
    groups: Int, channelsLast: Bool, isTransposed: Bool = false, accumulate: ElementType, epilogue: Body? = nil
  ) {
    self.input = input
    self.weight = weight
    self.window = window
    self.strides = strides
    self.dilations = dilations
    self.padsBegin = padsBegin
    self.groups = groups
    self.channelsLast = channelsLast
    self.isTransposed = isTransposed
    self.accumulate = accumulate
    self.epilogue = epilogue
  }
}

/// Combinations of all elements up to each one along an axis. The body's axes are the result's.
public struct ScanForm: Hashable, Sendable {
  /// The axis along which elements are combined, counted from 0.
  public var axis: Int
  /// How an element joins those before it; not a position (`isIndex`).
  public var combine: Combine
  /// The element itself does not count.
  public var isExclusive: Bool
  /// From the end of the axis.
  public var isReversed: Bool
  /// The element at the result's axes, before it is combined.
  public var body: Body

  /// A scan of `body` along an axis.
  public init(axis: Int, combine: Combine, isExclusive: Bool, isReversed: Bool, body: Body) {
    self.axis = axis
    self.combine = combine
    self.isExclusive = isExclusive
    self.isReversed = isReversed
    self.body = body
  }
}

/// A copy of `base` (a body over the result's axes) into which updates are written one after another, in row-major order of
/// `domain`. The results of `update`, a body over `domain`, are an index per axis of the result, then the value. An index outside
/// the result writes nothing.
public struct ScatterForm: Hashable, Sendable {
  /// What the result holds where nothing is written.
  public var base: Body
  /// Sizes of the space of updates.
  public var domain: [Dim]
  /// The place and the value of an update: an i64 for each axis of the result, then one scalar of its element type.
  public var update: Body
  /// Nil: the update replaces what was there.
  public var combine: Combine?

  /// A copy of `base` that is updated for each index of `domain`.
  public init(base: Body, domain: [Dim], update: Body, combine: Combine?) {
    self.base = base
    self.domain = domain
    self.update = update
    self.combine = combine
  }
}

/// The order of elements along an axis: the result (i64) holds, for each place along the axis, the index of the element that
/// sorting puts there. Sorting is stable. The body runs over the sorted space, `extent` long along the axis; the result may be shorter
/// there (the first k). NaN counts as larger than anything.
public struct SortForm: Hashable, Sendable {
  /// The axis along which elements are ordered, counted from 0.
  public var axis: Int
  /// The number of elements that are sorted along the axis; the result may hold fewer.
  public var extent: Dim
  /// Whether the greatest element comes first.
  public var isDescending: Bool
  /// What is compared: the element at each index of the sorted space.
  public var body: Body

  /// The order of the `extent` elements of `body` along an axis.
  public init(axis: Int, extent: Dim, isDescending: Bool, body: Body) {
    self.axis = axis
    self.extent = extent
    self.isDescending = isDescending
    self.body = body
  }
}

/// A function of the C runtime, for what no loop serves.
public struct CallForm: Hashable, Sendable {
  /// Which function it is; see there for its operands and parameters.
  public var function: RuntimeFunction
  /// The values that it reads, in the order of its documentation.
  public var operands: [FormValueID]
  /// Numbers known ahead of time, in the order of its documentation.
  public var parameters: [Int64]

  /// A call of a function of the runtime.
  public init(_ function: RuntimeFunction, operands: [FormValueID], parameters: [Int64] = []) {
    self.function = function
    self.operands = operands
    self.parameters = parameters
  }
}

extension Form {
  /// The bodies in it.
  public var bodies: [Body] {
    switch self {
    case .element(let form): [form.body]
    case .reduce(let form): [form.body] + (form.epilogue.map { [$0] } ?? [])
    case .contract(let form): [form.lhs, form.rhs] + (form.epilogue.map { [$0] } ?? [])
    case .attend(let form): [form.query, form.key, form.score, form.value] + (form.epilogue.map { [$0] } ?? [])
    case .convolve(let form): form.epilogue.map { [$0] } ?? []
    case .scan(let form): [form.body]
    case .scatter(let form): [form.base, form.update]
    case .sort(let form): [form.body]
    case .call: []
    }
  }

  /// The values that it reads, each once.
  public var operands: [FormValueID] {
    var found: [FormValueID] = []
    switch self {
    case .convolve(let form): found = [form.input, form.weight]
    case .call(let form): found = form.operands
    case .element, .reduce, .contract, .attend, .scan, .scatter, .sort: break
    }
    for body in bodies { found += body.operands }
    var seen: Set<FormValueID> = []
    return found.filter { seen.insert($0).inserted }
  }
}
