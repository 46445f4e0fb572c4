import SinterCore
import SinterKernelIR
import Testing

/// Which states are written over, of programs of copies between x (input 0), the state (input 1), y (output 0) and its next value (output 1).
@Suite struct StatesInPlaceTests {
  private enum Place: Int { case x, state, y, next, scratch }

  /// `mark` tells whether the kernel reads what it may be written over; `checks` whether it may fail.
  private func program(
    _ build: (_ copy: (Place, Place, _ mark: Bool, _ checks: Bool) -> KernelProgram.Step) -> [KernelProgram.Step]
  )
    -> KernelProgram
  {
    var result = KernelProgram(name: "states")
    let type = TensorType(.f32, [4])
    result.inputs = ["x", "state"].map { .init(name: $0, type: type) }
    result.outputs = ["y", "next"].map { .init(name: $0, type: type) }
    for (name, storage) in [
      ("x", KernelProgram.Buffer.Storage.input(0)), ("state", .input(1)), ("y", .output(0)), ("next", .output(1)),
      ("scratch", .arena),
    ] {
      result.buffers.append(.init(name: name, element: .f32, count: 4, storage: storage))
    }
    result.states = [StatePort(input: 1, output: 1, initial: .f32([4], [1, 2, 3, 4]))]
    result.errors = ["no"]
    let kernels = [false, true].map { checks in
      let builder = KernelBuilder(name: checks ? "checked" : "copy")
      let (from, to) = (builder.parameter("from", .f32, .read), builder.parameter("to", .f32, .write))
      if checks {
        builder.check(
          builder.compare(.less, builder.task, builder.index(9)), error: 0, value: builder.task, bound: builder.index(9)
        )
      }
      let value = builder.load(from, at: builder.task)
      builder.store(builder.add(value, builder.constant(.float(1), .f32)), to, at: builder.task)
      return result.kernels.append(builder.finish())
    }
    result.steps = build { from, to, mark, checks in
      var call = KernelProgram.Call(
        kernel: kernels[checks ? 1 : 0], buffers: [.init(BufferID(from.rawValue)), .init(BufferID(to.rawValue))],
        sizes: [], tasks: 4, grain: 1)
      if mark { call.overwritable = [0] }
      return .call(call)
    }
    result.findStatesInPlace()
    return result
  }

  private func outputs(_ program: KernelProgram) throws -> [[Double]] {
    try KernelInterpreter(program).run([.f32([4], [5, 6, 7, 8]), .f32([4], [1, 2, 3, 4])]).compactMap(\.doubles)
  }

  @Test func aStateThatNothingReadsAnyMoreIsWrittenOver() throws {
    let updated = program { copy in [copy(.x, .y, false, true), copy(.state, .next, true, false)] }
    #expect(updated.statesInPlace == [0])
    #expect(try outputs(updated) == [[6, 7, 8, 9], [2, 3, 4, 5]])
    let replaced = program { copy in
      [copy(.state, .scratch, false, false), copy(.scratch, .next, false, false), copy(.next, .y, false, false)]
    }
    #expect(replaced.statesInPlace == [0])
    #expect(try outputs(replaced) == [[4, 5, 6, 7], [3, 4, 5, 6]])
  }

  @Test func aStateThatIsReadLaterIsNot() throws {
    let later = program { copy in [copy(.x, .next, false, false), copy(.state, .y, false, false)] }
    #expect(later.statesInPlace == [])
    #expect(try outputs(later) == [[2, 3, 4, 5], [6, 7, 8, 9]])
    // A kernel that reads other elements than it writes.
    #expect(program { copy in [copy(.state, .next, false, false)] }.statesInPlace == [])
    // One of several iterations may write before the next one reads.
    let looped = program { copy in
      [.loop(iteration: Symbol("t"), count: 2, condition: nil, body: [copy(.state, .next, true, false)])]
    }
    #expect(looped.statesInPlace == [])
  }

  @Test func nothingMayFailOnceAStateIsWritten() {
    #expect(program { copy in [copy(.state, .next, true, true)] }.statesInPlace == [])
    #expect(program { copy in [copy(.state, .next, true, false), copy(.x, .y, false, true)] }.statesInPlace == [])
    #expect(program { copy in [copy(.state, .next, true, false), .output(0)] }.statesInPlace == [])
    let inLoop = program { copy in
      [
        copy(.state, .next, true, false),
        .loop(iteration: Symbol("t"), count: 2, condition: nil, body: [copy(.x, .y, false, true)]),
      ]
    }
    #expect(inLoop.statesInPlace == [])
  }
}
