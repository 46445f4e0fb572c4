import SinterCore
import SinterKernelIR
import Testing

@Suite("Kernel verifier")
struct KernelVerifierTests {
  /// A kernel's text and what is wrong with it.
  struct Case: Sendable, CustomTestStringConvertible {
    var body: String
    var problems: [String]
    var testDescription: String { problems.first ?? "right" }
  }

  static let cases: [Case] = [
    Case(body: "%1: f32 = load p0[%0]  store %1 p1[%0]", problems: []),
    Case(body: "%1: f32 = load p0[%2]  %2: i64 = constant 1", problems: ["%2 is used where it is not defined"]),
    Case(
      body: "for %1 = %0 to %0 step 1 unroll 1 \"i\" { %2: i64 = constant 1 } %3: f32 = load p0[%2]",
      problems: ["%2 is used where it is not defined"]),
    Case(body: "%1: f32 = load p1[%0]", problems: ["parameter(1) is read, but may only be written"]),
    Case(
      body: "%1: f32 = load p0[%0]  store %1 p0[%0]", problems: ["parameter(0) is written, but may only be read"]),
    Case(body: "%1: f64 = load p0[%0]", problems: ["parameter(0) holds f32, not f64"]),
    Case(body: "%1: f32 = load p7[%0]", problems: ["parameter(7) does not exist"]),
    Case(
      body: "%1: f16 = constant 1.0  %2: f16 = add %1, %1", problems: ["add is not done on f16"]),
    Case(
      body: "%1: f32x4 = constant 1.0  %2: f32 = constant 1.0  %3: f32x4 = add %1, %2",
      problems: ["add wants f32x4, but %2 is f32"]),
    Case(
      body: "%1: u8x8 = constant 1  %2: i8x8 = constant 1  %3: i32x2 = constant 0  %4: i32x2 = dot %1, %2, %3",
      problems: []),
    Case(
      body: "%1: u8x8 = constant 1  %2: i8x4 = constant 1  %3: i32x2 = constant 0  %4: i32x2 = dot %1, %2, %3",
      problems: ["dot wants i8x8, but %2 is i8x4"]),
    Case(
      body: "%1: u8x8 = constant 1  %2: i8x8 = constant 1  %3: f32x2 = constant 0.0  %4: f32x2 = dot %1, %2, %3",
      problems: ["dot wants bf16x4, but %1 is u8x8", "dot wants bf16x4, but %2 is i8x8"]),
    Case(
      body: "%1: u8x8 = constant 1  %2: i8x8 = constant 1  %3: i16x2 = constant 0  %4: i16x2 = dot %1, %2, %3",
      problems: ["dot sums in i32 or f32, not in i16"]),
    Case(
      body: "%1: f32x3 = constant 1.0  %2: f32 = combineLanes sum %1",
      problems: ["combineLanes wants a power of two of lanes, not 3"]),
    Case(
      body: "%1: f32 = constant 1.0  for %2 = %0 to %0 step 0 unroll 1 \"i\" { }",
      problems: ["loop i does not advance"]),
  ]

  @Test(arguments: cases) func finds(_ item: Case) throws {
    let kernel = try Kernel(parsing: "kernel \"k\" (read f32 \"x\", write f32 \"y\") sizes 0 { \(item.body) }")
    #expect(KernelVerifier.problems(in: kernel) == item.problems)
  }

  @Test(arguments: ["kernel", "kernel \"k\" () sizes 0 { %5: f32 = constant 1.0 }", "kernel \"k\" () sizes 0 { frob }"])
  func badTextIsAnError(text: String) {
    #expect(throws: DiagnosticError.self) { try Kernel(parsing: text) }
  }
}
