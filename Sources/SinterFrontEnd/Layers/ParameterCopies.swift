/// New parameters in place of others, which start alike; one that is held twice has one copy.
struct ParameterCopies {
  private var copies: [ObjectIdentifier: Parameter] = [:]

  subscript(parameter: Parameter) -> Parameter {
    mutating get {
      if let known = copies[ObjectIdentifier(parameter)] { return known }
      let copy = parameter.initialized(parameter.initializer)
      copies[ObjectIdentifier(parameter)] = copy
      return copy
    }
  }
}

extension Linear {
  mutating func changeParameters(_ change: (Parameter) -> Parameter) {
    weight = change(weight)
    bias = bias.map(change)
  }
}

extension LayerNorm {
  mutating func changeParameters(_ change: (Parameter) -> Parameter) {
    weight = weight.map(change)
    bias = bias.map(change)
  }
}

extension MultiheadAttention {
  mutating func changeParameters(_ change: (Parameter) -> Parameter) {
    inWeight = inWeight.map(change)
    queryWeight = queryWeight.map(change)
    keyWeight = keyWeight.map(change)
    valueWeight = valueWeight.map(change)
    inBias = inBias.map(change)
    outProjection.changeParameters(change)
  }
}
