import SinterCore
import SinterKernelIR
import Testing

@testable import SinterLLVM

/// The code of inner loops that all speed rests on.
struct MicroKernelTests {
  /// A register tile over k: rows × vectors accumulators, A row-major, B in panels.
  static func tile(rows: Int, vectors: Int, lanes: Int, depth: Int) -> Kernel {
    let b = KernelBuilder(name: "contract_f32_\(rows)x\(vectors * lanes)")
    let lhs = b.parameter("a", .f32, .read)
    let rhs = b.parameter("b", .f32, .read)
    let out = b.parameter("c", .f32, .write)
    let width = vectors * lanes
    let zeros = (0..<(rows * vectors)).map { _ in b.float(0, lanes: lanes) }
    let sums = b.loop("k", from: b.index(0), to: b.index(depth), carrying: zeros) { k, current in
      let base = b.multiply(k, width)
      let columns = (0..<vectors).map { b.load(rhs, at: b.add(base, $0 * lanes), lanes: lanes) }
      return (0..<rows).flatMap { row in
        let value = b.broadcast(b.load(lhs, at: b.add(k, row * depth)), lanes: lanes)
        return (0..<vectors).map { b.multiplyAdd(value, columns[$0], current[row * vectors + $0]) }
      }
    }
    for row in 0..<rows {
      for vector in 0..<vectors {
        b.store(sums[row * vectors + vector], out, at: b.index(row * width + vector * lanes))
      }
    }
    return b.finish()
  }

  @Test(arguments: [
    ("x86-64-v4", 8, 3, 16, "zmm"), ("x86-64-v4", 12, 2, 16, "zmm"), ("x86-64-v4", 14, 2, 16, "zmm"),
    ("x86-64-v3", 6, 2, 8, "ymm"), ("x86-64-v3", 4, 3, 8, "ymm"),
  ])
  func tilesStayInRegisters(target: String, rows: Int, vectors: Int, lanes: Int, register: String) throws {
    var program = KernelProgram(name: "tile")
    program.kernels.append(Self.tile(rows: rows, vectors: vectors, lanes: lanes, depth: 768))
    let compiler = KernelCompiler(target: try Target.named(target), threads: 1)
    let text = try compiler.listing(program, asAssembly: true).joined()
    let lines = text.split(separator: "\n")
    let sums = lines.filter { $0.contains("vfmadd") && $0.contains(register) }
    #expect(sums.count == rows * vectors)
    let spills = lines.filter { $0.contains("(%rsp)") && $0.contains(register) }
    #expect(spills.isEmpty, "\(spills)")
  }

  /// The same for bytes: four steps along k at a time, four bytes of a row in all lanes.
  static func byteTile(rows: Int, vectors: Int, lanes: Int, depth: Int) -> Kernel {
    let b = KernelBuilder(name: "contract_u8i8_\(rows)x\(vectors * lanes)")
    let lhs = b.parameter("a", .u8, .read)
    let rhs = b.parameter("b", .i8, .read)
    let out = b.parameter("c", .i32, .write)
    let width = vectors * lanes
    let zeros = (0..<(rows * vectors)).map { _ in b.constant(.int(0), .i32, lanes: lanes) }
    let sums = b.loop("k", from: b.index(0), to: b.index(depth), step: 4, carrying: zeros) { k, current in
      let base = b.multiply(k, width)
      let columns = (0..<vectors).map { b.load(rhs, at: b.add(base, 4 * $0 * lanes), lanes: 4 * lanes) }
      return (0..<rows).flatMap { row in
        let value = b.repeated(b.load(lhs, at: b.add(k, row * depth), lanes: 4), lanes: 4 * lanes)
        return (0..<vectors).map { b.dot(value, columns[$0], current[row * vectors + $0]) }
      }
    }
    for (index, sum) in sums.enumerated() { b.store(sum, out, at: b.index(index * lanes)) }
    return b.finish()
  }

  @Test(arguments: [
    ("icelake-server", 8, 3, 16, "zmm"), ("znver4", 13, 2, 16, "zmm"), ("alderlake", 4, 3, 8, "ymm"),
    ("alderlake", 6, 2, 8, "ymm"),
  ])
  func byteTilesStayInRegisters(target: String, rows: Int, vectors: Int, lanes: Int, register: String) throws {
    var program = KernelProgram(name: "tile")
    program.kernels.append(Self.byteTile(rows: rows, vectors: vectors, lanes: lanes, depth: 768))
    let compiler = KernelCompiler(target: try Target.named(target), threads: 1)
    let lines = try compiler.listing(program, asAssembly: true).joined().split(separator: "\n")
    #expect(lines.filter { $0.contains("vpdpbusd") && $0.contains(register) }.count == rows * vectors)
    #expect(lines.filter { $0.contains("(%rsp)") && $0.contains(register) }.isEmpty)
    #expect(lines.filter { $0.contains("vpbroadcastd") && $0.contains(register) }.count == rows)
  }
}
