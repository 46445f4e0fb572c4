import SinterCore
import SinterKernelIR
import Testing

@Suite("Memory planner")
struct MemoryPlannerTests {
  /// A program of buffers of `sizes` elements whose calls read and write them as listed; "loop" groups run several iterations.
  private func program(_ sizes: [Int], _ build: (inout [KernelProgram.Step], (Int, Int) -> KernelProgram.Step) -> Void)
    -> KernelProgram
  {
    var result = KernelProgram(name: "plan")
    for (number, size) in sizes.enumerated() {
      result.buffers.append(.init(name: "b\(number)", element: .f32, count: Dim(size), storage: .arena))
    }
    let builder = KernelBuilder(name: "copy")
    let (x, y) = (builder.parameter("x", .f32, .read), builder.parameter("y", .f32, .write))
    builder.store(builder.load(x, at: builder.task), y, at: builder.task)
    let kernel = result.kernels.append(builder.finish())
    build(&result.steps) { from, to in
      .call(
        .init(kernel: kernel, buffers: [.init(BufferID(from)), .init(BufferID(to))], sizes: [], tasks: 1, grain: 1))
    }
    return result
  }

  @Test func chainsShareTwoPlaces() {
    var chain = program([16, 16, 16, 16]) { steps, call in steps = [call(0, 1), call(1, 2), call(2, 3)] }
    MemoryPlanner.plan(&chain)
    #expect(chain.arenaBytes == 128)
    #expect(chain.buffers.elements.map(\.offset) == [0, 64, 0, 64])
  }

  @Test func loopsKeepWhatIterationsHandOn() {
    let looped = program([16, 16, 16]) { steps, call in
      steps = [
        call(0, 1), .loop(iteration: Symbol("t"), count: 3, condition: nil, body: [call(1, 2), call(2, 1)]), call(1, 0),
      ]
    }
    let lifetimes = MemoryPlanner.lifetimes(of: looped)
    // What is handed on lives through the loop; what each iteration writes first lives inside an iteration.
    #expect(lifetimes.map(\.first) == [0, 0, 1])
    #expect(lifetimes.map(\.last) == [3, 3, 2])
  }

  @Test func symbolicSizesStayUnplanned() {
    var symbolic = program([16]) { steps, call in steps = [call(0, 0)] }
    symbolic.buffers.append(.init(name: "s", element: .f32, count: "n", storage: .arena))
    MemoryPlanner.plan(&symbolic)
    #expect(symbolic.arenaBytes == nil)
  }
}
