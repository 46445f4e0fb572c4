/// Why a request is not answered: what kind of thing went wrong, and the sentence that the client reads.
package struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable, CaseIterable {
    /// The request contradicts itself, the protocol or the model.
    case badRequest
    /// There is no such path, model or version.
    case notFound
    case methodNotAllowed
    /// The client took too long to send it.
    case slowClient
    case tooLarge
    /// An encoding of the body that is not read.
    case unsupportedMedia
    /// The result cannot be said in the form that was asked for.
    case unprocessable
    /// The model, or Sinter, failed.
    case failed
    /// The queue is full.
    case overloaded
    /// The server is about to end, or the model about to go.
    case stopping
    /// The time that the client or the server allowed is over.
    case expired
  }

  package let kind: Kind
  package let message: String
  /// The methods that the path takes, where the request had another.
  package let allowed: [String]

  package init(_ kind: Kind, _ message: String, allowed: [String] = []) {
    self.kind = kind
    self.message = message
    self.allowed = allowed
  }

  package var description: String { message }

  /// The status of HTTP.
  package var status: Int {
    switch kind {
    case .badRequest: 400
    case .notFound: 404
    case .methodNotAllowed: 405
    case .slowClient: 408
    case .tooLarge: 413
    case .unsupportedMedia: 415
    case .unprocessable: 422
    case .failed: 500
    case .overloaded, .stopping: 503
    case .expired: 504
    }
  }

  /// Seconds after which the same request may be answered; nil where it will not be.
  package var retryAfter: Int? { kind == .overloaded || kind == .stopping ? 1 : nil }

  static func badRequest(_ message: String) -> Refusal { Refusal(.badRequest, message) }
}
