import SinterCore
import Testing

@testable import SinterKernelIR
@testable import SinterCPU

@Suite struct WinogradTests {
  static let transforms = (1...8).flatMap { WinogradTransform.all(taps: $0) }

  /// output · ((filter · g) ⊙ (input · d)) is the correlation of d with g, in exact enough arithmetic.
  @Test(arguments: transforms) func isACorrelation(_ transform: WinogradTransform) {
    func apply(_ matrix: [[Double]], _ vector: [Double]) -> [Double] {
      matrix.map { row in zip(row, vector).reduce(0) { $0 + $1.0 * $1.1 } }
    }
    let data = (0..<transform.size).map { Double(($0 * 7 + 3) % 11) - 5 }
    let filter = (0..<transform.taps).map { Double(($0 * 5 + 2) % 7) - 3 }
    let products = zip(apply(transform.filter, filter), apply(transform.input, data)).map { $0 * $1 }
    for (place, value) in apply(transform.output, products).enumerated() {
      let expected = filter.indices.reduce(0) { $0 + filter[$1] * data[place + $1] }
      #expect(abs(value - expected) < 1e-12)
    }
  }

  /// Places of patches cover each place of the result once, whatever the stride between them.
  @Test(arguments: [(1, 10), (2, 10), (3, 17), (12, 5)]) func patchesCoverTheAxis(_ dilation: Int, _ extent: Int) throws
  {
    let transform = try #require(WinogradTransform.all(taps: 3).last)
    let axis = WinogradAxis(transform, window: 3, dilation: dilation, extent: Dim(extent))
    let patches = try #require(axis.patches.value)
    let places = (0..<patches).flatMap { patch in
      (0..<axis.results).map { (patch / dilation * axis.results + $0) * dilation + patch % dilation }
    }
    #expect(places.filter { $0 < extent }.sorted() == Array(0..<extent))
  }

  /// At most two axes are transformed; the taps of others are parts, and so are a stride's.
  @Test func findsCandidates() {
    func candidates(_ window: [Int], strides: [Int]? = nil, dilations: [Int]? = nil) -> [[WinogradAxis]] {
      let ones = window.map { _ in 1 }
      return WinogradAxis.candidates(
        window: window, strides: strides ?? ones, dilations: dilations ?? ones, extents: window.map { _ in 20 })
    }
    #expect(candidates([1, 1]).isEmpty)
    #expect(candidates([3, 3, 3]).allSatisfy { $0[0].transform == nil && $0[0].parts == 3 && $0[1].size > 3 })
    #expect(candidates([3, 3, 3]).contains { $0.map(\.results) == [1, 4, 4] && $0.parts == 3 })
    #expect(candidates([7, 1]).map { $0.map(\.results) } == [[2, 1], [4, 1]])
    #expect(candidates([5, 5], strides: [2, 2]).allSatisfy { $0.parts == 4 })
    #expect(candidates([3, 3], strides: [2, 1], dilations: [2, 1]).isEmpty)
    #expect(candidates([11]).isEmpty)
  }

  /// Shared halves of rows and columns give what the plain sums give.
  static let matrices: [[[Double]]] =
    transforms.flatMap { [$0.input, $0.output] } + [[[1, 2], [3, 4]], [[0, 0], [1, -1]]]

  @Test(arguments: matrices)
  func mapsLinearly(_ matrix: [[Double]]) throws {
    let columns = matrix[0].count
    let builder = KernelBuilder(name: "map")
    let x = builder.parameter("x", .f32, .read)
    let y = builder.parameter("y", .f32, .write)
    let inputs = (0..<columns).map { builder.load(x, at: builder.index($0)) }
    for (row, value) in LinearMap(matrix, builder)(inputs).enumerated() {
      builder.store(value, y, at: builder.index(row))
    }
    let values = (0..<columns).map { Float($0 * $0) - 3 }
    let input = HostTensor.f32([columns], values)
    var program = KernelProgram(name: "map")
    let buffers = [
      program.buffers.append(.init(name: "x", element: .f32, count: Dim(columns), storage: .input(0))),
      program.buffers.append(.init(name: "y", element: .f32, count: Dim(matrix.count), storage: .output(0))),
    ]
    program.inputs = [.init(name: "x", type: input.type)]
    program.outputs = [.init(name: "y", type: TensorType(.f32, [Dim(matrix.count)]))]
    let kernel = program.kernels.append(builder.finish())
    program.steps = [.call(.init(kernel: kernel, buffers: buffers.map { .init($0) }, sizes: [], tasks: 1, grain: 1))]
    let result = try KernelInterpreter(program).run([input])[0].array(of: Float.self)
    for (row, value) in result.enumerated() {
      let expected = zip(matrix[row], values).reduce(0) { $0 + $1.0 * Double($1.1) }
      #expect(abs(Double(value) - expected) < 1e-4 * Swift.max(1, abs(expected)))
    }
  }
}
