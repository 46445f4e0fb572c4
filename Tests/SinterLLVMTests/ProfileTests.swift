import Glibc
import SinterCore
import SinterKernelIR
import SinterLLVM
import Testing

/// Libraries that note when their kernels run, and that others know nothing of it.
@Suite struct ProfileTests {
  /// Two kernels, the second in a loop of three iterations, whose operations depend on the size n.
  private static func looping() -> KernelProgram {
    var program = LibraryTests.scaled()
    guard case .call(var scale) = program.steps[0], case .call(var offset) = program.steps[1] else { return program }
    scale.origin = ["layer block.0, node /block/0/Mul", "node /block/0/Cast"]
    scale.flops = Dim("n") * 2
    let (n, iteration): (Dim, Dim) = ("n", "iteration")
    offset.bytes = n * 8 * (iteration + 1)
    program.steps = [
      .call(scale), .loop(iteration: Symbol("iteration"), count: 3, condition: nil, body: [.call(offset)]),
    ]
    return program
  }

  @Test func launchesAreToldInOrder() throws {
    try withFolder { folder in
      let made = try LibraryCompiler.compile(
        Self.looping(), to: folder + "/libscaled.so", options: LibraryOptions(profiles: true))
      #expect(made.headers.map { $0.split(separator: "/").last } == ["scaled.h", "sinter.h", "sinter_profile.h"])
      let client = try CProgram(
        """
        int main(void) {
          const SinterLibrary *library = sinter_library();
          const SinterProfile *profile = sinter_profile();
          SinterSession *session;
          if (profile->version != SINTER_PROFILE_VERSION || library->open(NULL, &session)) return 1;
          size_t count = 9;
          profile->launches(session, &count);
          if (count != 0) return 2;
          static float x[1001], y[1001];
          for (int turn = 0; turn < 200; turn++) if (scaled_run(library, session, 100, x, y)) return 3;
          const SinterLaunch *launches = profile->launches(session, &count);
          if (count != 4 || launches[0].begin_ns != 0) return 4;
          int64_t end = 0;
          for (size_t i = 0; i < count; i++) {
            if (launches[i].begin_ns < end || launches[i].end_ns < launches[i].begin_ns) return 5;
            end = launches[i].end_ns;
            printf("%s %lld %lld", launches[i].call->kernel, (long long)launches[i].flops, (long long)launches[i].bytes);
            for (size_t j = 0; j < launches[i].call->origin_count; j++) printf(" [%s]", launches[i].call->origins[j]);
            puts("");
          }
          if (launches[1].call != launches[3].call) return 6;
          if (scaled_run(library, session, 1001, x, y) != SINTER_RUNTIME_ERROR) return 7;
          profile->launches(session, &count);
          if (count != 2) return 8; /* none after the one that failed */
          library->close(session);
          return 0;
        }
        """, header: "scaled.h", in: folder, linking: ["\(folder)/libscaled.so", "-Wl,-rpath,\(folder)"])
      let result = try client.run()
      let expected = """
        scale 200 -1 [layer block.0, node /block/0/Mul] [node /block/0/Cast]
        offset -1 800
        offset -1 1600
        offset -1 2400

        """
      #expect(result.status == 0 && result.output == expected, "\(result)")
    }
  }

  @Test func onlyProfiledLibrariesKnowOfIt() throws {
    try withFolder { folder in
      for profiles in [false, true] {
        let path = "\(folder)/libscaled.so"
        _ = try LibraryCompiler.compile(Self.looping(), to: path, options: LibraryOptions(profiles: profiles))
        let symbols = try Subprocess.run("nm", ["-D", "--defined-only", path]).output.split(separator: "\n")
        #expect(
          symbols.compactMap { $0.split(separator: " ").last }.sorted()
            == (profiles ? ["sinter_library", "sinter_profile"] : ["sinter_library"]))
        #expect(try Subprocess.run("grep", ["-c", "/block/0/Mul", path]).succeeded == profiles)
      }
    }
  }

  @Test(arguments: [LibraryOptions.Emission.archive, .object])
  func archivesHaveAnEntryOfTheirOwn(emission: LibraryOptions.Emission) throws {
    try withFolder { folder in
      let path = "\(folder)/scaled.\(emission.rawValue)"
      _ = try LibraryCompiler.compile(
        Self.looping(), to: path, options: LibraryOptions(emission: emission, profiles: true))
      let client = try CProgram(
        """
        int main(void) {
          SinterSession *session;
          size_t count;
          float x[4] = {1, 1, 1, 1}, y[4];
          if (scaled_library()->open(NULL, &session) || scaled_run(scaled_library(), session, 4, x, y)) return 1;
          scaled_profile()->launches(session, &count);
          scaled_library()->close(session);
          return count != 4;
        }
        """, header: "scaled.h", in: folder, linking: [path])
      #expect(try client.run().status == 0)
    }
  }
}
