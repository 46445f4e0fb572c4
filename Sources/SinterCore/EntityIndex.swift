/// A typed 32-bit index into one dense array. The printed name is the index.
public protocol EntityIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
  var rawValue: Int32 { get }
  init(rawValue: Int32)
  /// The letters before the number in text forms: `%` of `%12`.
  static var prefix: String { get }
}

extension EntityIndex {
  /// The index of a place in an array, which must fit into 32 bits.
  public init(_ position: Int) { self.init(rawValue: Int32(truncatingIfNeeded: position)) }
  /// As an index of an array.
  public var position: Int { Int(rawValue) }
  /// By place in the array.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  public var description: String { "\(Self.prefix)\(rawValue)" }
}

/// A dense array reached by a typed index.
public struct EntityMap<Index: EntityIndex, Element> {
  /// The elements, by index.
  public private(set) var elements: [Element]

  public init() { elements = [] }
  /// A map whose indices count the given elements from 0.
  public init(_ elements: [Element]) { self.elements = elements }

  /// Adds an element and gives its index.
  @discardableResult
  public mutating func append(_ element: Element) -> Index {
    elements.append(element)
    return Index(elements.count - 1)
  }

  /// The element of an index, which must be one of this map's.
  public subscript(index: Index) -> Element {
    get { elements[index.position] }
    _modify { yield &elements[index.position] }
  }

  /// The number of elements.
  public var count: Int { elements.count }
  /// Whether there are none.
  public var isEmpty: Bool { elements.isEmpty }
  /// All indices, in order.
  public var indices: [Index] { (0..<elements.count).map { Index($0) } }
  /// Whether an index is in use.
  public func contains(_ index: Index) -> Bool { elements.indices.contains(index.position) }
}

extension EntityMap: Sendable where Element: Sendable {}
extension EntityMap: Equatable where Element: Equatable {}
extension EntityMap: Hashable where Element: Hashable {}
