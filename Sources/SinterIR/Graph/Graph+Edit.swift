import SinterCore

extension Graph {
  /// For each value, how many times nodes and outputs use it.
  public func useCounts() -> EntityMap<ValueID, Int> {
    var counts = EntityMap<ValueID, Int>([Int](repeating: 0, count: values.count))
    for id in order {
      for input in nodes[id].inputs {
        if let input { counts[input] += 1 }
      }
    }
    for port in outputs { counts[port.value] += 1 }
    return counts
  }

  /// The nodes that use each value, in order; a node that uses a value twice is there twice.
  public func users() -> EntityMap<ValueID, [NodeID]> {
    var users = EntityMap<ValueID, [NodeID]>([[NodeID]](repeating: [], count: values.count))
    for id in order {
      for input in nodes[id].inputs {
        if let input { users[input].append(id) }
      }
    }
    return users
  }

  /// Makes every use of a value a use of another one. The node order is the caller's to keep right.
  public mutating func replaceUses(of old: ValueID, with new: ValueID) {
    replaceUses { $0 == old ? new : $0 }
  }

  /// Replaces all uses at once.
  public mutating func replaceUses(_ map: (ValueID) -> ValueID) {
    for id in order {
      for index in nodes[id].inputs.indices {
        if let input = nodes[id].inputs[index] { nodes[id].inputs[index] = map(input) }
      }
    }
    for index in outputs.indices { outputs[index].value = map(outputs[index].value) }
  }

  /// Takes nodes out of the order. Their results must have no users left.
  public mutating func remove(_ dropped: Set<NodeID>) {
    order.removeAll { dropped.contains($0) }
  }

  /// Drops nodes that no output depends on, in bodies as well, and gives their number.
  @discardableResult
  public mutating func removeDeadNodes() -> Int {
    var needed = [Bool](repeating: false, count: values.count)
    for port in outputs { needed[port.value.position] = true }
    var kept: [NodeID] = []
    var dropped = 0
    // What computes a size stays as long as something speaks of that size.
    var neededSizes = nextDataNumber == 0 ? [] : Set(obligations.flatMap(\.symbols).filter(\.isFromData))
    for port in outputs where nextDataNumber > 0 { neededSizes.formUnion(values[port.value].fact.dataSymbols) }
    for id in order.reversed() {
      let isNeeded =
        nodes[id].outputs.contains { needed[$0.position] } || !definedSizes(of: id).isDisjoint(with: neededSizes)
      if isNeeded && nextDataNumber > 0 {
        for output in nodes[id].outputs { neededSizes.formUnion(values[output].fact.dataSymbols) }
        for body in nodes[id].bodies { neededSizes.formUnion(body.capturedDataSymbols) }
      }
      guard isNeeded else {
        dropped += 1
        continue
      }
      for input in nodes[id].inputs {
        if let input { needed[input.position] = true }
      }
      for index in nodes[id].bodies.indices { dropped += nodes[id].bodies[index].removeDeadNodes() }
      kept.append(id)
    }
    if dropped > 0 { order = kept.reversed() }
    return dropped
  }

  /// Renumbers: inputs first, then constants in the order of their first use, then results; what nothing refers to is gone. Two
  /// compact graphs that compute the same in the same order print the same.
  public mutating func compact() {
    var renamed = [ValueID?](repeating: nil, count: values.count)
    var newValues = EntityMap<ValueID, Value>()
    func add(_ id: ValueID) {
      guard renamed[id.position] == nil else { return }
      renamed[id.position] = newValues.append(values[id])
    }
    for port in inputs { add(port.value) }
    func addConstant(_ id: ValueID) {
      if case .constant = values[id].definition { add(id) }
    }
    for id in order {
      for input in nodes[id].inputs {
        if let input { addConstant(input) }
      }
    }
    for port in outputs { addConstant(port.value) }
    var newNodes = EntityMap<NodeID, Node>()
    for id in order {
      var node = nodes[id]
      let newID = NodeID(newNodes.count)
      for index in node.outputs.indices {
        let old = node.outputs[index]
        add(old)
        guard let new = renamed[old.position] else { continue }
        newValues[new].definition = .node(newID, result: index)
        node.outputs[index] = new
      }
      node.inputs = node.inputs.map { input in input.flatMap { renamed[$0.position] } }
      for index in node.bodies.indices { node.bodies[index].compact() }
      newNodes.append(node)
    }
    for index in inputs.indices {
      guard let new = renamed[inputs[index].value.position] else { continue }
      inputs[index].value = new
      newValues[new].definition = .input(index)
    }
    for index in outputs.indices {
      if let new = renamed[outputs[index].value.position] { outputs[index].value = new }
    }
    values = newValues
    nodes = newNodes
    order = newNodes.indices
  }
}
