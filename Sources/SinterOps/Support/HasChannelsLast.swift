import SinterIR

/// An operator on images that has a form for channels last. Its images are its first input and its first result; of `PoolGradient` all inputs are.
package protocol HasChannelsLast: Operator {
  var channelsLast: Bool { get set }
  /// Whether results after the first depend on the order of axes, as positions do.
  var laterResultsHaveAnOrder: Bool { get }
  /// How many of the inputs are images.
  var imageCount: Int { get }
}

extension HasChannelsLast {
  package var laterResultsHaveAnOrder: Bool { true }
  package var imageCount: Int { 1 }
}

extension Conv: HasChannelsLast {}
extension ByteConv: HasChannelsLast {
  package var channelsLast: Bool {
    get { conv.channelsLast }
    set { conv.channelsLast = newValue }
  }
}
extension ConvTranspose: HasChannelsLast {}
extension MaxPool: HasChannelsLast {}
extension AveragePool: HasChannelsLast {}
extension GlobalPool: HasChannelsLast {}
extension QLinearGlobalAveragePool: HasChannelsLast {}
extension BatchNormalization: HasChannelsLast {
  // Its further results are statistics of channels.
  package var laterResultsHaveAnOrder: Bool { false }
}
extension PoolGradient: HasChannelsLast {
  package var imageCount: Int { 3 }
}
extension GroupNormalization: HasChannelsLast {}
