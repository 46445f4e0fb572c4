import SinterCore
import SinterForms
import SinterKernelIR

/// Weights in the order in which kernels read them: panels of `width` columns; within a panel one row of columns a step along k. The last
/// panel is only as many vectors wide as its columns need; what it has too many is zero.
///
/// Where an operation takes several elements along k at once, `interleave` of them lie side by side for each column.
///
/// With several groups, a panel holds the same columns of each group, one group after the other, and each group is filled up to whole
/// vectors.
struct PanelLayout: Hashable {
  var columns: Int
  var depth: Int
  var lanes: Int
  /// Vectors a full panel.
  var vectors: Int
  /// Parts of equal length that the columns consist of; divides `vectors`.
  var groups = 1
  /// Divides `depth`; 1 where there are several groups.
  var interleave = 1

  /// Stands for a step along k that is zero in all columns.
  static let zero = Int.min

  /// Columns with those that fill up the groups.
  var packedColumns: Int { groups == 1 ? columns : (columns / groups + lanes - 1) / lanes * lanes * groups }
  var width: Int { vectors * lanes }
  var fullPanels: Int { packedColumns / width }
  var tailColumns: Int { packedColumns % width }
  var tailVectors: Int { (tailColumns + lanes - 1) / lanes }
  var count: Int { fullPanels * width * depth + tailVectors * lanes * depth }

  /// Packs a matrix whose element for step k and column n is at `base + k · depthStride + n · columnStride` of `source`.
  ///
  /// - Parameter depthOffsets: the offset of each step along k, where it is not a plain stride.
  func packed<T: BitwiseCopyable & AdditiveArithmetic>(
    _ source: UnsafeBufferPointer<T>, base: Int, columnStride: Int, depthOffsets: [Int],
    into target: UnsafeMutablePointer<T>
  ) {
    var at = 0
    var column = 0
    while column < packedColumns {
      let panelWidth = packedColumns - column < width ? tailVectors * lanes : width
      let (share, first) = (panelWidth / groups, column / groups)
      let real = Swift.min(share, columns / groups - first)
      if interleave > 1 {
        for (step, offset) in depthOffsets.enumerated() {
          let place = at + step / interleave * interleave * panelWidth + step % interleave
          for n in 0..<panelWidth {
            target[place + n * interleave] =
              n < real && offset != Self.zero ? source[base + offset + (first + n) * columnStride] : .zero
          }
        }
        at += panelWidth * depthOffsets.count
        column += panelWidth
        continue
      }
      for offset in depthOffsets {
        for group in 0..<groups {
          var from = base + offset + (group * (columns / groups) + first) * columnStride
          for n in 0..<real {
            target[at + n] = source[from]
            from += columnStride
          }
          for n in real..<share { target[at + n] = .zero }
          at += share
        }
      }
      column += panelWidth
    }
  }

  /// The packed copy of a constant, of its type; nil for types that no panel holds.
  func pack(_ tensor: HostTensor, base: Int, columnStride: Int, depthOffsets: [Int]) -> HostTensor? {
    func run<T: BitwiseCopyable & AdditiveArithmetic>(_ type: T.Type) -> HostTensor {
      let bytes = TensorBytes(count: count * MemoryLayout<T>.stride) { memory in
        tensor.bytes.withBytes { raw in
          guard let target = memory.baseAddress?.assumingMemoryBound(to: T.self), raw.count > 0 else { return }
          if let start = raw.baseAddress, Int(bitPattern: start) % MemoryLayout<T>.alignment == 0 {
            let source = UnsafeBufferPointer(
              start: start.assumingMemoryBound(to: T.self), count: raw.count / MemoryLayout<T>.stride)
            packed(source, base: base, columnStride: columnStride, depthOffsets: depthOffsets, into: target)
          } else {
            // A range of a mapped file need not be aligned.
            tensor.array(of: T.self).withUnsafeBufferPointer {
              packed($0, base: base, columnStride: columnStride, depthOffsets: depthOffsets, into: target)
            }
          }
        }
      }
      return HostTensor(tensor.element, [count], bytes: bytes)
    }
    switch tensor.element {
    case .f32: return run(Float.self)
    case .f64: return run(Double.self)
    // A zero is all bits zero.
    case .f16, .bf16: return run(UInt16.self)
    case .i32: return run(Int32.self)
    case .i64: return run(Int64.self)
    case .i8: return run(Int8.self)
    case .i16, .u8, .u16, .u32, .u64, .bool, .string, .c64, .c128, .f8e4m3fn, .f8e4m3fnuz, .f8e5m2,
      .f8e5m2fnuz, .f8e8m0, .f4e2m1, .i4, .u4, .i2, .u2:
      return nil
    }
  }
}
