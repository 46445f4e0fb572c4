extension TrainingState {
  /// Parameters and running statistics as `state_dict()` of the same model in PyTorch has them, for `load_state_dict(strict=True)`: beside running
  /// statistics there is the number of batches that they saw.
  ///
  ///     try state.parametersForPyTorch.save("net.safetensors")
  ///     # net.load_state_dict(safetensors.torch.load_file("net.safetensors"))
  public var parametersForPyTorch: ParameterStore {
    var store = ParameterStore()
    let parameters = parameters
    for name in parameters.names {
      store[name] = parameters[name]
      guard name.hasSuffix("running_var") else { continue }
      let counter = String(name.dropLast("running_var".count)) + "num_batches_tracked"
      if parameters[counter] == nil { store[counter] = .i64([], [steps]) }
    }
    return store
  }
}
