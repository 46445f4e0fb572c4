/// What the path of a request asks for.
package enum Route: Hashable, Sendable {
  case server, live, ready, metrics, ping
  case model(String, version: String?)
  case modelReady(String, version: String?)
  case infer(String, version: String?)
  case predict(String, version: String?)
  case index
  case load(String)
  case unload(String)

  /// `HEAD` asks for what `GET` does.
  ///
  /// - Throws: where there is no such path, or it does not go with the method.
  package init(_ method: String, _ path: String) throws(Refusal) {
    let path = path.prefix { $0 != "?" && $0 != "#" }
    var parts: [String] = []
    for part in path.split(separator: "/") {
      guard let name = Self.decoded(part) else { throw .badRequest("\(path) is not encoded as paths are") }
      parts.append(name)
    }
    let methods: [String]
    switch Self.find(parts) {
    case (let route?, let allowed): (self, methods) = (route, allowed)
    case (nil, _): throw Refusal(.notFound, "there is no path \(path)")
    }
    guard methods.contains(method == "HEAD" ? "GET" : method) else {
      throw Refusal(
        .methodNotAllowed, "\(path) takes \(methods.joined(separator: " or ")), given \(method)",
        allowed: methods + (methods.contains("GET") ? ["HEAD"] : []))
    }
  }

  private static func find(_ parts: [String]) -> (Route?, [String]) {
    switch parts.count {
    case 1 where parts[0] == "v2": (.server, ["GET"])
    case 1 where parts[0] == "metrics": (.metrics, ["GET"])
    case 1 where parts[0] == "ping": (.ping, ["GET"])
    case 2 where parts[0] == "predictions": (.predict(parts[1], version: nil), ["POST", "PUT"])
    case 3 where parts[0] == "predictions": (.predict(parts[1], version: parts[2]), ["POST", "PUT"])
    case 3 where parts == ["v2", "health", "live"]: (.live, ["GET"])
    case 3 where parts == ["v2", "health", "ready"]: (.ready, ["GET"])
    case 3 where parts == ["v2", "repository", "index"]: (.index, ["POST"])
    case 5 where parts[..<3] == ["v2", "repository", "models"] && parts[4] == "load": (.load(parts[3]), ["POST"])
    case 5 where parts[..<3] == ["v2", "repository", "models"] && parts[4] == "unload": (.unload(parts[3]), ["POST"])
    case 3... where parts[..<2] == ["v2", "models"]: model(parts[2], Array(parts[3...]))
    default: (nil, [])
    }
  }

  private static func model(_ name: String, _ rest: [String]) -> (Route?, [String]) {
    var (version, rest) = (String?.none, rest)
    if rest.count >= 2, rest[0] == "versions" {
      version = rest[1]
      rest.removeFirst(2)
    }
    switch rest {
    case []: return (.model(name, version: version), ["GET"])
    case ["ready"]: return (.modelReady(name, version: version), ["GET"])
    case ["infer"]: return (.infer(name, version: version), ["POST"])
    default: return (nil, [])
    }
  }

  /// A part of a path with its `%20`s as what they stand for; nil where that is no text.
  private static func decoded(_ part: Substring) -> String? {
    guard part.utf8.contains(UInt8(ascii: "%")) else { return String(part) }
    var bytes: [UInt8] = []
    var rest = part.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst(), let low = rest.popFirst(),
        let first = Character(Unicode.Scalar(high)).hexDigitValue,
        let second = Character(Unicode.Scalar(low)).hexDigitValue
      else { return nil }
      bytes.append(UInt8(first * 16 + second))
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
