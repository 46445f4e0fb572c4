import SinterCore
import Testing

@testable import SinterLLVM

/// What LLVM refuses is an error that is told, not the end of the process by a signal.
@Suite struct ModuleVerificationTests {
  /// A function whose result is not what its type says, and one that is right.
  @Test func invalidModulesAreBugsThatNameTheFunction() throws {
    let ir = IRModule(name: "test", target: .host)
    for (name, value) in [("sinter_k0_right", ir.int(ir.i32, 0)), ("sinter_k1_wrong", ir.int(ir.i64, 0))] {
      let function = ir.function(name, ir.functionType(ir.i32, []))
      ir.position(at: ir.block("entry", in: function))
      ir.giveBack(value)
    }
    let error = #expect(throws: DiagnosticError.self) { try CodeGenerator(target: .host).verify(ir) }
    #expect(error?.diagnostics.map(\.id) == ["llvm.verify"])
    #expect(error?.diagnostics.map(\.kind) == [.bug])
    #expect(error?.diagnostics.first?.places == ["function sinter_k1_wrong"])
  }

  @Test func validModulesPass() throws {
    let ir = IRModule(name: "test", target: .host)
    let function = ir.function("right", ir.functionType(ir.i32, []))
    ir.position(at: ir.block("entry", in: function))
    ir.giveBack(ir.int(ir.i32, 0))
    try CodeGenerator(target: .host).verify(ir)
    #expect(ir.complaints == [])
  }

  /// The length of the longest block says whether code is written hastily, which is other code for the same function.
  @Test func theLongestBlockIsCounted() throws {
    let ir = IRModule(name: "test", target: .host)
    for (name, count) in [("short", 2), ("long", 40), ("middle", 7)] {
      let function = ir.function(name, ir.functionType(ir.i64, [ir.i64]))
      ir.position(at: ir.block("entry", in: function))
      var sum = ir.parameter(function, 0)
      for _ in 0..<count { sum = ir.mul(sum, sum) }
      ir.giveBack(sum)
    }
    #expect(ir.longestBlock == 41)
    let texts = try [false, true].map { try CodeGenerator(target: .host, isHasty: $0).assembly(ir) }
    #expect(texts.allSatisfy { $0.contains("imul") } && texts[0] != texts[1])
  }

  /// An instruction that the processor does not have: valid as far as LLVM's verifier goes, but fatal where code is generated.
  private static func emitImpossibleCode() throws {
    let target = try #require(Target(named: "x86-64-v2"))
    let ir = IRModule(name: "test", target: target)
    let type = ir.vector(ir.f32, 16)
    let function = ir.function("impossible", ir.functionType(type, [type]))
    ir.position(at: ir.block("entry", in: function))
    let x = ir.parameter(function, 0)
    ir.giveBack(
      ir.intrinsic(
        "llvm.x86.avx512.mask.scalef.ps.512", [], [x, x, x, ir.int(ir.i16, -1), ir.int(ir.i32, 4)]))
    let generator = try CodeGenerator(target: target)
    try generator.verify(ir)
    _ = try generator.object(ir)
  }

  @Test func fatalErrorsEndTheProcessWithALine() async throws {
    let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
      FatalErrors.endProcessWithMessage()
      try ModuleVerificationTests.emitImpossibleCode()
    }
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.hasPrefix("sinter: internal error: LLVM cannot go on: ") && text.hasSuffix("\n"), "\(text)")
  }
}
