extension ParameterStore {
  /// The parameters whose names begin with `prefix` and a dot, without these: `store.part("model")` of a checkpoint that holds a model and an optimizer.
  public func part(_ prefix: String) -> ParameterStore {
    var part = ParameterStore()
    for name in names where name.hasPrefix(prefix + ".") { part[String(name.dropFirst(prefix.count + 1))] = self[name] }
    return part
  }
}
