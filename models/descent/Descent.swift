import Foundation
import Sinter

/// Gradient descent by hand: a line through five people's heights and weights. The compiler gives the loss and its gradients; the steps are taken here.
@main
struct Descent {
  static let heights: [Double] = [166, 176, 171, 173, 169]
  static let weights: [Double] = [58.7, 75.7, 62.1, 70.4, 60.1]

  static func main() throws {
    let traced = try trace(
      (), [.f32(5, name: "x"), .f32(5, name: "y"), .f32(name: "w"), .f32(name: "b")], name: "line"
    ) {
      inputs in
      let error = inputs[0] * inputs[2] + inputs[3] - inputs[1]
      let loss = (error * error).mean()
      return [loss] + loss.gradients(withRespectTo: inputs[2], inputs[3])
    }
    let library =
      FileManager.default.temporaryDirectory.path + "/libline-\(ProcessInfo.processInfo.processIdentifier).so"
    defer { try? FileManager.default.removeItem(atPath: library) }
    let line = try traced.initialized().compile(to: library)

    let (x, y) = (centered(heights), centered(weights))
    var (w, b) = (Float(1), Float(1))
    var losses: [Float] = []
    for _ in 0..<500 {
      let results = try line.run(x, y, .f32([], [w]), .f32([], [b])).map { $0.array(of: Float.self)[0] }
      losses.append(results[0])
      w -= 0.001 * results[1]
      b -= 0.001 * results[2]
    }
    // Of every tenth step the last one is step 490.
    print("loss \(losses[0]) → \(losses[490]), w \(w), b \(b)")
    print(
      String(
        format:
          "| `descent` | gradient descent by hand | loss %.4f → %.4f, w %.6f, b %.7f | 13.3520 → 4.6796, 1.820683, 0.3675114 |",
        losses[0], losses[490], w, b))
  }

  static func centered(_ values: [Double]) -> HostTensor {
    let mean = values.reduce(0, +) / Double(values.count)
    return .f32([values.count], values.map { Float($0 - mean) })
  }
}
