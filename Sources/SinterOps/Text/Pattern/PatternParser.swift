import SinterCore

/// Reads RE2's syntax.
struct PatternParser {
  private struct Flags {
    var ignoresCase = false
    var isMultiline = false
    /// `.` stands for line feeds as well.
    var dotMatchesAll = false
  }

  private let scalars: [Unicode.Scalar]
  private var at = 0
  private var flags = Flags()
  private var depth = 0

  /// RE2's bounds of repetitions, and of nested groups.
  private static let mostRepetitions = 1000
  private static let mostGroups = 200

  private init(_ text: String) { scalars = Array(text.unicodeScalars) }

  /// - Throws: a `user` error that says what is wrong with the pattern, and where.
  static func parse(_ text: String) throws -> Pattern {
    var parser = PatternParser(text)
    let pattern = try parser.alternatives()
    if parser.at < parser.scalars.count { throw parser.wrong("there is no group that this ) ends") }
    return pattern
  }

  private func wrong(_ message: String) -> DiagnosticError {
    DiagnosticError(
      .user, "pattern.syntax",
      "the pattern \(TensorText.quoted(String(String.UnicodeScalarView(scalars)))) is wrong at place \(at): \(message)",
      hint: "patterns have the syntax of RE2")
  }

  // MARK: Scanning

  private var next: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

  private mutating func take(_ text: String) -> Bool {
    let wanted = Array(text.unicodeScalars)
    guard at + wanted.count <= scalars.count, scalars[at..<(at + wanted.count)].elementsEqual(wanted) else {
      return false
    }
    at += wanted.count
    return true
  }

  private mutating func scalar(_ what: String) throws -> Unicode.Scalar {
    guard let scalar = next else { throw wrong("it ends inside \(what)") }
    at += 1
    return scalar
  }

  private mutating func text(until end: Unicode.Scalar, _ what: String) throws -> String {
    var text = String.UnicodeScalarView()
    while true {
      let scalar = try scalar(what)
      if scalar == end { return String(text) }
      text.append(scalar)
    }
  }

  // MARK: Structure

  private mutating func alternatives() throws -> Pattern {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.mostGroups else { throw wrong("groups are nested more than \(Self.mostGroups) times") }
    let outer = flags
    defer { flags = outer }
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .alternatives(branches)
  }

  private mutating func sequence() throws -> Pattern {
    var parts: [Pattern] = []
    // Whether the last part may be repeated: nothing may be that is repeated itself.
    var isRepeatable = false
    while let scalar = next, scalar != "|", scalar != ")" {
      if let (least, most) = try repetition() {
        guard isRepeatable, let part = parts.last else { throw wrong("there is nothing to repeat") }
        _ = take("?")
        parts[parts.count - 1] = .repeated(part, least, most)
        isRepeatable = false
      } else if take("\\Q") {
        while let scalar = next, !take("\\E") {
          at += 1
          parts.append(set(CodePoints([scalar.value...scalar.value])))
          isRepeatable = true
        }
      } else {
        let part = try atom()
        isRepeatable = part != nil
        if let part { parts.append(part) }
      }
    }
    return parts.count == 1 ? parts[0] : parts.isEmpty ? .empty : .sequence(parts)
  }

  private mutating func repetition() throws -> (Int, Int?)? {
    if take("*") { return (0, nil) }
    if take("+") { return (1, nil) }
    if take("?") { return (0, 1) }
    // What does not read as bounds is a brace.
    var end = at + 1
    var numbers: [Int?] = [nil]
    guard next == "{" else { return nil }
    while end < scalars.count, scalars[end] != "}" {
      if let digit = scalars[end].digit {
        numbers[numbers.count - 1] = min((numbers[numbers.count - 1] ?? 0) * 10 + digit, 1_000_000)
      } else if scalars[end] == ",", numbers.count == 1 {
        numbers.append(nil)
      } else {
        return nil
      }
      end += 1
    }
    guard end < scalars.count, let least = numbers[0] else { return nil }
    let most = numbers.count == 1 ? least : numbers[1]
    guard least <= Self.mostRepetitions, most.map({ $0 >= least && $0 <= Self.mostRepetitions }) ?? true else {
      throw wrong("a repetition of \(least) to \(most.map(String.init) ?? "any number of") times is not allowed")
    }
    at = end + 1
    return (least, most)
  }

  private func set(_ set: CodePoints) -> Pattern { .set(flags.ignoresCase ? set.ignoringCase : set) }

  /// Nil where only flags change.
  private mutating func atom() throws -> Pattern? {
    let scalar = try scalar("a part")
    switch scalar {
    case "(": return try group()
    case "[": return .set(try bracket())
    case ".": return .set(flags.dotMatchesAll ? .all : CodePoints("\n").inverted)
    case "^": return .assertion(flags.isMultiline ? .lineBegins : .textBegins)
    case "$": return .assertion(flags.isMultiline ? .lineEnds : .textEnds)
    case "\\": return try escaped()
    default: return set(CodePoints([scalar.value...scalar.value]))
    }
  }

  private mutating func group() throws -> Pattern? {
    if take("?") {
      if take("P<") || take("<") {
        let name = try text(until: ">", "the name of a group")
        guard !name.isEmpty,
          name.unicodeScalars.allSatisfy({ $0 == "_" || $0.properties.isAlphabetic || $0.digit != nil })
        else { throw wrong("'\(name)' is no name of a group") }
      } else {
        let outer = flags
        var isOn = true
        while !take(":") {
          let letter = try scalar("flags")
          switch letter {
          case "i": flags.ignoresCase = isOn
          case "m": flags.isMultiline = isOn
          case "s": flags.dotMatchesAll = isOn
          case "U": break
          case "-" where isOn: isOn = false
          // Flags alone hold to the end of the group around them.
          case ")": return nil
          default: throw wrong("there is no group that begins with (?\(letter)")
          }
        }
        let pattern = try alternatives()
        flags = outer
        return try ended(pattern)
      }
    }
    return try ended(try alternatives())
  }

  private mutating func ended(_ pattern: Pattern) throws -> Pattern {
    guard take(")") else { throw wrong("a group has no end") }
    return pattern
  }

  // MARK: Escapes

  private mutating func escaped() throws -> Pattern {
    let special: Pattern? =
      switch next {
      case "A": .assertion(.textBegins)
      case "z": .assertion(.textEnds)
      case "b": .assertion(.wordBoundary)
      case "B": .assertion(.noWordBoundary)
      case "C": .byte
      default: nil
      }
    if let special {
      at += 1
      return special
    }
    if let named = try namedSet() { return .set(named) }
    let code = try character()
    return set(CodePoints([code...code]))
  }

  /// `\d`, `\pL`, behind the backslash.
  private mutating func namedSet() throws -> CodePoints? {
    guard let letter = next else { throw wrong("it ends with a backslash") }
    let perl: CodePoints
    switch letter {
    case "d", "D": perl = .digits
    case "s", "S": perl = .spaces
    case "w", "W": perl = .wordCharacters
    case "p", "P":
      at += 1
      var name = String(try scalar("a category"))
      var isInverted = letter == "P"
      if name == "{" { name = try text(until: "}", "a category") }
      if name.hasPrefix("^") {
        name.removeFirst()
        isInverted.toggle()
      }
      guard let category = CodePoints.category(name) else {
        throw DiagnosticError(
          .limit, "pattern.category", "'\(name)' is no general category of Unicode, and no others are known",
          hint: "list the ranges of code points: [\\x{370}-\\x{3ff}]")
      }
      let set = flags.ignoresCase ? category.ignoringCase : category
      return isInverted ? set.inverted : set
    default: return nil
    }
    at += 1
    let set = flags.ignoresCase ? perl.ignoringCase : perl
    return letter.properties.isUppercase ? set.inverted : set
  }

  /// The code point that an escape stands for, behind the backslash.
  private mutating func character() throws -> UInt32 {
    let scalar = try scalar("an escape")
    switch scalar {
    case "a": return 7
    case "f": return 12
    case "n": return 10
    case "r": return 13
    case "t": return 9
    case "v": return 11
    case "x":
      var digits = ""
      if take("{") {
        digits = try text(until: "}", "a code point")
      } else {
        for _ in 0..<2 { digits.unicodeScalars.append(try self.scalar("a code point")) }
      }
      guard let code = UInt32(digits, radix: 16), code <= CodePoints.last else {
        throw wrong("\(digits) is no code point")
      }
      return code
    case "0", "1", "2", "3", "4", "5", "6", "7":
      // One octal digit alone would be the number of a group, but for 0.
      var code = UInt32(scalar.digit ?? 0)
      var count = 1
      while count < 3, let digit = next?.digit, digit < 8 {
        code = code * 8 + UInt32(digit)
        at += 1
        count += 1
      }
      if count == 1, scalar != "0" { throw wrong("what a group matched cannot be asked for again") }
      return code
    default:
      guard scalar.isASCII, !scalar.properties.isAlphabetic, scalar.digit == nil else {
        throw wrong("there is no escape \\\(scalar)")
      }
      return scalar.value
    }
  }

  // MARK: Brackets

  /// Behind the opening bracket.
  private mutating func bracket() throws -> CodePoints {
    let isInverted = take("^")
    var set = CodePoints()
    var isFirst = true
    while isFirst || !take("]") {
      if next == nil { throw wrong("a bracket has no end") }
      isFirst = false
      if take("[:") {
        var name = try text(until: ":", "the name of a set")
        guard take("]") else { throw wrong("the name of a set has no end") }
        let isOther = name.hasPrefix("^")
        if isOther { name.removeFirst() }
        guard let named = CodePoints.ascii(name) else { throw wrong("there is no set [:\(name):]") }
        let cased = flags.ignoresCase ? named.ignoringCase : named
        set = set.union(isOther ? cased.inverted : cased)
        continue
      }
      if next == "\\" {
        at += 1
        if let named = try namedSet() {
          set = set.union(named)
          continue
        }
        at -= 1
      }
      let low = try bracketed()
      var high = low
      if next == "-", at + 1 < scalars.count, scalars[at + 1] != "]" {
        at += 1
        high = try bracketed()
      }
      guard low <= high else { throw wrong("a range ends before it begins") }
      let range = CodePoints([low...high])
      set = set.union(flags.ignoresCase ? range.ignoringCase : range)
    }
    return isInverted ? set.inverted : set
  }

  private mutating func bracketed() throws -> UInt32 { take("\\") ? try character() : try scalar("a bracket").value }
}

extension Unicode.Scalar {
  /// 0 to 9 of ASCII.
  fileprivate var digit: Int? { (0x30...0x39).contains(value) ? Int(value) - 0x30 : nil }
}
