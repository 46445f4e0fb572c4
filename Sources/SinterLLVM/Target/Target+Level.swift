import Glibc
import SinterCPU

extension Target {
  /// The instruction sets of x86-64 as the psABI numbers them.
  enum Level: String, CaseIterable, Comparable {
    case v1 = "x86-64"
    case v2 = "x86-64-v2"
    case v3 = "x86-64-v3"
    case v4 = "x86-64-v4"

    static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }

    var machine: Machine {
      switch self {
      case .v1: .generic
      case .v2: .x86_64_v2
      case .v3: .x86_64_v3
      case .v4: .x86_64_v4
      }
    }

    /// All features of the level, in the spelling of /proc/cpuinfo.
    var features: [String] {
      switch self {
      case .v1: []
      case .v2: ["cx16", "lahf_lm", "popcnt", "ssse3", "sse4_1", "sse4_2"]
      case .v3: Level.v2.features + ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]
      case .v4: Level.v3.features + ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]
      }
    }

    /// The same in LLVM's spelling.
    var llvmFeatures: Set<String> {
      let spelling = ["lahf_lm": "sahf", "sse4_1": "sse4.1", "sse4_2": "sse4.2", "bmi1": "bmi", "abm": "lzcnt"]
      return Set(features.map { spelling[$0] ?? $0 })
    }

    /// The level of processors that `--cpu` knows by name.
    static let ofProcessor: [String: Level] = [
      "nehalem": .v2, "westmere": .v2, "sandybridge": .v2, "ivybridge": .v2, "btver2": .v2,
      "haswell": .v3, "broadwell": .v3, "skylake": .v3, "alderlake": .v3, "raptorlake": .v3, "meteorlake": .v3,
      "arrowlake": .v3, "lunarlake": .v3, "znver1": .v3, "znver2": .v3, "znver3": .v3,
      "skylake-avx512": .v4, "cascadelake": .v4, "cooperlake": .v4, "icelake-client": .v4, "icelake-server": .v4,
      "tigerlake": .v4, "rocketlake": .v4, "sapphirerapids": .v4, "emeraldrapids": .v4, "graniterapids": .v4,
      "znver4": .v4, "znver5": .v4,
    ]
  }

  /// A feature beyond a level that selection makes use of.
  struct Extension {
    let llvm: String
    let cpuinfo: String
    /// The level below which it is of no use.
    let least: Level

    static let all: [Extension] = [
      Extension(llvm: "avxvnni", cpuinfo: "avx_vnni", least: .v3),
      Extension(llvm: "gfni", cpuinfo: "gfni", least: .v3),
      Extension(llvm: "avx512vnni", cpuinfo: "avx512_vnni", least: .v4),
      Extension(llvm: "avx512vbmi", cpuinfo: "avx512vbmi", least: .v4),
      Extension(llvm: "avx512vbmi2", cpuinfo: "avx512_vbmi2", least: .v4),
      Extension(llvm: "avx512bitalg", cpuinfo: "avx512_bitalg", least: .v4),
      Extension(llvm: "avx512bf16", cpuinfo: "avx512_bf16", least: .v4),
      Extension(llvm: "avx512vpopcntdq", cpuinfo: "avx512_vpopcntdq", least: .v4),
      Extension(llvm: "amx-tile", cpuinfo: "amx_tile", least: .v4),
      Extension(llvm: "amx-int8", cpuinfo: "amx_int8", least: .v4),
      Extension(llvm: "amx-bf16", cpuinfo: "amx_bf16", least: .v4),
    ]
  }

  /// Sums of products of bytes and of bf16 and permutations of bytes, in the spelling of LLVM, on the processors that `--cpu` knows by name and that have them.
  static func features(ofProcessor name: String) -> [Extension] {
    let found: [String]
    switch name {
    case "cascadelake": found = ["avx512vnni"]
    case "icelake-client", "icelake-server", "tigerlake", "rocketlake": found = ["avx512vnni", "avx512vbmi"]
    case "cooperlake": found = ["avx512vnni", "avx512bf16"]
    case "znver4": found = ["avx512vnni", "avx512vbmi", "avx512bf16"]
    case "znver5": found = ["avxvnni", "avx512vnni", "avx512vbmi", "avx512bf16"]
    case "sapphirerapids", "emeraldrapids", "graniterapids":
      found = ["avxvnni", "avx512vnni", "avx512vbmi", "avx512bf16", "amx-tile", "amx-int8", "amx-bf16"]
    case "alderlake", "raptorlake", "meteorlake", "arrowlake", "lunarlake": found = ["avxvnni"]
    default: found = []
    }
    return Extension.all.filter { found.contains($0.llvm) }
  }

  /// Level and bytes of the data caches that a core has, as far as the C library tells.
  static func hostCaches() -> [(level: Int, bytes: Int)] {
    let names = [(1, _SC_LEVEL1_DCACHE_SIZE), (2, _SC_LEVEL2_CACHE_SIZE), (3, _SC_LEVEL3_CACHE_SIZE)]
    return names.compactMap { level, name in
      let bytes = sysconf(Int32(name))
      guard bytes > 0 else { return nil }
      let cores = level == 3 ? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) : 1
      return (level, bytes / cores)
    }
  }
}
