import SinterCore
import Testing

@testable import SinterKernelIR
@testable import SinterCPU

@Suite struct KernelScopeTests {
  /// Index arithmetic of every kind, written as instructions, against its value.
  @Test func indicesOfEveryKindAreWritten() throws {
    let scope = KernelScope(name: "indices", machine: .x86_64_v3, values: EntityMap(), places: [:])
    let builder = scope.builder
    let result = builder.parameter("y", .i64, .write)
    let i = Dim(scope.bind(builder.task))
    let indices: [Dim] = [
      3 * i - 4, i / 3, (i - 5) % 4, Dim.min(i, 3), Dim.max(i - 2, 2), Dim.joint(i, i * i), Dim.place(i - 4, in: 10),
      Dim.place(i - 4, in: i + 1) * 2 + i,
    ]
    for (at, index) in indices.enumerated() {
      builder.store(
        scope.index(index), result, at: builder.add(builder.multiply(builder.task, builder.index(indices.count)), at))
    }
    #expect(scope.sizes.isEmpty)

    let tasks = 9
    var program = KernelProgram(name: "indices")
    program.outputs = [.init(name: "y", type: TensorType(.i64, [Dim(tasks * indices.count)]))]
    let output = program.buffers.append(
      .init(name: "y", element: .i64, count: Dim(tasks * indices.count), storage: .output(0)))
    let kernel = program.kernels.append(builder.finish())
    program.steps = [.call(.init(kernel: kernel, buffers: [.init(output)], sizes: [], tasks: Dim(tasks), grain: 1))]
    try KernelVerifier.verify(program)
    let given: [Int64] = try KernelInterpreter(program).run([])[0].array()
    for task in 0..<tasks {
      for (at, index) in indices.enumerated() {
        #expect(index.evaluated { _ in task } == Int(given[task * indices.count + at]), "\(index) at \(task)")
      }
    }
  }
}
