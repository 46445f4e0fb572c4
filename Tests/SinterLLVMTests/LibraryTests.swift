import Glibc
import SinterCore
import SinterKernelIR
import SinterLLVM
import Testing

/// Libraries as a C program sees them: opened, run, asked what went wrong.
@Suite struct LibraryTests {
  /// y[n] = x[n] · w[n % 4] + n for x of shape [n], in two kernels with a value between them.
  static func scaled(
    name: String = "scaled", fixed: Int? = nil, weights: HostTensor = .f32([4], [1, 2, 3, 4])
  ) -> KernelProgram {
    let size: Dim = fixed.map { Dim($0) } ?? "n"
    var program = KernelProgram(name: name)
    program.inputs = [.init(name: "x", type: TensorType(.f32, [size]))]
    program.outputs = [.init(name: "y", type: TensorType(.f32, [size]))]
    let x = program.buffers.append(.init(name: "x", element: .f32, count: size, storage: .input(0)))
    let w = program.buffers.append(
      .init(name: "w", element: .f32, count: Dim(weights.count), storage: .constant(weights)))
    let t = program.buffers.append(.init(name: "t", element: .f32, count: size, storage: .arena))
    let y = program.buffers.append(.init(name: "y", element: .f32, count: size, storage: .output(0)))

    let scale = KernelBuilder(name: "scale")
    let (sx, sw, st) = (
      scale.parameter("x", .f32, .read), scale.parameter("w", .f32, .read), scale.parameter("t", .f32, .write)
    )
    let place = scale.binary(.modulo, scale.task, scale.index(4))
    scale.store(scale.multiply(scale.load(sx, at: scale.task), scale.load(sw, at: place)), st, at: scale.task)
    let offset = KernelBuilder(name: "offset")
    let (ot, oy) = (offset.parameter("t", .f32, .read), offset.parameter("y", .f32, .write))
    let last = offset.size()
    let value = offset.load(ot, at: offset.task)
    offset.check(offset.compare(.less, offset.task, last), error: 0, value: offset.task, bound: last)
    offset.store(offset.add(value, offset.cast(offset.task, to: .f32)), oy, at: offset.task)

    program.errors = ["offset: more than 1000 elements"]
    let k0 = program.kernels.append(scale.finish())
    let k1 = program.kernels.append(offset.finish())
    program.steps = [
      .call(.init(kernel: k0, buffers: [.init(x), .init(w), .init(t)], sizes: [], tasks: size, grain: 64)),
      .call(.init(kernel: k1, buffers: [.init(t), .init(y)], sizes: [Dim.min(size, 1000)], tasks: size, grain: 64)),
    ]
    return program
  }

  /// Many weights begin with a huge page of the file, wherever it is mapped; few are not worth the empty space before that.
  @Test(arguments: [(megabytes: 1, isAligned: false), (31, false), (32, true)])
  func weightsBeginWithAHugePage(megabytes: Int, isAligned: Bool) throws {
    let hugePage = 2 << 20
    let first: [Float] = [0.125, 3.5, -77.25, 1e-20, 8.5e30, -0.75, 12, 42]
    let count = megabytes << 18
    let weights = HostTensor.f32([count], first + [Float](repeating: 0, count: count - first.count))
    try withFolder { folder in
      let path = try LibraryCompiler.compile(Self.scaled(weights: weights), to: folder + "/libmany.so").path
      try Files.contents(of: path).withUnsafeBytes { bytes in
        let pattern = first.withUnsafeBytes { Array($0) }
        let offset = try #require(
          stride(from: 0, to: bytes.count - pattern.count, by: WeightLayout.alignment).first {
            bytes[$0..<($0 + pattern.count)].elementsEqual(pattern)
          })
        #expect((offset % hugePage == 0) == isAligned)
        #expect(bytes.count - count * 4 < (isAligned ? hugePage : 0) + 256 << 10)
        // The program headers of ELF: where a segment lies in the file, and where in memory.
        func word(_ place: Int) -> Int { Int(bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) }
        let headers = (0..<Int(bytes.loadUnaligned(fromByteOffset: 56, as: UInt16.self))).map { word(32) + $0 * 56 }
        let segment = try #require(
          headers.first {
            bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self) == 1 && word($0 + 8) <= offset
              && offset < word($0 + 8) + word($0 + 32)
          })
        let address = word(segment + 16) + offset - word(segment + 8)
        #expect(address % WeightLayout.alignment == 0)
        if isAligned { #expect(address % hugePage == 0 && word(segment + 48) % hugePage == 0) }
      }
    }
  }

  /// Any bit of the file counts, and so does its length.
  @Test func weightsThatAreNotTheLibrarysAreRefused() throws {
    try withFolder { folder in
      let artifacts = try LibraryCompiler.compile(
        Self.scaled(), to: folder + "/libscaled.so", options: LibraryOptions(weightsBeside: true))
      let client = try CProgram(
        """
        int main(void) {
          const SinterLibrary *library =
              ((const SinterLibrary *(*)(void))dlsym(dlopen("\(folder)/libscaled.so", RTLD_NOW | RTLD_LOCAL), "sinter_library"))();
          SinterSession *session;
          for (int round = 0; round < 2; round++) {
            if (library->open(NULL, &session)) { puts(library->message(NULL)); return 1; }
            library->close(session);
          }
          unsigned char bytes[64];
          FILE *file = fopen("\(artifacts.weightsPath ?? "")", "rb");
          if (!file || fread(bytes, 1, 64, file) != 64 || fclose(file)) { puts("not read"); return 1; }
          SinterOptions options = {.size = sizeof options, .weights = "\(folder)/copy"};
          for (int byte = 0; byte <= 64; byte++) {
            if (byte < 64) bytes[byte] ^= 1 << byte % 8;
            file = fopen("\(folder)/copy", "wb");
            if (!file || fwrite(bytes, 1, 64, file) != 64 || fclose(file)) { puts("not written"); return 1; }
            int32_t status = library->open(&options, &session);
            if (byte == 64) {
              if (status) { puts("the whole file is refused"); return 1; }
              library->close(session);
              break;
            }
            if (status != SINTER_INVALID_ARGUMENT) { printf("byte %d is not seen\\n", byte); return 1; }
            if (byte == 63) puts(library->message(NULL));
            bytes[byte] ^= 1 << byte % 8;
          }
          return 0;
        }
        """, header: "scaled.h", in: folder)
      let result = try client.run()
      #expect(result.status == 0 && result.output.contains("is not what was written with this library"), "\(result)")
    }
  }

  @Test(arguments: [false, true])
  func librariesRun(weightsBeside: Bool) throws {
    try withFolder { folder in
      let artifacts = try LibraryCompiler.compile(
        Self.scaled(), to: folder + "/libscaled.so",
        options: LibraryOptions(weightsBeside: weightsBeside))
      #expect(artifacts.kernelCount == 2 && artifacts.weightBytes == 64)
      let client = try CProgram(
        """
        int main(void) {
          void *handle = dlopen("\(folder)/libscaled.so", RTLD_NOW | RTLD_LOCAL);
          if (!handle) { puts(dlerror()); return 1; }
          const SinterLibrary *(*entry)(void) = (const SinterLibrary *(*)(void))dlsym(handle, "sinter_library");
          const SinterLibrary *library = entry();
          SinterSession *session;
          if (library->open(NULL, &session)) { puts(library->message(NULL)); return 1; }
          float x[1001], y[1001];
          for (int i = 0; i < 1001; i++) x[i] = 1;
          if (scaled_run(library, session, 1000, x, y)) { puts(library->message(session)); return 1; }
          for (int i = 0; i < 1000; i++) if (y[i] != (float)(i % 4 + 1 + i)) { printf("y[%d] = %g\\n", i, y[i]); return 1; }
          if (scaled_run(library, session, 3, x, y) || y[2] != 5) { puts("three"); return 1; }
          if (scaled_run(library, session, 0, x, y)) { puts("none"); return 1; }
          if (scaled_run(library, session, 1001, x, y) != SINTER_RUNTIME_ERROR) { puts("no error"); return 1; }
          puts(library->message(session));
          library->close(session);
          return 0;
        }
        """, header: "scaled.h", in: folder)
      let result = try client.run()
      #expect(result.status == 0 && result.output.contains("more than 1000 elements: 1000"), "\(result)")
    }
  }

  @Test(arguments: [LibraryOptions.Emission.archive, .object])
  func twoModelsInOneProgram(emission: LibraryOptions.Emission) throws {
    try withFolder { folder in
      for name in ["first", "second"] {
        _ = try LibraryCompiler.compile(
          Self.scaled(name: name, fixed: name == "first" ? 4 : 8), to: "\(folder)/\(name).\(emission.rawValue)",
          options: LibraryOptions(emission: emission))
      }
      let client = try CProgram(
        """
        #include "first.h"
        int main(void) {
          SinterSession *a, *b;
          if (first_library()->open(NULL, &a) || second_library()->open(NULL, &b)) return 1;
          float x[8] = {1, 1, 1, 1, 1, 1, 1, 1}, y[8] = {0};
          if (first_run(first_library(), a, x, y) || y[3] != 7 || y[4] != 0) return 2;
          if (second_run(second_library(), b, x, y) || y[7] != 11) return 3;
          first_library()->close(a);
          second_library()->close(b);
          return 0;
        }
        """, header: "second.h", in: folder,
        linking: ["\(folder)/first.\(emission.rawValue)", "\(folder)/second.\(emission.rawValue)"])
      let result = try client.run()
      #expect(result.status == 0)
    }
  }

  @Test func oneLibraryForSeveralProcessors() throws {
    try withFolder { folder in
      var unknown = try Target.named("x86-64-v4")
      unknown.requiredFeatures.append("a_feature_of_tomorrow")
      let variants = [unknown, try Target.named("x86-64-v2"), try Target.named("x86-64")].map {
        LibraryVariant(target: $0, program: Self.scaled())
      }
      let artifacts = try LibraryCompiler.compile(variants, to: folder + "/libscaled.so")
      #expect(artifacts.kernelCount == 6)
      #expect(try runScaled(in: folder) == 0)
      let fails = try LibraryCompiler.compile([variants[0]], to: folder + "/libscaled.so")
      #expect(fails.kernelCount == 2)
      #expect(try runScaled(in: folder) == Int32(5))
    }
  }

  /// What a program gets that opens the library and runs it on four elements: the status, or 100 where the result is
  /// wrong.
  private func runScaled(in folder: String) throws -> Int32 {
    let client = try CProgram(
      """
      int main(void) {
        SinterSession *session;
        int status = sinter_library()->open(NULL, &session);
        if (status) return status;
        float x[4] = {1, 1, 1, 1}, y[4];
        status = scaled_run(sinter_library(), session, 4, x, y);
        sinter_library()->close(session);
        return status ? status : y[3] == 7 ? 0 : 100;
      }
      """, header: "scaled.h", in: folder, linking: ["\(folder)/libscaled.so", "-Wl,-rpath,\(folder)"])
    return try client.run().status
  }

  /// y = x without its first five elements, by way of a value of n · n elements when `isSquared`.
  private static func tail(isSquared: Bool) -> KernelProgram {
    var program = KernelProgram(name: "tail")
    let rows: Dim = isSquared ? 0 : 1
    program.inputs = [
      .init(name: "x", type: TensorType(.f32, [rows, "n"])),
      .init(name: "w", type: TensorType(.f32, [rows, Dim("n") * 2])),
    ]
    program.outputs = [.init(name: "y", type: TensorType(.f32, [rows, Dim("n") - 5]))]
    let x = program.buffers.append(.init(name: "x", element: .f32, count: "n", storage: .input(0)))
    let t = program.buffers.append(
      .init(name: "t", element: .f32, count: isSquared ? Dim("n") * Dim("n") : "n", storage: .arena))
    let y = program.buffers.append(.init(name: "y", element: .f32, count: Dim("n") - 5, storage: .output(0)))
    let copy = KernelBuilder(name: "copy")
    let (from, to) = (copy.parameter("x", .f32, .read), copy.parameter("y", .f32, .write))
    copy.store(copy.load(from, at: copy.task), to, at: copy.task)
    let kernel = program.kernels.append(copy.finish())
    program.steps = [
      .call(.init(kernel: kernel, buffers: [.init(x), .init(t)], sizes: [], tasks: rows * "n", grain: 64)),
      .call(
        .init(
          kernel: kernel, buffers: [.init(t, offset: 5), .init(y)], sizes: [], tasks: rows * (Dim("n") - 5), grain: 64)),
    ]
    return program
  }

  @Test(arguments: [
    (false, "8", "16", "0 "), (false, "8", "15", "2 input 'w'"),
    (false, "3", "6", "2 the size n - 5 of output y would be"),
    (true, "8", "16", "0 "), (true, "1ll << 40", "2ll << 40", "2 sizes are too large"),
  ])
  func sizesAreChecked(isSquared: Bool, n: String, w: String, expected: String) throws {
    try withFolder { folder in
      _ = try LibraryCompiler.compile(Self.tail(isSquared: isSquared), to: "\(folder)/libtail.so")
      let client = try CProgram(
        """
        int main(void) {
          SinterSession *session;
          if (sinter_library()->open(NULL, &session)) return 1;
          static float x[16], w[16];
          for (int i = 0; i < 8; i++) x[i] = (float)i;
          int64_t x_shape[] = {\(isSquared ? 0 : 1), \(n)}, w_shape[] = {\(isSquared ? 0 : 1), \(w)};
          SinterValue inputs[2] = {{.kind = SINTER_TENSOR}, {.kind = SINTER_TENSOR}}, y = {0};
          inputs[0].tensor = (SinterTensor){.data = x, .device = {1, 0}, .ndim = 2, .dtype = {2, 32, 1}, .shape = x_shape};
          inputs[1].tensor = (SinterTensor){.data = w, .device = {1, 0}, .ndim = 2, .dtype = {2, 32, 1}, .shape = w_shape};
          int status = sinter_library()->run(session, inputs, &y);
          printf("%d %s", status, status ? sinter_library()->message(session) : "");
          if (!status && y.tensor.shape[0] && ((float *)y.tensor.data)[2] != 7) return 2;
          if (y.release) y.release(&y);
          sinter_library()->close(session);
          return 0;
        }
        """, header: "tail.h", in: folder, linking: ["\(folder)/libtail.so", "-Wl,-rpath,\(folder)"])
      let result = try client.run()
      #expect(result.status == 0 && result.output.hasPrefix(expected), "\(result)")
    }
  }

  @Test func sameInputGivesSameBytes() throws {
    try withFolder { folder in
      for number in 1...2 {
        try Files.createFolder("\(folder)/\(number)")
        _ = try LibraryCompiler.compile(Self.scaled(), to: "\(folder)/\(number)/libscaled.so")
      }
      let comparison = try Subprocess.run("cmp", ["\(folder)/1/libscaled.so", "\(folder)/2/libscaled.so"])
      #expect(comparison.succeeded)
    }
  }

  @Test func onlyTheEntryPointIsVisible() throws {
    try withFolder { folder in
      _ = try LibraryCompiler.compile(Self.scaled(), to: "\(folder)/libscaled.so")
      let symbols = try Subprocess.run("nm", ["-D", "--defined-only", "\(folder)/libscaled.so"]).output
      #expect(symbols.split(separator: "\n").count == 1 && symbols.contains("sinter_library"), "\(symbols)")
    }
  }

  @Test func headersCompileEverywhere() throws {
    try withFolder { folder in
      var program = Self.scaled(name: "odd-name 2")
      program.inputs[0].name = "float"
      let (n, least): (Dim, Dim) = ("n", Dim(.min))
      program.outputs[0].type.shape = [Dim.max(Dim.joint(n, n * n), Dim.place(n - 1, in: 2 * n + least) % 5) / 2]
      _ = try LibraryCompiler.compile(program, to: "\(folder)/libodd.so")
      try Files.write("#include \"odd-name 2.h\"\nint main(void) { return 0; }\n", to: "\(folder)/main.c")
      for flags in [["-std=c99", "-xc"], ["-std=c11", "-xc"], ["-std=c++11", "-xc++"], ["-std=c++20", "-xc++"]] {
        let result = try Subprocess.run(
          "cc", flags + ["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "\(folder)/main.c"])
        #expect(result.succeeded, "\(result.output)")
      }
    }
  }

  @Test func failuresSayWhatToDo() throws {
    try withFolder { folder in
      func message(_ options: LibraryOptions, _ path: String) -> String {
        do {
          _ = try LibraryCompiler.compile(Self.scaled(), to: path, options: options)
          return ""
        } catch { return "\(error)" }
      }
      #expect(message(LibraryOptions(linker: "no-such-linker"), "\(folder)/a.so").contains("install binutils"))
      #expect(message(LibraryOptions(linker: "false"), "\(folder)/a.so").contains("status 1"))
      #expect(message(LibraryOptions(), "\(folder)/none/a.so").contains("No such file"))
      let listing = try Subprocess.run("ls", [folder])
      #expect(listing.output.isEmpty)
      #expect(throws: DiagnosticError.self) { try Target.named("pentium") }
    }
  }

  /// A library, its weights and its headers belong together: where one cannot be made, the old ones are all still there.
  @Test func failuresKeepWhatWasThere() throws {
    try withFolder { folder in
      for name in ["libscaled.so", "scaled.weights", "scaled.h", "sinter.h"] {
        try Files.write("old", to: "\(folder)/\(name)")
      }
      let options = LibraryOptions(weightsBeside: true, linker: "false")
      #expect(throws: DiagnosticError.self) {
        try LibraryCompiler.compile(Self.scaled(), to: "\(folder)/libscaled.so", options: options)
      }
      let contents = try Subprocess.run("sh", ["-c", "ls -A \(folder); cat \(folder)/*"])
      #expect(contents.output == "libscaled.so\nscaled.h\nscaled.weights\nsinter.h\noldoldoldold")
    }
  }

  @Test(arguments: [LibraryOptions.Emission.library, .archive, .object, .llvm])
  func outputsGoWhereLinksLead(emission: LibraryOptions.Emission) throws {
    try withFolder { folder in
      try Files.createFolder("\(folder)/real")
      symlink("real/made", "\(folder)/link")
      let options = LibraryOptions(emission: emission, writesHeaders: false)
      for _ in 0..<2 {
        _ = try LibraryCompiler.compile(Self.scaled(), to: "\(folder)/link", options: options)
        let found = try Subprocess.run("sh", ["-c", "cd \(folder); ls -A . real; test -L link && test -s real/made"])
        #expect(found.succeeded)
        #expect(found.output == ".:\nlink\nreal\n\nreal:\nmade\n")
      }
    }
  }

  /// What reads a pipe gets the bytes that a file would have.
  @Test func librariesAreWrittenThroughPipes() throws {
    try withFolder { folder in
      let pipe = "\(folder)/libscaled.so"
      try #require(mkfifo(pipe, 0o600) == 0)
      // A reader in the background, which the shell does not wait for.
      _ = try Subprocess.run("sh", ["-c", "(cat \(pipe) > \(folder)/read; touch \(folder)/done) > /dev/null 2>&1 &"])
      _ = try LibraryCompiler.compile(Self.scaled(), to: pipe, options: LibraryOptions(writesHeaders: false))
      for _ in 0..<1000 where !Files.exists("\(folder)/done") { usleep(10_000) }
      try Files.createFolder("\(folder)/direct")
      let direct = "\(folder)/direct/libscaled.so"
      _ = try LibraryCompiler.compile(Self.scaled(), to: direct, options: LibraryOptions(writesHeaders: false))
      let same = try Subprocess.run("sh", ["-c", "test -p \(pipe) && cmp \(folder)/read \(direct)"])
      #expect(same.succeeded, "\(same.output)")
    }
  }

  @Test func sizesThatNobodyBindsAreRefused() throws {
    var program = Self.scaled()
    program.inputs[0].type.shape = [Dim("n") + 1]
    #expect(throws: DiagnosticError.self) { try LibraryCompiler.compile(program, to: "/nowhere/a.so") }
  }
}
