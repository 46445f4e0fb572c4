import SinterCore

extension WinogradSchedule {
  /// The filters [m, c, taps, taps] of each phase.
  func filters(_ weights: HostTensor) -> [[Float]] {
    let values = weights.array(of: Float.self)
    let taps = form.kernel.reduce(1, *)
    if axes.isEmpty {
      if plan.step == 1 { return [values] }
      return [stepped(values, kernel: form.kernel[0])]
    }
    return axes.parts(kernel: form.kernel).map { part in
      (0..<plan.columns).flatMap { m in
        (0..<plan.channels).flatMap { c in part.map { values[(c * plan.columns + m) * taps + $0] } }
      }
    }
  }

  /// Filters [m, c, kernel, kernel] as [m, step, step, c, taps, taps], with zeros where the kernel has no tap.
  private func stepped(_ values: [Float], kernel: Int) -> [Float] {
    let (step, taps) = (plan.step, plan.transform.taps)
    let channels = plan.channels / (step * step)
    var result: [Float] = []
    result.reserveCapacity(plan.columns * plan.channels * taps * taps)
    for m in 0..<plan.columns {
      for part in 0..<(step * step) {
        for c in 0..<channels {
          let filter = (m * channels + c) * kernel * kernel
          for tap in 0..<(taps * taps) {
            let (y, x) = (tap / taps * step + part / step, tap % taps * step + part % step)
            result.append(y < kernel && x < kernel ? values[filter + y * kernel + x] : 0)
          }
        }
      }
    }
    return result
  }
}
