/// What goes into a library and comes out of it.
public indirect enum HostValue: Sendable {
  /// An optional that holds nothing.
  case none
  case tensor(HostTensor)
  case sequence([HostValue])
  /// Keys and values, each of rank 1 and of equal length.
  case map(keys: HostTensor, values: HostTensor)

  /// The tensor, where it is one.
  public var tensor: HostTensor? {
    if case .tensor(let tensor) = self { tensor } else { nil }
  }
}
