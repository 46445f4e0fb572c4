import SinterCore
import SinterForms

/// Draws a program of loop forms: after fusion, one node a kernel.
package enum FormDOTWriter {
  package static func text(of program: FormProgram) -> String {
    var lines = [
      "digraph \(DOTWriter.quoted(program.name)) {",
      "  rankdir=TB; fontname=\"Helvetica\"; labelloc=t; label=\(DOTWriter.quoted(program.name + ", fused"));",
      "  node [fontname=\"Helvetica\", fontsize=11, shape=box, style=\"rounded,filled\", fillcolor=white];",
      "  edge [fontname=\"Helvetica\", fontsize=9, color=\"#495057\"];",
    ]
    for input in program.inputs {
      lines.append(
        "  v\(input.value.rawValue) [label=\(DOTWriter.quoted(input.name)), shape=ellipse, fillcolor=\"#a5d8ff\"];")
    }
    var steps = 0
    func node(_ label: String, _ color: String, _ results: [FormValueID], _ operands: [FormValueID], _ indent: String) {
      let origin = results.flatMap { program.values[$0].origin }
      let name = "s\(steps)"
      steps += 1
      lines.append(
        "\(indent)\(name) [label=\(DOTWriter.quoted(label)), fillcolor=\"\(color)\", tooltip=\(DOTWriter.quoted(origin.joined(separator: "\n")))];"
      )
      for operand in operands where program.values[operand].constant == nil {
        let source = producers[operand] ?? "v\(operand.rawValue)"
        lines.append("\(indent)\(source) -> \(name) [label=\(DOTWriter.quoted(" \(program.values[operand].type)"))];")
      }
      for result in results { producers[result] = name }
    }
    var producers: [FormValueID: String] = [:]
    func draw(_ list: [FormProgram.Step], _ indent: String) {
      for step in list {
        switch step {
        case .compute(let value, let form): node(label(form), color(form), [value], form.operands, indent)
        case .rows(let group):
          let inside = Set(group.members.map(\.value))
          let operands = group.members.flatMap(\.form.operands).filter { !inside.contains($0) }
          node(
            "rows: " + group.members.map { label($0.form) }.joined(separator: ", "), "#d0bfff", group.stored,
            unique(operands), indent)
        case .repetition(let repetition):
          let name = "s\(steps)"
          lines.append("\(indent)subgraph \"cluster_\(name)\" {")
          lines.append(
            "\(indent)  label=\(DOTWriter.quoted("× \(repetition.count)")); style=rounded; color=\"#adb5bd\";")
          for carried in repetition.carried { producers[carried.current] = producers[carried.initial] }
          for input in repetition.inputs {
            producers[input.slice] = producers[input.whole] ?? "v\(input.whole.rawValue)"
          }
          draw(repetition.body, indent + "  ")
          lines.append("\(indent)}")
          for carried in repetition.carried { producers[carried.final] = producers[carried.next] }
          for output in repetition.outputs { producers[output.whole] = producers[output.slice] }
        case .branch(let branch):
          for (title, part) in [("then", branch.then), ("else", branch.otherwise)] {
            lines.append("\(indent)subgraph \"cluster_s\(steps)_\(title)\" {")
            lines.append("\(indent)  label=\"\(title)\"; style=rounded; color=\"#adb5bd\";")
            draw(part, indent + "  ")
            lines.append("\(indent)}")
          }
          node("branch", "#ffd8a8", branch.results.map(\.result), unique(step.operands), indent)
        case .define(let symbol, .element(let value, _)): node("size \(symbol.name)", "#ffec99", [], [value], indent)
        case .define(_, .size), .require: break
        }
      }
    }
    draw(program.steps, "  ")
    for (position, output) in program.outputs.enumerated() {
      lines.append("  out\(position) [label=\(DOTWriter.quoted(output.name)), shape=ellipse, fillcolor=\"#a5d8ff\"];")
      lines.append("  \(producers[output.value] ?? "v\(output.value.rawValue)") -> out\(position);")
    }
    lines.append("}")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func unique(_ values: [FormValueID]) -> [FormValueID] {
    var seen: Set<FormValueID> = []
    return values.filter { seen.insert($0).inserted }
  }

  private static func label(_ form: Form) -> String {
    func with(_ name: String, _ epilogue: Body?) -> String { epilogue == nil ? name : name + " + epilogue" }
    return switch form {
    case .element: "element"
    case .reduce(let form): with("reduce \(form.combine.rawValue)", form.epilogue)
    case .contract(let form): with("contract", form.epilogue)
    case .attend(let form): with("attend", form.epilogue)
    case .convolve(let form):
      with(
        (form.isTransposed ? "convolve transposed " : "convolve ")
          + form.kernel.map(String.init).joined(separator: "×"),
        form.epilogue)
    case .scan: "scan"
    case .scatter: "scatter"
    case .sort: "sort"
    case .call(let form): form.function.rawValue
    }
  }

  private static func color(_ form: Form) -> String {
    switch form {
    case .contract, .attend, .convolve: OperatorFamily.contraction.color
    case .element: OperatorFamily.elementwise.color
    case .reduce: OperatorFamily.reduction.color
    case .scan, .sort: OperatorFamily.recurrent.color
    case .scatter: OperatorFamily.indexing.color
    case .call: OperatorFamily.other.color
    }
  }
}
