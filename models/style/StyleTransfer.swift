import ExampleSupport
import Sinter
import SinterVision

/// Paints a picture anew in another one's style: what is trained is the picture, the network stays as it is.
///
///     swift run -c release style [adam|lbfgs] [STEPS] [OUTPUT] [CONTENT STYLE]
///
/// CONTENT and STYLE are PNG or JPEG files, of which the middle is taken; without them pictures are made up. OUTPUT gets both and the result as a grid.
@main
struct StyleTransfer {
  static func main() {
    Example.main("style [adam|lbfgs] [STEPS] [OUTPUT] [CONTENT STYLE]", most: 5) { example in
      let kind = example.choice(0, ["adam", "lbfgs"])
      let steps = example.number(1, kind == "adam" ? 300 : 15)
      let content = try example.optional(3).map(read) ?? Paintings.content
      let style = try example.optional(4).map(read) ?? Paintings.style

      let size = Paintings.size
      let model = Stylized(
        image: Parameter([1, 3, size, size], initializer: .values(content)), features: Stylized.Features())
      let start = ParameterStore(initializing: model, seed: 1)
      // What is to be reached is computed once, and is part of the step as numbers.
      let look = try trace(model, [.f32(1, 3, Dim(size), Dim(size))]) { inputs in
        let found = model.features(inputs[0])
        return [found[Stylized.contentStage]] + found.map(Stylized.gram)
      }.bound(to: start, strict: false).load()
      let (seen, looks) = (try look.run(content)[0], try Array(look.run(style)[1...]))
      func loss(_ inputs: [Tensor]) -> Tensor { model.loss(weight: inputs[0], content: seen, style: looks) }
      let weight = HostTensor.f32([], [10])

      var losses: [Double] = []
      let image: HostTensor?
      if kind == "adam" {
        let step = try trainingStep(
          model, [.f32(name: "weight")], optimizer: Adam(learningRate: 0.02), trainable: { $0 == "image" }
        ) { (loss($0), []) }.compile()
        var state = step.initialState(seed: 1)
        for _ in 0..<steps { losses.append(try step(&state, weight)["loss"] ?? .nan) }
        image = state["image"]
      } else {
        let closure = try lossGradients(model, [.f32(name: "weight")], trainable: { $0 == "image" }, loss).compile()
        var parameters = closure.initialParameters(seed: 1)
        var optimizer = LBFGS(history: 10, lineSearch: .strongWolfe)
        for _ in 0..<steps { losses.append(try optimizer.step(&parameters) { try closure($0, weight) }) }
        image = parameters["image"]
      }
      if let output = try Example.folder(example.optional(2)), let image {
        try ImageFile.writePNG(
          ImageGrid.image(cat([content, style, image].map { Tensor($0) }).numbers(), columns: 3, range: 0...1),
          to: "\(output)/style-\(kind).png")
      }
      let (first, last) = (losses[0], losses[losses.count - 1])
      try example.check(last < first / 2, "the loss did not fall by half: \(first) → \(last)")
      example.row(
        "\(kind), \(steps) steps on a picture of \(size)×\(size)", "loss %.3f → %.3f", first, last,
        expected: "a tenth or less")
    }
  }

  /// The middle of a picture.
  static func read(_ path: String) throws -> HostTensor {
    let size = Paintings.size
    let middle = try ToTensor()(CenterCrop(size)(Resize(size)(ImageFile.read(path))))
    return middle.reshaped([1, 3, size, size])
  }
}
