import Foundation

/// How a run shows how far it is.
public struct ProgressDisplay: Sendable {
  /// Whether text goes to a terminal: a line that is written over again and again; else a line per epoch.
  public var isTerminal: Bool
  /// How many characters a line may have.
  public var width: Int
  let write: (@Sendable (String) -> Void)?

  /// Hands text to `write`, in lines of at most `width` characters.
  public init(isTerminal: Bool, width: Int = 79, write: @escaping @Sendable (String) -> Void) {
    self.isTerminal = isTerminal
    self.width = width
    self.write = write
  }

  private init() { (isTerminal, width, write) = (false, 0, nil) }

  /// Shows nothing.
  public static let none = ProgressDisplay()

  /// On standard error, as what that is asks for.
  public static var standard: ProgressDisplay {
    var size = winsize()
    let isTerminal = isatty(STDERR_FILENO) != 0
    let width = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1 ? Int(size.ws_col) - 1 : 79
    return ProgressDisplay(isTerminal: isTerminal, width: width) {
      try? FileHandle.standardError.write(contentsOf: Data($0.utf8))
    }
  }
}

/// The lines of a run: `epoch 3/10  412/600  loss 0.2312  8310 samples/s  0:12 left`.
struct ProgressLine {
  let display: ProgressDisplay
  /// The first and the last epoch of the run, counted from 1.
  let last: Int
  let batches: Int
  private let clock = ContinuousClock()
  private var begin: ContinuousClock.Instant
  private var shown: ContinuousClock.Instant?
  private var doneBefore = 0
  /// Whether the terminal's line is that of an epoch that goes on.
  private var isOpen = false

  init(_ display: ProgressDisplay, last: Int, batches: Int) {
    self.display = display
    self.last = last
    self.batches = batches
    begin = clock.now
  }

  /// An epoch begins, of which some batches may have been done earlier.
  mutating func start(done: Int) {
    begin = clock.now
    doneBefore = done
  }

  /// What was measured up to now in an epoch; shown at most ten times a second.
  mutating func update(epoch: Int, _ progress: FitProgress, samplesBefore: Int) {
    guard display.isTerminal, let write = display.write else { return }
    let now = clock.now
    if let shown, now - shown < .milliseconds(100) { return }
    shown = now
    isOpen = true
    let seconds = max((now - begin) / .seconds(1), 1e-9)
    let speed = Double(progress.samples - samplesBefore) / seconds
    let perBatch = seconds / Double(max(1, progress.batch - doneBefore))
    let left = Double((last - epoch) * batches + batches - progress.batch) * perBatch
    let text =
      "epoch \(epoch)/\(last)  \(progress.batch)/\(batches)  \(Self.numbers(progress.means, separator: "  "))"
      + "  \(Self.rounded(speed)) samples/s  \(Self.time(left)) left"
    write("\r" + text.prefix(display.width) + "\u{1b}[K")
  }

  /// The line of a whole epoch, which stays.
  mutating func end(_ epoch: TrainingHistory.Epoch, samples: Int) {
    isOpen = false
    guard let write = display.write else { return }
    let validation = epoch.validation.isEmpty ? "" : ", validation " + Self.numbers(epoch.validation, separator: ", ")
    let speed = Double(samples) / max(epoch.seconds, 1e-9)
    write(
      (display.isTerminal ? "\r\u{1b}[K" : "") + "epoch \(epoch.number)/\(last): "
        + Self.numbers(epoch.training, separator: ", ") + validation
        + ", \(Self.rounded(speed)) samples/s, \(Self.rounded(epoch.seconds)) s\n")
  }

  /// Leaves the terminal's line to others, where an epoch ends before its last batch.
  func abandon() {
    if display.isTerminal, isOpen { display.write?("\n") }
  }

  private static func numbers(_ values: [String: Double], separator: String) -> String {
    // The loss first.
    values.sorted { ($0.key != "loss", $0.key) < ($1.key != "loss", $1.key) }
      .map { "\($0.key) \(rounded($0.value))" }.joined(separator: separator)
  }

  /// Four digits that count.
  static func rounded(_ value: Double) -> String { String(format: abs(value) >= 1000 ? "%.0f" : "%.4g", value) }

  static func time(_ seconds: Double) -> String {
    let whole = Int(min(max(seconds.isFinite ? seconds : 0, 0), 1e9).rounded(.up))
    let (hours, minutes) = (whole / 3600, whole / 60 % 60)
    let rest = String(format: "%02d", whole % 60)
    return hours > 0 ? "\(hours):" + String(format: "%02d:", minutes) + rest : "\(minutes):" + rest
  }
}

private func < (a: (Bool, String), b: (Bool, String)) -> Bool { a.0 == b.0 ? a.1 < b.1 : !a.0 }
