import SinterCore
import Testing

@testable import SinterCPU

/// How products are cut into tasks.
@Suite("Cuts of products into tasks")
struct ProductPlanTests {
  private func plan(_ rows: Int, _ columns: Int, _ depth: Int, outer: Int = 1) -> ProductPlan {
    let machine = Machine.x86_64_v4
    return ProductPlan(
      rows: Dim(rows), columns: Dim(columns), depth: Dim(depth),
      tile: .choose(rows: rows, columns: columns, lanes: 16, machine: machine), lanes: 16, elementBytes: 4,
      outer: Dim(outer), machine: machine)
  }

  /// Sizes from models: a product that takes a tenth of a millisecond or more keeps two and four threads busy.
  @Test(arguments: [
    [196, 32, 1152], [3136, 64, 576], [64, 2048, 512], [1, 2048, 512], [1, 1536, 512], [128, 768, 3072],
    [784, 128, 512], [196, 1000, 64], [12544, 16, 144], [17, 4096, 256],
  ])
  func threadsShareEvenly(_ size: [Int]) throws {
    let plan = plan(size[0], size[1], size[2])
    let tasks = try #require(plan.tasks.value)
    #expect(tasks >= 4 * plan.grain)
    for (threads, loss) in [(2, 1.15), (4, 1.34)] {
      let most = (tasks + threads - 1) / threads * threads
      #expect(Double(most) <= loss * Double(tasks), "\(tasks) tasks for \(threads) threads")
    }
  }

  /// Every row and every panel is in one block, whatever the sizes.
  @Test func blocksCover() throws {
    for rows in [1, 2, 7, 13, 100] {
      for columns in [1, 16, 33, 500] {
        for outer in [1, 3] {
          let plan = plan(rows, columns, 24, outer: outer)
          let (rowBlocks, columnBlocks) = (try #require(plan.rowBlocks.value), try #require(plan.columnBlocks.value))
          let panels = try #require(plan.panels.value)
          #expect(rowBlocks * plan.blockRows >= rows && (rowBlocks - 1) * plan.blockRows < rows)
          #expect(columnBlocks * plan.blockPanels >= panels && (columnBlocks - 1) * plan.blockPanels < panels)
          #expect(plan.tasks.value == rowBlocks * columnBlocks * outer)
          #expect(plan.blockRows == rows || plan.blockRows % plan.tile.rows == 0)
        }
      }
    }
  }

  /// A small product stays on one thread.
  @Test func smallProductsStayTogether() {
    let plan = plan(1, 64, 64)
    #expect(plan.tasks.value.map { $0 < 2 * plan.grain } == true)
  }
}
