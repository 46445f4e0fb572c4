import SinterCore
import SinterForms

extension KernelMachine {
  /// Sums a block of products element by element.
  func run(_ block: TileDot) throws {
    let depth = Int(integers(block.depth)[0])
    let left = try region(block.left, isStore: false)
    let right = try region(block.right, isStore: false)
    let sums = try region(block.sums, isStore: true)
    let (run, interleave) = (TileDot.run(left.element), TileDot.interleave(left.element))
    guard depth >= 0, depth % run == 0 else {
      throw DiagnosticError(
        .bug, "kernel.depth", "tileDot sums \(depth) products of \(left.element), which is no multiple of \(run)")
    }
    let (leftAt, rightAt) = (Int(integers(block.leftAt)[0]), Int(integers(block.rightAt)[0]))
    let sumsAt = Int(integers(block.sumsAt)[0])
    let starts = block.stretchStarts
    for row in 0..<block.rows {
      for column in 0..<block.columns {
        func factors<T: Numeric>(_ read: (Region, Int) -> T) throws -> [(T, T)] {
          try (0..<depth * starts.count).map { k in
            let place = { "row \(row), column \(column), step \(k), task \(self.task)" }
            let a = try left.position(
              leftAt + row * block.leftPitch + starts[k / depth] + k % depth, self, place)
            let b = try right.position(
              rightAt + k / interleave * block.rightPitch + column * interleave + k % interleave, self, place)
            return (read(left, a), read(right, b))
          }
        }
        let place = try sums.position(sumsAt + row * block.columns + column, self) {
          "row \(row), column \(column), task \(self.task)"
        }
        if sums.element == .f32 {
          var sum = Self.sum(try factors(Self.single), run: run)
          ElementCodec.encode(.f32, &sum, count: 1, to: sums.base) { _ in place }
        } else {
          var sum = try factors(Self.integer).reduce(Int64(0)) { $0 &+ $1.0 &* $1.1 }
          ScalarLanes.wrap(.i32, &sum, 1)
          ElementCodec.encode(.i32, &sum, count: 1, to: sums.base) { _ in place }
        }
      }
    }
  }

  private static func single(_ region: Region, _ position: Int) -> Float {
    var value: Float = 0
    ElementCodec.decode(region.element, region.base, count: 1, into: &value) { _ in position }
    return value
  }

  private static func integer(_ region: Region, _ position: Int) -> Int64 {
    var value: Int64 = 0
    ElementCodec.decode(region.element, region.base, count: 1, into: &value) { _ in position }
    return value
  }

  /// The sum of products of bf16, in the order that `TileDot` tells.
  private static func sum(_ factors: [(Float, Float)], run: Int) -> Float {
    var total: Float = 0
    for first in stride(from: 0, to: factors.count, by: run) {
      func half(_ parity: Int) -> Float {
        stride(from: first + parity, to: first + run, by: 2).reduce(Float(0)) {
          $0.addingProduct(factors[$1].0, factors[$1].1)
        }
      }
      total += half(0) + half(1)
    }
    return total
  }
}
