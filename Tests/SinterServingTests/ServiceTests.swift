import Foundation
import Sinter
import SinterCore
import Testing

@testable import SinterServing

@Suite("Served models")
struct ServiceTests {
  private struct Nothing {}

  /// `output = input * factor`, for any number of rows of any length.
  private func compile(_ factor: Double, to path: String) throws {
    try FileManager.default.createDirectory(
      atPath: URL(filePath: path).deletingLastPathComponent().path, withIntermediateDirectories: true)
    let model = try trace(Nothing(), [.f32("n", "k")], name: "scale") { $0[0] * factor }
    let made = FileManager.default.temporaryDirectory.appending(path: "sinter-serving-\(UUID()).so").path
    try model.initialized().compile(to: made)
    try FileManager.default.moveItem(atPath: made, toPath: path)
  }

  private func replace(_ factor: Double, at path: String) throws {
    try FileManager.default.removeItem(atPath: path)
    try compile(factor, to: path)
  }

  private func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "sinter-serving-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
  }

  private func ask(
    _ service: InferenceService, _ method: String, _ path: String, _ body: String = "",
    _ headers: [String: String] = [:]
  ) async -> (status: Int, json: Any?) {
    let bytes = Array(body.utf8)
    let reply = await HTTPService(service).reply(
      to: HTTPAsk(
        method: method, path: path, header: { headers[$0] },
        body: TensorBytes(count: bytes.count) { $0.copyBytes(from: bytes) }))
    return (reply.status, try? JSONSerialization.jsonObject(with: Data(reply.body), options: .fragmentsAllowed))
  }

  private func factor(_ service: InferenceService, _ path: String = "m") async -> (Double?, String?) {
    let body = #"{"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}"#
    let reply = await ask(service, "POST", "/v2/models/\(path)/infer", body).json as? [String: Any]
    let output = (reply?["outputs"] as? [[String: Any]])?.first
    return ((output?["data"] as? [Double])?.first, reply?["model_version"] as? String)
  }

  /// What the server says when it starts is what it says of its models later.
  @Test func theStartIsALineOfJSON() async throws {
    try await withFolder { folder in
      try compile(2, to: folder + "/a/3/libscale.so")
      try compile(3, to: folder + "/b.so")
      var settings = ModelSettings()
      settings.maximumBatch = 4
      let service = try serve(folder, settings)
      let line = try StartReport.line(service.table.all, addresses: ["http://127.0.0.1:8000"])
      #expect(!line.contains("\n"))
      let report = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(report["listening"] as? [String] == ["http://127.0.0.1:8000"])
      let models = try #require(report["models"] as? [[String: Any]])
      #expect(models.map { $0["name"] as? String } == ["a", "b"] && models[0]["version"] as? String == "3")
      for (model, name) in zip(models, ["a", "b"]) {
        let asked = await ask(service, "GET", "/v2/models/\(name)").json as? [String: Any]
        #expect(model["inputs"] as? NSArray == asked?["inputs"] as? NSArray && model["inputs"] != nil)
        #expect(model["outputs"] as? NSArray == asked?["outputs"] as? NSArray)
      }
    }
  }

  /// With a listener, each request is told of once, however it ended.
  @Test func aListenerHearsHowRequestsEnd() async throws {
    try await withFolder { folder in
      try compile(2, to: folder + "/m.so")
      let table = ModelTable(Repository(folder), defaults: ModelSettings())
      try table.loadAll()
      let (lines, heard) = AsyncStream.makeStream(of: String.self)
      let service = InferenceService(table) { heard.yield($0) }
      #expect(await factor(service).0 == 2)
      _ = await factor(service, "none")
      _ = await ask(service, "POST", "/v2/models/m/infer", "{}")
      heard.finish()
      var found: [String] = []
      for await line in lines { found.append(line) }
      try #require(found.count == 3, "\(found)")
      #expect(found[0].hasPrefix("model 'm', version 1: answered in ") && found[0].hasSuffix(" ms"))
      #expect(found[1].hasPrefix("refused with status 404: "))
      #expect(found[2].hasPrefix("model 'm', version 1: refused with status 400 after "))
    }
  }

  private func serve(_ folder: String, _ settings: ModelSettings = ModelSettings()) throws -> InferenceService {
    var settings = settings
    settings.threads = 1
    let table = ModelTable(Repository(folder), defaults: settings)
    try table.loadAll()
    return InferenceService(table)
  }

  @Test func findsModelsAndSaysWhatIsWrong() async throws {
    try await withFolder { folder in
      for path in [
        "a.so", "libb.so", "c/lib.so", "c/1/x.so", "d/1/x.so", "d/2/libx.so", "d/2/liby.so", "e/9/x.so", "f/README",
        ".g/x.so",
      ] {
        let url = URL(filePath: "\(folder)/\(path)")
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data().write(to: url)
      }
      let models = try Repository(folder).models()
      #expect(models.map(\.name) == ["a", "b", "c", "d", "e", "f"])
      #expect(models[0].libraries == ["1": folder + "/a.so"])
      #expect(models[4].libraries == ["9": folder + "/e/9/x.so"])
      #expect(models.map { $0.problem != nil } == [false, false, true, true, false, true])
      #expect(throws: Refusal.self) { try Repository(folder + "/none").models() }
      // No file of these is a library: all are told at once.
      #expect {
        try ModelTable(Repository(folder), defaults: ModelSettings()).loadAll()
      } throws: { error in ["a.so", "libb.so", "'c'", "'d'", "e/9", "'f'"].allSatisfy { "\(error)".contains($0) } }
    }
  }

  @Test func settingsOfAModelStandBeforeTheServers() throws {
    func read(_ text: String) throws -> ModelSettings {
      try ModelSettings().reading(TensorBytes(count: text.utf8.count) { $0.copyBytes(from: Array(text.utf8)) })
    }
    let settings = try read(#"{"max_batch": 16, "max_delay_ms": 1.5, "split": {"1": 9, "2": 1}}"#)
    #expect(settings.maximumBatch == 16 && settings.maximumDelay == 1.5 && settings.queue == 256)
    #expect(settings.split == ["1": 9, "2": 1])
    for text in [
      "", "[]", #"{"max_bach": 2}"#, #"{"instances": 0}"#, #"{"split": {"1": -1}}"#, #"{"split": {"1": 0}}"#,
      #"{"timeout_ms": "1"}"#,
    ] {
      #expect(throws: Refusal.self) { try read(text) }
    }
  }

  @Test func settingsAreNamedAsTheyAreTyped() {
    var settings = ModelSettings()
    settings.timeout = 0
    #expect(settings.problem() == "timeout_ms is 0.0, expected 1 to 86400000")
    #expect(settings.problem(in: .options) == "--timeout is 0.0, expected 0.001 to 86400")
    settings.maximumBatch = 0
    #expect(settings.problem(in: .options) == "--max-batch is 0, expected 1 to 1000000")
  }

  @Test func versionsWithoutNumbersAreNeverTheNewestBesideNumbers() {
    #expect(["2", "1.old", "10", "backup"].sorted(by: ModelTable.isOlder) == ["1.old", "backup", "2", "10"])
  }

  @Test func headIsGetAndOtherMethodsAreToldWhatGoes() async throws {
    #expect(try Route("HEAD", "/v2/health/live") == .live)
    #expect(throws: Refusal.self) { try Route("HEAD", "/v2/models/m/infer") }
    let http = HTTPService(InferenceService(ModelTable(Repository("."), defaults: ModelSettings())))
    func allow(_ method: String, _ path: String) async -> String? {
      let ask = HTTPAsk(method: method, path: path, header: { _ in nil }, body: TensorBytes(count: 0) { _ in })
      let reply = await http.reply(to: ask)
      return reply.status == 405 ? reply.headers.first { $0.name == "allow" }?.value : nil
    }
    #expect(await allow("POST", "/metrics") == "GET, HEAD")
    #expect(await allow("GET", "/predictions/m") == "POST, PUT")
  }

  @Test func onlyWhatCouldBeWrittenIsAnswered() async throws {
    try await withFolder { folder in
      try compile(10, to: folder + "/m/1/libm.so")
      let service = try serve(folder)
      let body = #"{"inputs": [{"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [3e38]}]}"#
      #expect(await ask(service, "POST", "/v2/models/m/infer", body).status == 422)
      #expect(await ask(service, "POST", "/predictions/m", "[[3e38]]").status == 422)
      #expect(await ask(service, "POST", "/predictions/m", "[[3]]").status == 200)
      #expect(service.table.all[0].counters.numbers.outcomes == [.refused: 2, .answered: 1])
      // Lists deeper than the input's.
      #expect(await ask(service, "POST", "/predictions/m", "[[[[3]]]]").status == 400)
      await OwnThread.run { service.table.closeAndDrain() }
    }
  }

  @Test func loadsAgainWhatHasChangedAndNothingElse() async throws {
    try await withFolder { folder in
      try compile(2, to: folder + "/m/1/libm.so")
      try compile(3, to: folder + "/m/2/libm.so")
      let service = try serve(folder)
      let first = try service.table.version("m", "1")
      func change(_ file: String, _ text: String) throws -> ServedVersion {
        try Data(text.utf8).write(to: URL(filePath: "\(folder)/m/\(file)"))
        try service.table.load("m")
        return try service.table.version("m", "1")
      }
      #expect(try change("serve.json", #"{"threads": 1, "split": {"1": 1}}"#) === first)
      #expect(await factor(service) == (2, "1"))
      let second = try change("1/other.weights", "weights")
      #expect(second !== first)
      #expect(try change("serve.json", #"{"threads": 1, "queue": 7}"#) !== second)
      await OwnThread.run { service.table.closeAndDrain() }
    }
  }

  @Test func answersAndSwapsAndGoes() async throws {
    try await withFolder { folder in
      let path = folder + "/m/1/libm.so"
      try compile(2, to: path)
      let service = try serve(folder)
      #expect(await factor(service) == (2, "1"))
      // The file is another one, but the old library answers until it is asked to load.
      try replace(3, at: path)
      #expect(await factor(service).0 == 2)
      #expect(await ask(service, "POST", "/v2/repository/models/m/load").status == 200)
      #expect(await factor(service).0 == 3)
      // A file that is no library changes nothing.
      try FileManager.default.removeItem(atPath: path)
      try Data("no library".utf8).write(to: URL(filePath: path))
      #expect(await ask(service, "POST", "/v2/repository/models/m/load").status == 400)
      #expect(await factor(service).0 == 3)
      try compile(5, to: folder + "/m/2/libm.so")
      try replace(4, at: path)
      #expect(await ask(service, "POST", "/v2/repository/models/m/load").status == 200)
      #expect(await factor(service) == (5, "2"))
      #expect(await factor(service, "m/versions/1") == (4, "1"))
      #expect(await ask(service, "GET", "/v2/models/m/versions/3/ready").status == 503)
      #expect(await ask(service, "POST", "/v2/repository/models/m/unload").status == 200)
      #expect(await ask(service, "GET", "/v2/models/m").status == 404)
      let index = await ask(service, "POST", "/v2/repository/index").json as? [[String: String]]
      #expect(index?.map { $0["state"] } == ["UNAVAILABLE", "UNAVAILABLE"])
      #expect(await ask(service, "POST", "/v2/repository/models/m/load").status == 200)
      service.stop()
      #expect(await ask(service, "GET", "/v2/health/ready").status == 503)
      #expect(await ask(service, "GET", "/v2/health/live").status == 200)
      #expect(await ask(service, "POST", "/v2/models/m/infer").status == 503)
      await OwnThread.run { service.table.closeAndDrain() }
    }
  }

  @Test func swapsLoseNoRequest() async throws {
    try await withFolder { folder in
      let path = folder + "/m/1/libm.so"
      try compile(1, to: path)
      let service = try serve(folder)
      let asked = Task {
        var answers: [Double?] = []
        while !Task.isCancelled || answers.count < 200 { answers.append(await factor(service).0) }
        return answers
      }
      for round in 2...4 {
        try replace(Double(round), at: path)
        #expect(await ask(service, "POST", "/v2/repository/models/m/load").status == 200)
      }
      asked.cancel()
      let answers = await asked.value
      #expect(answers.allSatisfy { $0 != nil })
      #expect(answers.compactMap { $0 } == answers.compactMap { $0 }.sorted())
      // The last of them may have begun before the last load ended; what is asked after it may not.
      #expect(await factor(service).0 == 4)
    }
  }

  @Test func batchesAnswerAsSingleRequestsDo() async throws {
    try await withFolder { folder in
      try compile(3, to: folder + "/m.so")
      var settings = ModelSettings()
      settings.maximumBatch = 8
      settings.maximumDelay = 50
      let service = try serve(folder, settings)
      // Two lengths of rows, which may not meet, and one request that is wrong.
      let answers = await withTaskGroup(of: (Int, [Double]?, Int).self) { group in
        for index in 0..<40 {
          group.addTask {
            let width = index % 2 == 0 ? 2 : 5
            let data = (0..<width).map { Double(index * 10 + $0) }
            let body =
              #"{"inputs": [{"name": "input", "shape": [1, \#(width)], "datatype": "FP32", "data": \#(data)}]}"#
            let reply = await ask(service, "POST", "/v2/models/m/infer", index == 17 ? "{}" : body)
            let output = ((reply.json as? [String: Any])?["outputs"] as? [[String: Any]])?.first
            return (index, output?["data"] as? [Double], reply.status)
          }
        }
        var answers: [(Int, [Double]?, Int)] = []
        for await answer in group { answers.append(answer) }
        return answers
      }
      for (index, data, status) in answers {
        let width = index % 2 == 0 ? 2 : 5
        #expect(status == (index == 17 ? 400 : 200))
        if index != 17 { #expect(data == (0..<width).map { Double(index * 10 + $0) * 3 }) }
      }
      let numbers = try service.table.version("m", nil).counters.numbers
      #expect(numbers.outcomes[.answered] == 39 && numbers.outcomes[.refused] == 1)
      #expect(numbers.batch.count < 39, "no two requests ran together")
      #expect(MetricsText.of(service).contains(#"sinter_requests_total{model="m",version="1",outcome="answered"} 39"#))
    }
  }

  @Test func splitsTrafficByWeight() async throws {
    try await withFolder { folder in
      try compile(1, to: folder + "/m/1/m.so")
      try compile(2, to: folder + "/m/2/m.so")
      try Data(#"{"split": {"1": 3, "2": 1}}"#.utf8).write(to: URL(filePath: folder + "/m/serve.json"))
      let service = try serve(folder)
      var counts: [String: Int] = [:]
      for _ in 0..<40 { counts[await factor(service).1 ?? "", default: 0] += 1 }
      #expect(counts == ["1": 30, "2": 10])
      // Who names a version gets it.
      #expect(await factor(service, "m/versions/2").1 == "2")
      try Data(#"{"split": {"7": 1}}"#.utf8).write(to: URL(filePath: folder + "/m/serve.json"))
      #expect(await ask(service, "POST", "/v2/repository/models/m/load").status == 400)
      #expect(await factor(service).0 != nil)
    }
  }

  @Test(arguments: [
    ("GET", "/v2", 200), ("GET", "/v2/", 200), ("POST", "/v2", 405), ("GET", "/", 404), ("GET", "/v2/models", 404),
    ("GET", "/v2/models/m/versions/1/ready", 200), ("GET", "/v2/models/%6d?x=1", 200), ("GET", "/v2/models/%6", 400),
    ("GET", "/v2/models/%ff", 400), ("GET", "/v2/models/x", 404), ("GET", "/v2/models/m/infer", 405),
    ("POST", "/v2/models/m/infer", 400), ("POST", "/v2/models/m/versions/2/infer", 404), ("GET", "/metrics", 200),
    ("GET", "/ping", 200), ("POST", "/predictions/m", 400), ("PUT", "/predictions/m/1", 400),
    ("POST", "/v2/repository/index", 200), ("POST", "/v2/repository/models/x/load", 404),
  ])
  func paths(method: String, path: String, status: Int) async throws {
    try await withFolder { folder in
      try compile(1, to: folder + "/m.so")
      #expect(await ask(try serve(folder), method, path).status == status)
    }
  }

  @Test func predictionsAndQueueLimits() async throws {
    try await withFolder { folder in
      try compile(2, to: folder + "/m.so")
      let service = try serve(folder)
      let reply = await ask(service, "POST", "/predictions/m", "[[1, 2], [3, 4]]")
      #expect(reply.json as? [[Double]] == [[2, 4], [6, 8]])
      #expect(await ask(service, "POST", "/predictions/m", "[[1], [3, 4]]").status == 400)
      let gzip = await ask(service, "POST", "/v2/models/m/infer", "", ["content-encoding": "gzip"])
      #expect(gzip.status == 415)
      let infinite = #"{"inputs": [{"name": "input", "shape": [1, 1], "datatype": "FP32", "data": [1e39]}]}"#
      let refused = await ask(service, "POST", "/v2/models/m/infer", infinite)
      #expect(refused.status == 422)
    }
  }
}
