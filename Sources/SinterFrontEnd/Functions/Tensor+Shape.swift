import SinterIR
import SinterOps

extension Tensor {
  /// The same elements under other sizes; one size may be -1 and follows from the others.
  public func reshape(_ sizes: Int...) -> Tensor { reshape(sizes.map { Dim($0) }) }

  /// The same with sizes that may be symbolic, such as `x.size(0)`.
  public func reshape(_ sizes: [Dim]) -> Tensor {
    let numbers = sizes.compactMap(\.value)
    if numbers.count == sizes.count { return applying(Reshape(), integers(numbers)) }
    return applying(Reshape(allowZero: true, mayBeEmpty: true), sizeTensor(sizes))
  }

  /// The same elements in another shape, of which one size may be −1: `reshape` under PyTorch's other name.
  public func view(_ sizes: Int...) -> Tensor { reshape(sizes.map { Dim($0) }) }

  /// A tensor of sizes: those that are axes of this tensor by their axis, constants as they are.
  func sizeTensor(_ sizes: [Dim]) -> Tensor {
    let numbers = sizes.compactMap(\.value)
    if numbers.count == sizes.count { return integers(numbers) }
    let own = applying(Shape())
    let parts = sizes.map { size -> Tensor in
      if let number = size.value { return integers([number]) }
      if let axis = shape.firstIndex(of: size) { return own.axisSize(axis) }
      // A multiple of an axis, as heads times batches are.
      for (axis, own) in shape.enumerated() where own.symbol != nil {
        if let factor = size.exactQuotient(by: own)?.value {
          return applying(Shape()).axisSize(axis) * Double(factor)
        }
      }
      return trace.fail("size", "size \(size) is none of \(type)", like: own)
    }
    return cat(parts)
  }

  /// One entry of a tensor of sizes.
  fileprivate func axisSize(_ axis: Int) -> Tensor { trace.apply(Gather(axis: 0), [self, integers([axis])])[0] }

  /// The axes from `start` to `end`, both included, as one.
  public func flatten(from start: Int = 0, to end: Int = -1) -> Tensor {
    let (first, last) = (axis(start), axis(end))
    if rank == 0 { return reshape(1) }
    guard shape.indices.contains(first), shape.indices.contains(last), first <= last else {
      return trace.fail("flatten", "axes \(start) to \(end) must lie in \(-rank) ..< \(rank), for \(type)", like: self)
    }
    if first == last { return self }
    if last == rank - 1, first == 1 { return applying(SinterOps.Flatten()) }
    var sizes = Array(shape[..<first])
    sizes.append(-1)
    sizes += shape[(last + 1)...]
    return reshape(sizes)
  }

  /// An axis as several of the given sizes, one of which may be -1.
  public func unflatten(_ axis: Int, _ sizes: [Int]) -> Tensor {
    let place = self.axis(axis)
    guard shape.indices.contains(place) else {
      return trace.fail("unflatten", "axis \(axis) must lie in \(-rank) ..< \(rank), for \(type)", like: self)
    }
    var sizes = sizes
    if let open = sizes.firstIndex(of: -1), let whole = shape[place].value {
      let rest = sizes.filter { $0 != -1 }.reduce(1, *)
      if rest > 0, whole % rest == 0 { sizes[open] = whole / rest }
    }
    return reshape(shape[..<place] + sizes.map { Dim($0) } + shape[(place + 1)...])
  }

  /// Two axes exchanged.
  public func transpose(_ a: Int, _ b: Int) -> Tensor {
    var order = Array(0..<rank)
    guard order.indices.contains(axis(a)), order.indices.contains(axis(b)) else {
      return trace.fail("transpose", "axes \(a) and \(b) must lie in \(-rank) ..< \(rank), for \(type)", like: self)
    }
    order.swapAt(axis(a), axis(b))
    return applying(Transpose(order))
  }

  /// The axes in another order.
  public func permute(_ axes: Int...) -> Tensor { applying(Transpose(axes.map(axis))) }
  /// The transpose of a matrix.
  public func t() -> Tensor { rank < 2 ? self : transpose(0, 1) }

  /// An axis moved to another place.
  public func movedAxis(from: Int, to: Int) -> Tensor {
    var order = Array(0..<rank)
    guard order.indices.contains(axis(from)), order.indices.contains(axis(to)) else {
      return trace.fail("movedim", "axes \(from) and \(to) must lie in \(-rank) ..< \(rank), for \(type)", like: self)
    }
    order.insert(order.remove(at: axis(from)), at: axis(to))
    return applying(Transpose(order))
  }

  /// With an axis of size 1 put in.
  public func unsqueeze(_ axis: Int) -> Tensor { applying(Unsqueeze(), integers([axis])) }
  /// Without an axis of size 1.
  public func squeeze(_ axis: Int) -> Tensor { applying(Squeeze(), integers([axis])) }
  /// Without all axes of size 1.
  public func squeeze() -> Tensor {
    let ones = shape.indices.filter { shape[$0] == 1 }
    return ones.isEmpty ? self : applying(Squeeze(), integers(ones))
  }

  /// Elements repeated along axes of size 1; -1 leaves an axis as it is.
  public func expand(_ sizes: Int...) -> Tensor {
    guard sizes.count >= rank else {
      return trace.fail("expand", "\(type) has more axes than \(sizes)", like: self)
    }
    // Of axes that stay, 1 does not change the size.
    return applying(Expand(), integers(sizes.map { $0 == -1 ? 1 : $0 }))
  }

  /// The same with sizes that may be symbolic and that are axes of `other`.
  public func expand(like other: Tensor) -> Tensor { applying(Expand(), other.sizeTensor(other.shape)) }

  /// The tensor several times along each axis: PyTorch's `repeat`.
  public func tiled(_ counts: Int...) -> Tensor {
    guard counts.count >= rank else {
      return trace.fail("repeat", "\(type) has more axes than there are counts, \(counts)", like: self)
    }
    let more = counts.count - rank
    let own = more == 0 ? self : reshape([Dim](repeating: 1, count: more) + shape)
    return own.applying(Tile(), integers(counts))
  }

  /// Each element several times, one after another along an axis.
  public func repeatInterleave(_ count: Int, axis: Int) -> Tensor {
    let place = self.axis(axis)
    guard shape.indices.contains(place) else {
      return trace.fail("repeat", "axis \(axis) must lie in \(-rank) ..< \(rank), for \(type)", like: self)
    }
    var counts = [Int](repeating: 1, count: rank + 1)
    counts[place + 1] = count
    return unsqueeze(place + 1).applying(Tile(), integers(counts)).flatten(from: place, to: place + 1)
  }

  /// The elements start ..< end along an axis; negative bounds count from the back.
  public func slice(_ axis: Int, from start: Int = 0, to end: Int = Int(Int32.max), step: Int = 1) -> Tensor {
    applying(Slice(), integers([start]), integers([end]), integers([axis]), integers([step]))
  }

  /// `length` elements from `start` on along an axis.
  public func narrow(_ axis: Int, from start: Int, count: Int) -> Tensor {
    let (end, overflows) = start.addingReportingOverflow(count)
    let part = slice(axis, from: start, to: overflows ? .max : end)
    guard !overflows, start >= 0, count >= 0, part.size(axis).value.map({ $0 == count }) ?? true else {
      return trace.fail("narrow", "\(type) has no \(count) elements from \(start) on along axis \(axis)", like: self)
    }
    return part
  }

  /// One element along the first axis, which goes away.
  public subscript(index: Int) -> Tensor { select(0, index) }
  /// A range along the first axis.
  public subscript(range: Swift.Range<Int>) -> Tensor { slice(0, from: range.lowerBound, to: range.upperBound) }
  /// The elements from a place along the first axis to its end.
  public subscript(range: PartialRangeFrom<Int>) -> Tensor { slice(0, from: range.lowerBound) }
  /// The elements up to a place along the first axis, which is left out.
  public subscript(range: PartialRangeUpTo<Int>) -> Tensor { slice(0, to: range.upperBound) }

  /// One element along an axis, which goes away.
  public func select(_ axis: Int, _ index: Int) -> Tensor {
    trace.apply(Gather(axis: axis), [self, trace.constant(.i64([], [index]))])[0]
  }

  /// Parts of equal size along an axis: PyTorch's `chunk`, where the last ones are smaller, or fewer, if the axis does not divide.
  public func chunk(_ count: Int, axis: Int = 0) -> [Tensor] {
    // As many stand-ins as are asked for: who follows a mistake takes them apart.
    if isFailed { return [Tensor](repeating: self, count: Swift.max(1, count)) }
    guard count > 0, shape.indices.contains(self.axis(axis)) else {
      let failed = trace.fail(
        "chunk", "\(type) cannot be cut into \(count) parts along axis \(axis)", like: self,
        hint: "a tensor has at least one part")
      return [Tensor](repeating: failed, count: Swift.max(1, count))
    }
    if let size = self.size(axis).value, size % count != 0 {
      let part = (size + count - 1) / count
      return split(part, axis: axis)
    }
    return trace.apply(Split(axis: axis), [self], outputs: count)
  }

  /// Parts of `size` elements along an axis, the last one smaller where they do not divide it.
  public func split(_ size: Int, axis: Int = 0) -> [Tensor] {
    if isFailed { return manyStandIns }
    guard size > 0, let whole = self.size(axis).value, shape.indices.contains(self.axis(axis)) else {
      return trace.fail(
        "split", "\(type) cannot be cut into parts of \(size) along axis \(axis)", like: self,
        hint: "the size of the axis must be a number, and that of the parts positive"
      ).manyStandIns
    }
    if whole == 0 { return [self] }
    return split(sizes: stride(from: 0, to: whole, by: size).map { Swift.min(size, whole - $0) }, axis: axis)
  }

  /// Parts of the given sizes along an axis.
  public func split(sizes: [Int], axis: Int = 0) -> [Tensor] {
    guard !sizes.isEmpty else {
      return [trace.fail("split", "\(type) cannot be cut into no parts", like: self)]
    }
    return trace.apply(Split(axis: axis), [self, integers(sizes)], outputs: sizes.count)
  }

  /// Itself, a mistake, as often as parts of it may be asked for: how many there would be is not known.
  private var manyStandIns: [Tensor] { [Tensor](repeating: self, count: 64) }

  /// The slices along an axis, which goes away; its size must be a number.
  public func unbind(_ axis: Int = 0) -> [Tensor] {
    guard let count = size(axis).value, shape.indices.contains(self.axis(axis)) else {
      return trace.fail("unbind", "axis \(axis) of \(type) has no size that is a number", like: self).manyStandIns
    }
    if isFailed { return manyStandIns }
    return (0..<count).map { select(axis, $0) }
  }

  /// The elements in reverse order along axes.
  public func flip(_ axes: Int...) -> Tensor {
    guard !axes.isEmpty else { return self }
    return applying(
      Slice(), integers(axes.map { _ in -1 }), integers(axes.map { _ in Int(Int32.min) }), integers(axes),
      integers(axes.map { _ in -1 }))
  }

  /// The elements moved along an axis; those that leave at one end come in at the other.
  public func roll(_ shift: Int, axis: Int) -> Tensor {
    if let size = size(axis).value, size > 0 {
      let place = ((shift % size) + size) % size
      return place == 0 ? self : cat([slice(axis, from: size - place), slice(axis, to: size - place)], axis: axis)
    }
    guard shift != 0, shape.indices.contains(self.axis(axis)) else { return self }
    // The size shows at run time: places are counted, moved back and taken by what a division by the size leaves.
    let size = sizeTensor([size(axis)])
    func number(_ value: Int) -> Tensor { trace.constant(.i64([], [value])) }
    let places = trace.apply(SinterOps.Range(), [number(0), size.reshape([]), number(1)])[0]
    return indexSelect(axis, (places - number(shift)).binary(.modulo, size))
  }

  // MARK: Triangles and diagonals

  /// The upper triangle of matrices from a diagonal on, zeros elsewhere.
  public func triu(_ diagonal: Int = 0) -> Tensor { triangle(isUpper: true, diagonal) }
  /// The lower triangle of matrices up to a diagonal, zeros elsewhere.
  public func tril(_ diagonal: Int = 0) -> Tensor { triangle(isUpper: false, diagonal) }

  private func triangle(isUpper: Bool, _ diagonal: Int) -> Tensor {
    var op = Trilu()
    op.isUpper = isUpper
    return applying(op, trace.constant(.i64([], [diagonal])))
  }

  /// The diagonal of matrices (the last two axes).
  public func diagonal() -> Tensor {
    guard rank >= 2, let rows = size(-2).value, let columns = size(-1).value else {
      return trace.fail("diagonal", "the last two axes of \(type) must be numbers", like: self)
    }
    let count = Swift.min(rows, columns)
    let flat = flatten(from: -2, to: -1)
    return flat.gather(integers((0..<count).map { $0 * (columns + 1) }), axis: rank - 2)
  }

  func axis(_ axis: Int) -> Int { axis < 0 ? axis + rank : axis }
}

/// Tensors, at least one, one after another along an axis.
public func cat(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
  guard let first = tensors.first else {
    let nothing = zeros(0)
    return nothing.trace.fail("cat", "no tensors are given, but at least one is needed", like: nothing)
  }
  return (tensors.compactMap(\.recordingTrace).first ?? first.trace).apply(Concat(axis: axis), tensors)[0]
}

/// Tensors of one shape along a new axis.
public func stack(_ tensors: [Tensor], axis: Int = 0) -> Tensor { cat(tensors.map { $0.unsqueeze(axis) }, axis: axis) }

/// For lists of coordinates, one tensor each that holds them at each point of their grid: PyTorch's with `indexing="ij"`.
public func meshgrid(_ axes: Tensor...) -> [Tensor] {
  axes.enumerated().map { place, coordinates in
    var sizes = [Dim](repeating: 1, count: axes.count)
    sizes[place] = coordinates.size(0)
    let own = coordinates.reshape(sizes)
    return axes.enumerated().reduce(own) { sum, other in
      guard other.offset != place else { return sum }
      var sizes = [Dim](repeating: 1, count: axes.count)
      sizes[other.offset] = other.element.size(0)
      return sum + other.element.zerosLike().cast(to: sum.element).reshape(sizes)
    }
  }
}
