import Glibc
import SinterCore
internal import SinterABI

/// One launch of a kernel, with all its tasks on all threads.
public struct KernelLaunch: Hashable, Sendable {
  /// Equal kernels have one name.
  public var kernel: String
  /// What it computes: `layer encoder.0, node /encoder/0/MatMul`.
  public var origins: [String]
  /// Seconds since the run's first launch.
  public var begin: Double
  /// How long the launch took.
  public var seconds: Double
  /// Floating-point operations; nil where that is not known.
  public var flops: Int?
  /// Bytes that the kernel has to move; nil where that is not known.
  public var bytes: Int?
}

extension CompiledLibrary {
  /// Whether its sessions can tell of their launches: it was compiled with `--profile`.
  public var isProfiled: Bool { profile != nil }

  fileprivate var profile: UnsafePointer<SinterProfile>? {
    typealias Entry = @convention(c) () -> UnsafePointer<SinterProfile>?
    guard let symbol = dlsym(handle, "sinter_profile"), let profile = unsafeBitCast(symbol, to: Entry.self)(),
      profile.pointee.version == UInt32(SINTER_PROFILE_VERSION)
    else { return nil }
    return profile
  }
}

extension Session {
  /// The launches of the last run, in order; none before the first. Not to be called while another thread runs this session.
  public func launches() throws(DiagnosticError) -> [KernelLaunch] {
    guard let profile = library.profile else {
      throw DiagnosticError(
        .user, "profile.library", "\(library.path) was not compiled to be profiled",
        hint: "compile the model with sinter compile --profile, or give the ONNX file")
    }
    var count = 0
    let launches = profile.pointee.launches(session, &count)
    return UnsafeBufferPointer(start: launches, count: count).map(KernelLaunch.init)
  }
}

extension KernelLaunch {
  fileprivate init(_ launch: SinterLaunch) {
    let call = launch.call.pointee
    kernel = String(cString: call.kernel)
    origins = UnsafeBufferPointer(start: call.origins, count: call.origin_count).compactMap { origin in
      origin.map { String(cString: $0) }
    }
    begin = Double(launch.begin_ns) * 1e-9
    seconds = Double(launch.end_ns - launch.begin_ns) * 1e-9
    flops = launch.flops < 0 ? nil : Int(launch.flops)
    bytes = launch.bytes < 0 ? nil : Int(launch.bytes)
  }
}
