import Glibc
import SinterCore
import SinterKernelIR

/// What becomes of a program.
public struct LibraryOptions: Sendable {
  /// The kind of file that is written.
  public enum Emission: String, Sendable, CaseIterable {
    /// A shared library, the default.
    case library = "so"
    /// A static archive and a relocatable object, which export `<name>_library`.
    case archive = "a"
    case object = "o"
    /// The kernels as assembly, and as LLVM's text after its passes.
    case assembly = "s"
    case llvm = "ll"

    /// What a path's ending asks for.
    public init?(path: String) {
      guard let dot = path.lastIndex(of: ".") else { return nil }
      self.init(rawValue: String(path[path.index(after: dot)...]))
    }
  }

  /// The processor that code is written for; this machine's unless given.
  public var target: Target
  /// The kind of file to write.
  public var emission: Emission
  /// Keeps the weights in a file `<name>.weights` beside the library.
  public var weightsBeside: Bool
  /// Writes `<name>.h` and `sinter.h` beside a library, an archive or an object.
  public var writesHeaders: Bool
  /// Has the library note when each kernel runs, for `sinter_profile.h`. Others hold no code for that.
  public var profiles: Bool
  /// Threads that compile kernels; as many as there are processors, unless told otherwise.
  public var threads: Int
  /// The linker; nil: `LD`, else `ld`.
  public var linker: String?
  /// Hears how many parts of the code are compiled, and how many there are.
  package var progress: ProgressListener?
  /// The C compiler for the runtime, with arguments; nil: `CC`, else `cc`.
  package var compiler: String?

  /// Options for one library; each parameter is the property of its name.
  public init(
    target: Target = .host, emission: Emission = .library, weightsBeside: Bool = false, writesHeaders: Bool = true,
    profiles: Bool = false, threads: Int? = nil, linker: String? = nil
  ) {
    self.target = target
    self.emission = emission
    self.weightsBeside = weightsBeside
    self.writesHeaders = writesHeaders
    self.profiles = profiles
    self.threads = threads ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    self.linker = linker
  }
}

/// A model as it is computed on one kind of processor.
package struct LibraryVariant: Sendable {
  package var target: Target
  package var program: KernelProgram

  package init(target: Target, program: KernelProgram) {
    self.target = target
    self.program = program
  }
}

/// The files that a compilation made, and what it took.
public struct LibraryArtifacts: Sendable {
  /// The library, archive, object or listing.
  public var path: String
  /// `<name>.h`, `sinter.h`, and `sinter_profile.h` where it applies; empty where none were asked for.
  public var headers: [String] = []
  /// The file of the weights that belongs beside the library; nil where the library holds them.
  public var weightsPath: String?
  /// Bytes of weights, inside the library or beside it.
  public var weightBytes = 0
  /// The number of kernels, each a function of its own.
  public var kernelCount = 0
  /// Seconds: LLVM on the kernels, on the program itself, and the linker with the weights.
  public var kernelSeconds = 0.0
  /// Seconds that LLVM took for the code that calls the kernels.
  public var programSeconds = 0.0
  /// Seconds that the linker took, weights included.
  public var linkSeconds = 0.0
}
