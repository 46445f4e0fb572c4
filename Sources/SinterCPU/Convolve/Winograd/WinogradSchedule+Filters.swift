import SinterCore
import SinterForms
import SinterKernelIR

extension WinogradSchedule {
  /// What is multiplied with the transformed input, of each phase: [m, place…, part…, c] flat, the sums of taps that filters [m, c, tap…] have
  /// along all axes, in f64.
  func transformedFilters(_ weights: HostTensor) -> [[Float]] {
    let values = weights.element == .f32 ? weights.array(of: Float.self) : (weights.doubles ?? []).map { Float($0) }
    guard !transposed.isEmpty else { return [transformed(values)] }
    let taps = form.window.reduce(1, *)
    return transposed.parts(window: form.window).map { part in
      transformed(
        (0..<plan.columns).flatMap { m in
          (0..<plan.channels).flatMap { c in part.map { values[(c * plan.columns + m) * taps + $0] } }
        })
    }
  }

  /// A tap of a filter, as an offset, and what it counts for.
  private struct Term {
    var tap: Int
    var factor: Double
  }

  /// The terms of each place and part.
  private var products: [[Term]] {
    let places = plan.axes.map { Array(0..<$0.size) }, parts = plan.axes.map { Array(0..<$0.parts) }
    return combinations(places).flatMap { place in
      combinations(parts).map { part in
        plan.axes.indices.reduce([Term(tap: 0, factor: 1)]) { terms, axis in
          let own = plan.axes[axis].terms(place: place[axis], part: part[axis])
          return terms.flatMap { term in
            own.map { Term(tap: term.tap * plan.axes[axis].window + $0.tap, factor: term.factor * $0.factor) }
          }
        }
      }
    }
  }

  private func transformed(_ filters: [Float]) -> [Float] {
    let taps = plan.axes.reduce(1) { $0 * $1.window }
    let parts = plan.axes.parts
    let channels = plan.channels / parts
    let products = products
    return [Float](unsafeUninitializedCapacity: plan.columns * products.count * channels) { memory, count in
      filters.withUnsafeBufferPointer { filters in
        for m in 0..<plan.columns {
          for (product, terms) in products.enumerated() {
            let to = (m * products.count + product) * channels
            for c in 0..<channels {
              let from = (m * channels + c) * taps
              var sum = 0.0
              for term in terms { sum += term.factor * Double(filters[from + term.tap]) }
              memory[to + c] = Float(sum)
            }
          }
        }
      }
      count = plan.columns * products.count * channels
    }
  }
}

extension WinogradAxis {
  /// The taps of one part that make the products of one place. A part may have fewer taps than the transform.
  fileprivate func terms(place: Int, part: Int) -> [(tap: Int, factor: Double)] {
    taps(part: part).map { (tap: $0.tap, factor: transform?.filter[place][$0.index] ?? 1) }
  }
}
