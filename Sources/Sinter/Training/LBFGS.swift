import Foundation

/// The quasi-Newton method with limited memory (Liu and Nocedal, 1989), in the form and with the defaults of PyTorch's `torch.optim.LBFGS`: a loop on
/// the host over a compiled loss.
///
///     let closure = try lossGradients(net, .f32(100, 4), .f32(100, 1), loss: mseLoss).compile()
///     var parameters = closure.initialParameters(seed: 1)
///     var optimizer = LBFGS(lineSearch: .strongWolfe)
///     for _ in 0..<10 { print(try optimizer.step(&parameters) { try closure($0, x, y) }) }
public struct LBFGS {
  /// How far a step goes along its direction.
  public enum LineSearch: Sendable {
    /// Steps of the learning rate's length.
    case none
    /// Steps that meet the strong conditions of Wolfe (Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6).
    case strongWolfe
  }

  /// The learning rate of a step that is given no other.
  public var learningRate: Double
  /// How often parameters move in a step, and how often the loss may be asked for.
  public var iterations: Int, evaluations: Int
  /// A step ends where no gradient is greater, or where changes of parameters and loss are less.
  public var gradientTolerance: Double, changeTolerance: Double
  /// How many changes are remembered; with none, directions are gradients, scaled by the last change.
  public var history: Int
  /// How far a step goes along its direction.
  public var lineSearch: LineSearch

  private var changes: [(gradient: [Double], step: [Double], inverse: Double)] = []
  private var scale = 1.0
  private var direction: [Double] = []
  private var length = 0.0
  private var before: [Double] = []
  private var count = 0

  /// One step moves parameters up to `iterations` times; without `evaluations` it asks for the loss 5/4 times as often at most.
  public init(
    learningRate: Double = 1, iterations: Int = 20, evaluations: Int? = nil, gradientTolerance: Double = 1e-7,
    changeTolerance: Double = 1e-9, history: Int = 100, lineSearch: LineSearch = .none
  ) {
    self.learningRate = learningRate
    self.iterations = iterations
    self.evaluations = evaluations ?? iterations * 5 / 4
    self.gradientTolerance = gradientTolerance
    self.changeTolerance = changeTolerance
    self.history = history
    self.lineSearch = lineSearch
  }

  /// One step: several moves along directions that take the curvature into account.
  ///
  /// - Parameter closure: the loss and its gradients at given parameters; those without a gradient stay.
  /// - Returns: the loss before the step.
  @discardableResult
  public mutating func step(
    _ parameters: inout ParameterStore,
    _ closure: (ParameterStore) throws -> (loss: Double, gradients: ParameterStore)
  ) throws -> Double {
    let first = try closure(parameters)
    let layout = first.gradients.names
    let start = parameters
    func evaluate(_ place: [Double]) throws -> (loss: Double, gradient: [Double]) {
      let (loss, gradients) = try closure(Self.moved(start, layout, to: place))
      return (loss, Self.flat(gradients, layout))
    }
    var (loss, gradient) = (first.loss, Self.flat(first.gradients, layout))
    var place = Self.flat(parameters, layout)
    defer { parameters = Self.moved(start, layout, to: place) }
    var asked = 1
    if Self.greatest(gradient) <= gradientTolerance { return first.loss }

    for iteration in 1...max(1, iterations) {
      count += 1
      chooseDirection(gradient)
      before = gradient
      let lossBefore = loss
      length = count == 1 ? min(1, 1 / gradient.reduce(0) { $0 + abs($1) }) * learningRate : learningRate
      let slope = Self.dot(gradient, direction)
      if slope > -changeTolerance { break }
      switch lineSearch {
      case .strongWolfe:
        let origin = place
        let found = try WolfeSearch(slope: slope, changeTolerance: changeTolerance).run(
          first: (loss, gradient), length: length, direction: direction
        ) { length in try evaluate(zip(origin, direction).map { $0 + length * $1 }) }
        (loss, gradient, length) = (found.loss, found.gradient, found.length)
        asked += found.evaluations
        place = zip(place, direction).map { $0 + length * $1 }
      case .none:
        place = zip(place, direction).map { $0 + length * $1 }
        // After the last move nobody asks.
        if iteration != iterations {
          (loss, gradient) = try evaluate(place)
          asked += 1
        }
      }
      if iteration == iterations || asked >= evaluations || Self.greatest(gradient) <= gradientTolerance
        || Self.greatest(direction) * abs(length) <= changeTolerance || abs(loss - lossBefore) < changeTolerance
      {
        break
      }
    }
    return first.loss
  }

  /// The gradient times the approximate inverse of the matrix of second derivatives, by the two loops over what is remembered.
  private mutating func chooseDirection(_ gradient: [Double]) {
    guard count > 1 else {
      direction = gradient.map { -$0 }
      return
    }
    let change = zip(gradient, before).map { $0 - $1 }
    let step = direction.map { $0 * length }
    let curvature = Self.dot(change, step)
    if curvature > 1e-10 {
      changes.append((change, step, 1 / curvature))
      if changes.count > max(0, history) { changes.removeFirst(changes.count - max(0, history)) }
      scale = curvature / Self.dot(change, change)
    }
    var vector = gradient.map { -$0 }
    var weights = [Double](repeating: 0, count: changes.count)
    for index in changes.indices.reversed() {
      weights[index] = Self.dot(changes[index].step, vector) * changes[index].inverse
      Self.add(-weights[index], changes[index].gradient, to: &vector)
    }
    vector = vector.map { $0 * scale }
    for index in changes.indices {
      let part = Self.dot(changes[index].gradient, vector) * changes[index].inverse
      Self.add(weights[index] - part, changes[index].step, to: &vector)
    }
    direction = vector
  }

  // MARK: Vectors

  static func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
  static func greatest(_ a: [Double]) -> Double { a.reduce(0) { max($0, abs($1)) } }
  private static func add(_ factor: Double, _ a: [Double], to b: inout [Double]) {
    for index in b.indices { b[index] += factor * a[index] }
  }

  private static func flat(_ store: ParameterStore, _ names: [String]) -> [Double] {
    names.flatMap { store[$0]?.doubles ?? [] }
  }

  private static func moved(_ store: ParameterStore, _ names: [String], to place: [Double]) -> ParameterStore {
    var (store, at) = (store, 0)
    for name in names {
      guard let old = store[name] else { continue }
      store[name] = HostTensor(old.element, old.shape, doubles: Array(place[at..<(at + old.count)]))
      at += old.count
    }
    return store
  }
}

/// A search along a line for a place where the loss has fallen enough and its slope is flat enough.
struct WolfeSearch {
  struct Point {
    var length: Double, loss: Double
    var gradient: [Double]
    var slope: Double
  }

  /// At the start of the line; less than zero.
  let slope: Double
  let changeTolerance: Double
  /// How much of what the slope promises the loss must fall by, and how much of the slope may be left.
  var decrease = 1e-4, curvature = 0.9
  var limit = 25

  /// - Parameter evaluate: loss and gradient at a length.
  func run(
    first: (loss: Double, gradient: [Double]), length: Double, direction: [Double],
    _ evaluate: (Double) throws -> (loss: Double, gradient: [Double])
  ) throws -> (loss: Double, gradient: [Double], length: Double, evaluations: Int) {
    var evaluations = 0
    func point(_ length: Double) throws -> Point {
      let (loss, gradient) = try evaluate(length)
      evaluations += 1
      return Point(length: length, loss: loss, gradient: gradient, slope: LBFGS.dot(gradient, direction))
    }
    func fallsTooLittle(_ point: Point) -> Bool { point.loss > first.loss + decrease * point.length * slope }
    func isFlat(_ point: Point) -> Bool { abs(point.slope) <= -curvature * slope }

    let start = Point(length: 0, loss: first.loss, gradient: first.gradient, slope: slope)
    var previous = start, current = try point(length)
    var bracket: [Point] = []
    var iterations = 0
    // Outward, until two lengths have the place between them.
    while iterations < limit {
      if fallsTooLittle(current) || (iterations > 1 && current.loss >= previous.loss)
        || current.slope >= 0 && !isFlat(current)
      {
        bracket = [previous, current]
        break
      }
      if isFlat(current) { return (current.loss, current.gradient, current.length, evaluations) }
      let next = Self.cubicMinimum(
        previous, current,
        within: (current.length + 0.01 * (current.length - previous.length), current.length * 10))
      previous = current
      current = try point(next)
      iterations += 1
    }
    if iterations == limit { bracket = [start, current] }

    // Inward.
    var hasStalled = false
    var low = bracket[0].loss <= bracket[1].loss ? 0 : 1
    while iterations < limit {
      let least = min(bracket[0].length, bracket[1].length), most = max(bracket[0].length, bracket[1].length)
      if (most - least) * LBFGS.greatest(direction) < changeTolerance { break }
      var next = Self.cubicMinimum(bracket[0], bracket[1], within: (least, most))
      // Too near to an end twice, or beyond: a tenth away from it.
      let margin = 0.1 * (most - least)
      if min(most - next, next - least) < margin {
        if hasStalled || next >= most || next <= least {
          next = abs(next - most) < abs(next - least) ? most - margin : least + margin
          hasStalled = false
        } else {
          hasStalled = true
        }
      } else {
        hasStalled = false
      }
      let found = try point(next)
      iterations += 1
      if fallsTooLittle(found) || found.loss >= bracket[low].loss {
        bracket[1 - low] = found
        low = bracket[0].loss <= bracket[1].loss ? 0 : 1
        continue
      }
      let isDone = isFlat(found)
      if !isDone, found.slope * (bracket[1 - low].length - bracket[low].length) >= 0 { bracket[1 - low] = bracket[low] }
      bracket[low] = found
      if isDone { break }
    }
    let best = bracket[low]
    return (best.loss, best.gradient, best.length, evaluations)
  }

  /// Where the cubic through two points with their slopes is least (Nocedal and Wright, equation 3.59); the middle where it has no minimum.
  static func cubicMinimum(_ a: Point, _ b: Point, within bounds: (Double, Double)) -> Double {
    let (left, right) = a.length <= b.length ? (a, b) : (b, a)
    let mixed = left.slope + right.slope - 3 * (left.loss - right.loss) / (left.length - right.length)
    let square = mixed * mixed - left.slope * right.slope
    guard square >= 0 else { return (bounds.0 + bounds.1) / 2 }
    let root = square.squareRoot()
    let place =
      right.length - (right.length - left.length)
      * ((right.slope + root - mixed) / (right.slope - left.slope + 2 * root))
    return min(max(place, bounds.0), bounds.1)
  }
}
