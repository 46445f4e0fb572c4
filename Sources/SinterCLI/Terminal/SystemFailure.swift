import Foundation
import Sinter

/// What Foundation throws where the system refuses something, as a sentence.
enum SystemFailure {
  /// Why, in the system's words; empty where it does not say.
  static func reason(of error: any Error) -> String {
    let found = error as NSError
    var reason = found.localizedFailureReason ?? ""
    var inner: NSError? = found
    while let current = inner {
      if current.domain == NSPOSIXErrorDomain { reason = String(cString: strerror(Int32(current.code))) }
      inner = current.userInfo[NSUnderlyingErrorKey] as? NSError
    }
    return reason
  }

  /// Nil for other errors.
  static func diagnostic(_ error: any Error) -> Diagnostic? {
    let found = error as NSError
    guard [NSCocoaErrorDomain, NSPOSIXErrorDomain, NSURLErrorDomain].contains(found.domain) else { return nil }
    let reason = reason(of: found)
    let path = found.userInfo[NSFilePathErrorKey] as? String ?? (found.userInfo[NSURLErrorKey] as? URL)?.path
    let subject = path.map { "\($0) cannot be used" } ?? "the system refuses what was asked"
    return Diagnostic(
      .user, "system.failure", reason.isEmpty ? subject : "\(subject): \(reason)",
      hint: path == nil ? nil : "check the path, who may write there, and the room on the disk")
  }
}
