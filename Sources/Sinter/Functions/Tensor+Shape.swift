import SinterIR
import SinterOps

extension Tensor {
  /// The same elements under other sizes; one size may be -1 and follows from the others.
  public func reshape(_ sizes: Int...) -> Tensor { reshape(sizes.map { Dim($0) }) }

  /// The same with sizes that may be symbolic, such as `x.size(0)`.
  public func reshape(_ sizes: [Dim]) -> Tensor {
    let numbers = sizes.compactMap(\.value)
    if numbers.count == sizes.count { return applying(Reshape(), integers(numbers)) }
    return applying(Reshape(allowZero: true, mayBeEmpty: true), shapeTensor(sizes))
  }

  public func view(_ sizes: Int...) -> Tensor { reshape(sizes.map { Dim($0) }) }

  /// A tensor of sizes: those that are axes of this tensor by their axis, constants as they are.
  private func shapeTensor(_ sizes: [Dim]) -> Tensor {
    let own = applying(Shape())
    let parts = sizes.map { size -> Tensor in
      if let number = size.value { return integers([number]) }
      guard let axis = shape.firstIndex(of: size) else {
        return trace.fail("reshape", "size \(size) is none of \(type)", like: own)
      }
      return trace.apply(Gather(axis: 0), [own, integers([axis])])[0]
    }
    return trace.apply(Concat(axis: 0), parts)[0]
  }

  /// The axes from `start` to `end`, both included, as one.
  public func flatten(from start: Int = 0, to end: Int = -1) -> Tensor {
    let (first, last) = (axis(start), axis(end))
    guard first < last else { return self }
    if last == rank - 1, first == 1 { return applying(SinterOps.Flatten()) }
    var sizes = Array(shape[..<first])
    sizes.append(-1)
    sizes += shape[(last + 1)...]
    return reshape(sizes)
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

  public func unsqueeze(_ axis: Int) -> Tensor { applying(Unsqueeze(), integers([axis])) }
  public func squeeze(_ axis: Int) -> Tensor { applying(Squeeze(), integers([axis])) }

  /// Elements repeated along axes of size 1.
  public func expand(_ sizes: Int...) -> Tensor { applying(Expand(), integers(sizes)) }

  /// The elements start ..< end along an axis; negative bounds count from the back.
  public func slice(_ axis: Int, from start: Int = 0, to end: Int = Int(Int32.max), step: Int = 1) -> Tensor {
    applying(Slice(), integers([start]), integers([end]), integers([axis]), integers([step]))
  }

  /// One element along the first axis, which goes away.
  public subscript(index: Int) -> Tensor { select(0, index) }
  /// A range along the first axis.
  public subscript(range: Swift.Range<Int>) -> Tensor { slice(0, from: range.lowerBound, to: range.upperBound) }

  /// One element along an axis, which goes away.
  public func select(_ axis: Int, _ index: Int) -> Tensor {
    trace.apply(Gather(axis: axis), [self, trace.constant(.i64([], [index]))])[0]
  }

  /// Rows of this table for a tensor of indices.
  public func gather(_ indices: Tensor, axis: Int = 0) -> Tensor { applying(Gather(axis: axis), indices) }

  /// Parts of equal size along an axis.
  public func chunk(_ count: Int, axis: Int = 0) -> [Tensor] {
    trace.apply(Split(axis: axis), [self], outputs: count)
  }

  func axis(_ axis: Int) -> Int { axis < 0 ? axis + rank : axis }
}

/// Tensors, at least one, one after another along an axis.
public func cat(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
  tensors[0].trace.apply(Concat(axis: axis), tensors)[0]
}

/// Tensors of one shape along a new axis.
public func stack(_ tensors: [Tensor], axis: Int = 0) -> Tensor { cat(tensors.map { $0.unsqueeze(axis) }, axis: axis) }
