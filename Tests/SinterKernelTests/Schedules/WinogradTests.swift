import SinterCore
import Testing

@testable import SinterKernel

@Suite struct WinogradTests {
  /// output · ((filter · g) ⊙ (input · d)) is the correlation of d with g, in exact enough arithmetic.
  @Test(arguments: WinogradTransform.all + WinogradTransform.ofTwoTaps) func isACorrelation(_ transform: WinogradTransform) {
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

  /// The weights of one place are the filter's rows on either side.
  @Test func transformsWeights() {
    let weights: [Float] = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    let transformed = WinogradTransform.f2.transformed(weights, results: 1, channels: 1)
    #expect(transformed.count == 16)
    // At the point 0 the filter's first tap counts, at infinity its last.
    #expect(abs(transformed[0]) == 1)
    #expect(transformed[15] == 9)
  }

  /// Shared halves of rows and columns give what the plain sums give.
  static let matrices: [[[Double]]] =
    (WinogradTransform.all + WinogradTransform.ofTwoTaps).flatMap { [$0.input, $0.output] } + [[[1, 2], [3, 4]], [[0, 0], [1, -1]]]

  @Test(arguments: matrices)
  func mapsLinearly(_ matrix: [[Double]]) throws {
    let columns = matrix[0].count
    let builder = KernelBuilder(name: "map")
    let x = builder.parameter("x", .f32, .read)
    let y = builder.parameter("y", .f32, .write)
    let inputs = (0..<columns).map { builder.load(x, at: builder.index($0)) }
    for (row, value) in LinearMap(matrix, builder)(inputs).enumerated() { builder.store(value, y, at: builder.index(row)) }
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
