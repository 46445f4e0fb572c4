import SinterIR

extension Pass {
  /// What no output needs goes.
  public static let deadCode = Pass("drop-dead", "Drops nodes that no output depends on, and renumbers.") {
    graph, log in
    log.add("unused nodes go", times: graph.removeDeadNodes())
    graph.compact()
  }
}
