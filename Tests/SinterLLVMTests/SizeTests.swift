import SinterCore
import SinterKernelIR
import SinterLLVM
import Testing

/// Sizes as compiled programs compute them, against `Dim.evaluated`.
@Suite struct SizeTests {
  /// A program of two inputs, n and m elements long, whose output holds the given sizes.
  private func program(_ sizes: [Dim]) -> KernelProgram {
    let builder = KernelBuilder(name: "sizes")
    let result = builder.parameter("y", .i64, .write)
    for index in sizes.indices { builder.store(builder.size(), result, at: builder.index(index)) }
    var program = KernelProgram(name: "sizes")
    for (index, name) in ["n", "m"].enumerated() {
      program.inputs.append(.init(name: "x\(index)", type: TensorType(.u8, [Dim(symbol: name)])))
      _ = program.buffers.append(
        .init(name: "x\(index)", element: .u8, count: Dim(symbol: name), storage: .input(index)))
    }
    program.outputs = [.init(name: "y", type: TensorType(.i64, [Dim(sizes.count)]))]
    let output = program.buffers.append(
      .init(name: "y", element: .i64, count: Dim(sizes.count), storage: .output(0)))
    let kernel = program.kernels.append(builder.finish())
    program.steps = [.call(.init(kernel: kernel, buffers: [.init(output)], sizes: sizes, tasks: 1, grain: 1))]
    return program
  }

  /// Runs the library in a C program for all sizes up to `most`; a line each, of the output's elements or of the status.
  private func lines(_ sizes: [Dim], most: Int) throws -> [String] {
    var lines: [String] = []
    try withFolder { folder in
      _ = try LibraryCompiler.compile(program(sizes), to: folder + "/libsizes.so")
      let client = try CProgram(
        """
        int main(void) {
          void *handle = dlopen("\(folder)/libsizes.so", RTLD_NOW | RTLD_LOCAL);
          if (!handle) { puts(dlerror()); return 1; }
          const SinterLibrary *(*entry)(void) = (const SinterLibrary *(*)(void))dlsym(handle, "sinter_library");
          const SinterLibrary *library = entry();
          SinterSession *session;
          if (library->open(NULL, &session)) { puts(library->message(NULL)); return 1; }
          uint8_t x[16] = {0};
          int64_t y[\(sizes.count)];
          for (int n = 0; n <= \(most); n++) {
            for (int m = 0; m <= \(most); m++) {
              int32_t status = sizes_run(library, session, n, m, x, x, y);
              if (status) { printf("status %d\\n", status); continue; }
              for (int i = 0; i < \(sizes.count); i++) printf("%s%lld", i ? " " : "", (long long)y[i]);
              puts("");
            }
          }
          library->close(session);
          return 0;
        }
        """, header: "sizes.h", in: folder)
      let result = try client.run()
      #expect(result.status == 0, "\(result)")
      lines = result.output.split(separator: "\n").map(String.init)
    }
    return lines
  }

  @Test func everyKindOfSizeIsComputed() throws {
    let (n, m): (Dim, Dim) = ("n", "m")
    let sizes: [Dim] = [
      3 * n * m - n + 2, n / (m + 1), (m - 2 * n) / 3, (n - m) / -2, (n - 3 * m) % 5, (n - m) % -3, Dim.min(n, m + 1),
      Dim.max(2 * n, Dim.max(m, 3)), Dim.joint(n, m), Dim.joint(n, m) * 2, Dim.place(n - 2, in: m),
      Dim.place(-n, in: m),
      Dim.place(n - m, in: m, from: 0, to: m), Dim.max(n - 3, Dim.min(m, 4)),
    ]
    let lines = try lines(sizes, most: 4)
    for n in 0...4 {
      for m in 0...4 {
        let expected = sizes.map { size in size.evaluated { $0.name == "n" ? n : m }.map { "\($0)" } ?? "nil" }
        #expect(lines[n * 5 + m] == expected.joined(separator: " "), "\(sizes) at n = \(n), m = \(m)")
      }
    }
  }

  @Test func whatHasNoValueStopsTheRun() throws {
    let (n, m): (Dim, Dim) = ("n", "m")
    for size in [.overflow, n / 0, m / n, Dim(.max) * m, Dim(.min) + n - m, (Dim(.min) + n) / (m - 2)] {
      for (index, line) in try lines([size], most: 2).enumerated() {
        let value = size.evaluated { $0.name == "n" ? index / 3 : index % 3 }
        #expect(value.map { line == "\($0)" } ?? line.hasPrefix("status"), "\(size): \(line) instead of \(value ?? -1)")
      }
    }
  }
}
