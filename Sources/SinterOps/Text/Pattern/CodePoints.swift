/// A set of Unicode code points, as ranges in order with gaps between them.
struct CodePoints: Hashable {
  private(set) var ranges: [ClosedRange<UInt32>] = []

  static let last: UInt32 = 0x10FFFF
  static let all = CodePoints([0...last])

  init() {}

  /// Any ranges, in any order.
  init(_ ranges: [ClosedRange<UInt32>]) {
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let end = self.ranges.last, range.lowerBound <= end.upperBound &+ 1 {
        self.ranges[self.ranges.count - 1] = end.lowerBound...max(end.upperBound, range.upperBound)
      } else {
        self.ranges.append(range)
      }
    }
  }

  init(_ scalars: String) { self.init(scalars.unicodeScalars.map { $0.value...$0.value }) }

  func union(_ other: CodePoints) -> CodePoints { CodePoints(ranges + other.ranges) }

  /// All code points that are not in the set.
  var inverted: CodePoints {
    var result: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in ranges {
      if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
      next = range.upperBound + 1
    }
    if next <= Self.last { result.append(next...Self.last) }
    return CodePoints(result)
  }

  func contains(_ code: UInt32) -> Bool {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < code { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].lowerBound <= code
  }

  /// The set with all code points that differ from one of it only in case.
  var ignoringCase: CodePoints {
    var added: [ClosedRange<UInt32>] = []
    for others in Self.cases where others.contains(where: contains) { added += others.map { $0...$0 } }
    return added.isEmpty ? self : CodePoints(ranges + added)
  }

  /// Code points that differ only in case: those whose single small letter or capital is the same. Two letters that only Turkish takes for
  /// forms of i stand for themselves.
  private static let cases: [[UInt32]] = {
    var group: [UInt32: Int] = [:]
    var groups: [[UInt32]] = []
    for scalar in (0...last).lazy.compactMap({ Unicode.Scalar($0) })
    where scalar.value != 0x130 && scalar.value != 0x131 {
      let mappings = [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping].map(\.unicodeScalars)
      for mapping in mappings {
        guard mapping.count == 1, let other = mapping.first, other != scalar else { continue }
        switch (group[scalar.value], group[other.value]) {
        case (nil, nil):
          (group[scalar.value], group[other.value]) = (groups.count, groups.count)
          groups.append([scalar.value, other.value])
        case (let own?, nil):
          group[other.value] = own
          groups[own].append(other.value)
        case (nil, let own?):
          group[scalar.value] = own
          groups[own].append(scalar.value)
        case (let own?, let others?) where own != others:
          for code in groups[others] { group[code] = own }
          groups[own] += groups[others]
          groups[others] = []
        case (.some, .some): break
        }
      }
    }
    return groups.filter { !$0.isEmpty }
  }()

  // MARK: Named sets

  static let digits = CodePoints([0x30...0x39])
  static let spaces = CodePoints("\t\n\u{c}\r ")
  static let wordCharacters = CodePoints([0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f...0x5f])

  /// The ASCII sets of `[:name:]`; nil for names that there are not.
  static func ascii(_ name: String) -> CodePoints? {
    switch name {
    case "alnum": CodePoints([0x30...0x39, 0x41...0x5a, 0x61...0x7a])
    case "alpha": CodePoints([0x41...0x5a, 0x61...0x7a])
    case "ascii": CodePoints([0...0x7f])
    case "blank": CodePoints("\t ")
    case "cntrl": CodePoints([0...0x1f, 0x7f...0x7f])
    case "digit": digits
    case "graph": CodePoints([0x21...0x7e])
    case "lower": CodePoints([0x61...0x7a])
    case "print": CodePoints([0x20...0x7e])
    case "punct": CodePoints([0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e])
    case "space": CodePoints([9...13, 0x20...0x20])
    case "upper": CodePoints([0x41...0x5a])
    case "word": wordCharacters
    case "xdigit": CodePoints([0x30...0x39, 0x41...0x46, 0x61...0x66])
    default: nil
    }
  }

  /// The code points of a general category of Unicode, by its short name: `L`, `Lu`; `Any` are all. Nil for other names.
  static func category(_ name: String) -> CodePoints? {
    if name == "Any" { return all }
    guard categories.contains(name) else { return nil }
    var ranges: [ClosedRange<UInt32>] = []
    // What lies between the scalars are surrogates, which no text holds.
    for code in 0...last {
      guard let scalar = Unicode.Scalar(code), scalar.properties.generalCategory.shortName.hasPrefix(name) else {
        continue
      }
      if let end = ranges.last, end.upperBound + 1 == code {
        ranges[ranges.count - 1] = end.lowerBound...code
      } else {
        ranges.append(code...code)
      }
    }
    return CodePoints(ranges)
  }

  private static let categories: Set<String> = [
    "C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No", "P",
    "Pc", "Pd",
    "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs",
  ]
}

extension Unicode.GeneralCategory {
  fileprivate var shortName: String {
    switch self {
    case .uppercaseLetter: "Lu"
    case .lowercaseLetter: "Ll"
    case .titlecaseLetter: "Lt"
    case .modifierLetter: "Lm"
    case .otherLetter: "Lo"
    case .nonspacingMark: "Mn"
    case .spacingMark: "Mc"
    case .enclosingMark: "Me"
    case .decimalNumber: "Nd"
    case .letterNumber: "Nl"
    case .otherNumber: "No"
    case .connectorPunctuation: "Pc"
    case .dashPunctuation: "Pd"
    case .openPunctuation: "Ps"
    case .closePunctuation: "Pe"
    case .initialPunctuation: "Pi"
    case .finalPunctuation: "Pf"
    case .otherPunctuation: "Po"
    case .mathSymbol: "Sm"
    case .currencySymbol: "Sc"
    case .modifierSymbol: "Sk"
    case .otherSymbol: "So"
    case .spaceSeparator: "Zs"
    case .lineSeparator: "Zl"
    case .paragraphSeparator: "Zp"
    case .control: "Cc"
    case .format: "Cf"
    case .surrogate: "Cs"
    case .privateUse: "Co"
    case .unassigned: "?"
    @unknown default: "?"
    }
  }
}
