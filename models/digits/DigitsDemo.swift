import Foundation
import Sinter

/// Traces the network, binds its weights, and writes the library, the ONNX file and the drawings.
@main
struct DigitsDemo {
  static func main() {
    let arguments = CommandLine.arguments
    guard arguments.count == 3 else {
      print("usage: digits-demo WEIGHTS.safetensors FOLDER")
      exit(2)
    }
    do {
      try run(weights: arguments[1], folder: arguments[2])
    } catch {
      print(error)
      exit(1)
    }
  }

  static func run(weights: String, folder: String) throws {
    let store = try ParameterStore(reading: weights)
    let model = try trace(DigitNet(), .f32("N", 1, 8, 8, name: "image"), name: "digits").bound(to: store)
    let library = try model.compile(to: "\(folder)/libdigits.so", header: true)
    try model.export("\(folder)/digits.onnx")
    try model.saveDOT("\(folder)/digits.dot")
    try model.optimized().saveDOT("\(folder)/digits-optimized.dot")
    let scores = try library.run(HostTensor.f32([1, 1, 8, 8], [Float](repeating: 0, count: 64)))
    print(
      "  traced and compiled; an empty image scores \(scores[0].array(of: Float.self).map { ($0 * 100).rounded() / 100 })"
    )
  }
}
