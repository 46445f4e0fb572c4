import SinterCore

/// Visits the attributes of an operator one by one; each visitor reads them, or writes them, or both.
///
/// An operator calls one function per attribute, always in the same order and with the same names. A reader replaces the value where
/// its source has one; a writer takes it. `default` is the value that need not be written.
public protocol AttributeList {
  mutating func int(_ name: String, _ value: inout Int, default: Int)
  mutating func float(_ name: String, _ value: inout Double, default: Double)
  mutating func bool(_ name: String, _ value: inout Bool, default: Bool)
  mutating func string(_ name: String, _ value: inout String, default: String)
  mutating func ints(_ name: String, _ value: inout [Int], default: [Int])
  mutating func floats(_ name: String, _ value: inout [Double], default: [Double])
  mutating func strings(_ name: String, _ value: inout [String], default: [String])
  mutating func elementType(_ name: String, _ value: inout ElementType)
  mutating func dims(_ name: String, _ value: inout [Dim])
  mutating func tensor(_ name: String, _ value: inout HostTensor?)
  mutating func optionalInt(_ name: String, _ value: inout Int?)
  mutating func optionalFloat(_ name: String, _ value: inout Double?)
  mutating func optionalInts(_ name: String, _ value: inout [Int]?)
  /// A choice among the cases of an enumeration, written as its raw value.
  mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ name: String, _ value: inout Choice, default: Choice)
}
