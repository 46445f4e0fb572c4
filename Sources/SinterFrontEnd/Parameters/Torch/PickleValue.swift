/// What a pickle may hold here: Python's plain values, and names of functions that are never called.
enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  /// An integer beyond 64 bits, as its little-endian bytes.
  case long([UInt8])
  case float(Double)
  case text(String)
  case bytes([UInt8])
  /// By its place in the heap, as lists and dictionaries.
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  /// A class or a function by its module and name.
  case global(String)
  case storage(TorchStorage)
  case tensor(TorchTensor)
  /// Something that is known and of no interest: a device, a set of hooks.
  case other(String)
}

/// The tuples, lists and dictionaries of a pickle. Values name them by their place, so that values nested without an end, which any file may have, need
/// no stack to be taken apart.
final class PickleHeap {
  private(set) var sequences: [[PickleValue]] = []
  private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  /// Dictionaries that stand for a module of TorchScript: its attributes are what it has.
  private(set) var scripts: Set<Int> = []
  /// Every storage that the pickle names, by its key.
  private(set) var storages: [String: TorchStorage] = [:]

  func tuple(_ items: [PickleValue]) -> PickleValue {
    sequences.append(items)
    return .tuple(sequences.count - 1)
  }

  func list(_ items: [PickleValue] = []) -> PickleValue {
    sequences.append(items)
    return .list(sequences.count - 1)
  }

  func dictionary(isScript: Bool = false) -> PickleValue {
    dictionaries.append([])
    if isScript { scripts.insert(dictionaries.count - 1) }
    return .dictionary(dictionaries.count - 1)
  }

  /// The items of a tuple; nil for anything else.
  func tuple(_ value: PickleValue) -> [PickleValue]? {
    if case .tuple(let place) = value { sequences[place] } else { nil }
  }

  func storage(_ storage: TorchStorage) -> PickleValue {
    storages[storage.key] = storage
    return .storage(storage)
  }

  func grow(_ list: Int, _ items: [PickleValue]) { sequences[list] += items }
  func add(_ key: PickleValue, _ value: PickleValue, to dictionary: Int) {
    dictionaries[dictionary].append((key, value))
  }
}

/// A piece of memory that tensors lie in.
struct TorchStorage {
  /// Nil for bytes whose type the tensor says.
  let element: ElementType?
  let key: String
  /// In elements, or in bytes without a type.
  let count: Int
}

/// A tensor as a view of a storage.
struct TorchTensor {
  let storage: TorchStorage
  let element: ElementType
  /// In elements.
  let offset: Int
  let shape: [Int], strides: [Int]
}
