import Foundation
import Sinter
import SinterIR
import SinterVisual

/// A profile as other tools read it.
enum ProfileFiles {
  /// The trace format of Chrome's and Perfetto's viewers: one run, launch by launch.
  static func trace(_ profile: RunProfile) throws -> String {
    struct Trace: Encodable {
      struct Event: Encodable {
        struct Details: Encodable {
          var layer: String
          var nodes: [String]
          var flops: Int?
          var bytes: Int?
        }
        var name: String
        var cat = "kernel"
        var ph = "X"
        var ts: Double
        var dur: Double
        var pid = 1
        var tid = 1
        var args: Details
      }
      var traceEvents: [Event]
      var displayTimeUnit = "ns"
      var otherData: [String: String]
    }
    let events = profile.typical.map { launch in
      Trace.Event(
        name: launch.kernel, ts: launch.begin * 1e6, dur: launch.seconds * 1e6,
        args: .init(
          layer: launch.origins.commonLayers.joined(separator: "."), nodes: launch.origins.map(\.label),
          flops: launch.flops, bytes: launch.bytes))
    }
    return try encoded(Trace(traceEvents: events, otherData: ["model": profile.name, "target": profile.target]))
  }

  /// One line a stack, `model;layer;layer;nodes;kernel nanoseconds`: what flamegraph.pl and speedscope read.
  static func folded(_ profile: RunProfile) -> String {
    var order: [String] = []
    var times: [String: Double] = [:]
    for launch in profile.launches {
      let layers = launch.origins.commonLayers
      let nodes = launch.origins.map { $0.name(inside: layers) }.filter { !$0.isEmpty }
      let frames = [profile.name] + layers + (nodes.isEmpty ? [] : [nodes.joined(separator: " + ")]) + [launch.kernel]
      let stack = frames.map { $0.replacing(";", with: ",") }.joined(separator: ";")
      if times[stack] == nil { order.append(stack) }
      times[stack, default: 0] += launch.seconds
    }
    return order.map { "\($0) \(Int((times[$0, default: 0] * 1e9).rounded()))" }.joined(separator: "\n") + "\n"
  }

  static func json(_ profile: RunProfile, _ peaks: MachinePeaks?) throws -> String {
    try encoded(ProfileReport(profile, peaks))
  }

  private static func encoded(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}

extension Origin {
  /// The node's name without the layers that it is known to be inside of.
  fileprivate func name(inside known: [String]) -> String {
    if path.isEmpty { return node.split(separator: "/").dropFirst(known.count).joined(separator: "/") }
    let inner = layers.dropFirst(known.count).joined(separator: ".")
    let last = node.split(separator: "/").last.map(String.init) ?? ""
    return [inner, last].filter { !$0.isEmpty }.joined(separator: ".")
  }
}
