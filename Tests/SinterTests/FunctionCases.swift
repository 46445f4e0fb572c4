import Sinter

extension LayerTests {
  static let functions: [Case] = joining + indexing + reductions + shapes + arithmetic

  private static let joining: [Case] = [
    Case("cat") { [cat([$0[0], $0[1]], axis: 1)] },
    Case("stack") { [stack([$0[0], $0[1]], axis: -1)] },
    Case("chunk") { $0[0].chunk(3, axis: 1) },
    Case("split") { $0[0].split(2, axis: 1) },
    Case("split.sizes") { $0[0].split(sizes: [1, 4], axis: 1) },
    Case("unbind") { $0[0].unbind(1) },
  ]

  private static let indexing: [Case] = [
    Case("gather") { [$0[0].gatherElements(1, tensor([[0, 2, 1], [1, 1, 0]]))] },
    Case("index_select") { [$0[0].indexSelect(1, tensor([2, 0]))] },
    Case("scatter") { [$0[0].scatter(1, tensor([[0, 2], [1, 0]]), $0[1])] },
    Case("scatter_value") { [$0[0].scatter(1, tensor([[0, 2], [1, 0]]), 1.5)] },
    Case("scatter_add") { [$0[0].scatterAdd(1, tensor([[0, 2, 1], [1, 1, 0]]), $0[1])] },
    Case("index_add") { [$0[0].indexAdd(0, tensor([1, 1, 0]), $0[1])] },
    Case("where") { [`where`($0[0] > $0[1], $0[0], $0[1] * 2)] },
    Case("topk") {
      let (values, places) = $0[0].topk(2, axis: 1)
      return [values, places]
    },
    Case("topk.least") {
      let (values, places) = $0[0].topk(2, axis: 0, largest: false)
      return [values, places]
    },
    Case("sort") {
      let (values, places) = $0[0].sort(1)
      return [values, places]
    },
    Case("sort.descending") {
      let (values, places) = $0[0].sort(0, descending: true)
      return [values, places]
    },
    Case("argmax") { [$0[0].argmax(1), $0[0].argmin(0), $0[0].argmax()] },
    Case("max.indices") {
      let (values, places) = $0[0].maxWithIndices(1)
      return [values, places]
    },
    Case("one_hot") { [$0[0].oneHot(4)] },
    Case("masked_fill") { [$0[0].maskedFill($0[0] < 0, 7)] },
  ]

  private static let reductions: [Case] = [
    Case("cumsum") { [$0[0].cumsum(1), $0[0].cumprod(0)] },
    Case("einsum") { [einsum("bij,bjk->bik", $0[0], $0[1])] },
    Case("bmm") { [$0[0].bmm($0[1])] },
    Case("outer") { [$0[0].outer($0[1]), $0[0].dot($0[0])] },
    Case("norm") {
      [$0[0].norm(), $0[0].norm(1, 1), $0[0].norm(3, 0), $0[0].norm(.infinity, 1), $0[0].normalized()]
    },
    Case("deviation") {
      [$0[0].std(), $0[0].variance(1), $0[0].variance(0, 2, correction: 0), $0[0].std(2, keepDims: true)]
    },
    Case("reductions") {
      [$0[0].sum(1), $0[0].mean(0, 1), $0[0].prod(1), $0[0].max(0), $0[0].min(1), $0[0].logsumexp(1)]
    },
  ]

  private static let shapes: [Case] = [
    Case("triangles") { [$0[0].triu(1), $0[0].tril(-1), $0[0].diagonal()] },
    Case("pad") { [$0[0].pad([1, 2]), $0[0].pad([1, 0, 2, 1], value: 0.5), $0[0].pad([1, 1], mode: .reflect)] },
    Case("flip") { [$0[0].flip(0), $0[0].flip(0, 1), $0[0].roll(1, axis: 1), $0[0].roll(-2, axis: 0)] },
    Case("repeat") {
      [$0[0].tiled(2, 1, 3), $0[0].repeatInterleave(2, axis: 1), $0[0].unsqueeze(0).expand(2, -1, -1)]
    },
    Case("axes") {
      let x = $0[0]
      return [
        x.permute(2, 0, 1), x.transpose(0, -1), x.movedAxis(from: 0, to: 2), x.flatten(from: 1),
        x.unflatten(2, [2, 2]), x.squeeze(),
      ]
    },
    Case("slices") {
      let x = $0[0]
      return [x[1], x[1..<3], x.slice(1, step: 2), x.narrow(1, from: 1, count: 3), x.select(1, -1)]
    },
    Case("creation") {
      let x = $0[0]
      return [
        x + arange(3).float(), x * linspace(-1, 1, 3), x.matmul(eye(3)), x.zerosLike(), x.fullLike(2.5),
        x + arange(0.5, 2, step: 0.5),
      ]
    },
    Case("meshgrid") { meshgrid($0[0], $0[1]) },
  ]

  private static let arithmetic: [Case] = [
    Case("clamp") { [$0[0].clamp(min: -0.5, max: 0.5), $0[0].clamp(min: 0.1), $0[0].clamp(max: 0.1)] },
    Case("arithmetic") {
      let (a, b) = ($0[0], $0[1])
      return [
        a.stopGradient() % b.stopGradient(), a.stopGradient().floorDivide(b.stopGradient()), a.pow(2), a.lerp(b, 0.3),
        a.maximum(b),
      ]
    },
    Case("integers") { [$0[0] % $0[1], $0[0].floorDivide($0[1]), $0[0] + $0[1], $0[0] * 3] },
    Case("logic") {
      let (a, b) = ($0[0] > 0, $0[1] > 0)
      return [a .& b, a .| b, !a, a .^ b, a.any(1), ($0[0] > -1).all(), $0[0].isNaN()]
    },
    Case("elementwise") {
      let x = $0[0]
      return [
        x.abs(), x.sign(), x.exp(), x.expm1(), x.sin(), x.cos(), x.tan(), x.atan(), x.sinh(), x.cosh(), x.erf(),
        x.floor(), x.ceil(), x.round(), x.trunc(),
      ]
    },
    Case("positive") {
      let x = $0[0]
      return [x.log(), x.log1p(), x.log2(), x.log10(), x.sqrt(), x.rsqrt(), x.reciprocal()]
    },
  ]
}
