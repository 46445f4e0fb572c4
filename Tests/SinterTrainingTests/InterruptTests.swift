import Foundation
import Testing

/// Ctrl-C in a program that trains, which must be a process of its own.
@Suite struct InterruptTests {
  /// Runs the example of the exclusive or, which would take days, and presses Ctrl-C once it trains.
  @Test func aRunEndsWithWholeEpochs() throws {
    let process = Process()
    process.executableURL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "xor")
    process.arguments = ["1000000000"]
    let pipe = Pipe()
    process.standardOutput = pipe
    // Threads that run tests hold signals back, and a process takes that over from the thread that starts it.
    var (interrupt, before) = (sigset_t(), sigset_t())
    sigemptyset(&interrupt)
    sigaddset(&interrupt, SIGINT)
    pthread_sigmask(SIG_UNBLOCK, &interrupt, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try process.run()
    // Whatever happens, it does not outlive the test.
    let watch = DispatchWorkItem { kill(process.processIdentifier, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + 120, execute: watch)
    defer { watch.cancel() }
    var output = Data()
    while !output.contains(UInt8(ascii: "\n")) {
      let more = pipe.fileHandleForReading.availableData
      if more.isEmpty { break }
      output += more
    }
    // The line comes just before the run begins to listen.
    Thread.sleep(forTimeInterval: 3)
    kill(process.processIdentifier, SIGINT)
    output += try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0 && process.terminationReason == .exit)
    let text = String(decoding: output, as: UTF8.self)
    #expect(text.wholeMatch(of: /training 2-1\nstopped after [1-9][0-9]* complete steps of 2-1\n/) != nil, "\(text)")
  }
}
