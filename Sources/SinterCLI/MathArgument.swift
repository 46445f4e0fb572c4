import ArgumentParser
import Sinter
import SinterCPU

/// How exactly a model that is compiled on the command line computes.
struct MathArgument: ParsableArguments {
  @Option(
    help: """
      How products and convolutions of f32 take their operands: f32, as they are, or bf16: weights rounded to bf16, in half the memory, and \
      what they are multiplied with rounded as well where the processor is faster by that. Sums are f32 in any case.
      """)
  var math = ProductMath.f32
}

extension ProductMath: ExpressibleByArgument {}
