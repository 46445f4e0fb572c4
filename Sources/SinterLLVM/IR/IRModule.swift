internal import CLLVM
import SinterCore

/// A value and a type of LLVM. Both are pointers to C; the two names tell which is meant.
typealias IRValue = LLVMValueRef
typealias IRType = LLVMTypeRef
typealias IRBlock = LLVMBasicBlockRef

/// One LLVM module in a context of its own, the place where instructions go, and the types that emission uses.
///
/// Contexts share nothing, so that modules can be written and compiled on different threads.
final class IRModule {
  let context: LLVMContextRef
  let module: LLVMModuleRef
  let builder: LLVMBuilderRef
  let target: Target

  private final class Complaints {
    var texts: [String] = []
  }
  private let told = Complaints()
  /// The errors that LLVM found in this module so far.
  var complaints: [String] { told.texts }

  let void, i1, i8, i16, i32, i64, f16, bf16, f32, f64, pointer: IRType

  init(name: String, target: Target) {
    self.target = target
    context = LLVMContextCreate()
    module = LLVMModuleCreateWithNameInContext(name, context)
    builder = LLVMCreateBuilderInContext(context)
    void = LLVMVoidTypeInContext(context)
    i1 = LLVMInt1TypeInContext(context)
    i8 = LLVMInt8TypeInContext(context)
    i16 = LLVMInt16TypeInContext(context)
    i32 = LLVMInt32TypeInContext(context)
    i64 = LLVMInt64TypeInContext(context)
    f16 = LLVMHalfTypeInContext(context)
    bf16 = LLVMBFloatTypeInContext(context)
    f32 = LLVMFloatTypeInContext(context)
    f64 = LLVMDoubleTypeInContext(context)
    pointer = LLVMPointerTypeInContext(context, 0)
    LLVMSetTarget(module, target.triple)
    // Without a handler LLVM would print errors and end the process.
    LLVMContextSetDiagnosticHandler(
      context,
      { info, sink in
        guard let info, let sink, LLVMGetDiagInfoSeverity(info) == LLVMDSError else { return }
        let text = LLVMGetDiagInfoDescription(info)
        defer { LLVMDisposeMessage(text) }
        let complaints = Unmanaged<Complaints>.fromOpaque(sink).takeUnretainedValue()
        complaints.texts.append(text.map { String(cString: $0) } ?? "")
      }, Unmanaged.passUnretained(told).toOpaque())
  }

  deinit {
    LLVMDisposeBuilder(builder)
    LLVMDisposeModule(module)
    LLVMContextDispose(context)
  }

  // MARK: Types

  func vector(_ element: IRType, _ lanes: Int) -> IRType {
    lanes == 1 ? element : LLVMVectorType(element, UInt32(lanes))
  }

  /// A vector of `element` with as many lanes as `value` has; `element` itself for a scalar.
  func like(_ value: IRValue, _ element: IRType) -> IRType { vector(element, lanes(value)) }

  func type(_ value: IRValue) -> IRType { LLVMTypeOf(value) }

  func lanes(_ value: IRValue) -> Int {
    let type = LLVMTypeOf(value)
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? Int(LLVMGetVectorSize(type)) : 1
  }

  /// Bits of an integer, or of one lane of a vector of integers.
  func bits(_ type: IRType) -> Int {
    let element = LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetElementType(type)! : type
    return Int(LLVMGetIntTypeWidth(element))
  }

  func array(_ element: IRType, _ count: Int) -> IRType { LLVMArrayType2(element, UInt64(count)) }

  func structure(_ fields: [IRType]) -> IRType {
    var fields: [IRType?] = fields
    return LLVMStructTypeInContext(context, &fields, UInt32(fields.count), 0)
  }

  func functionType(_ result: IRType, _ parameters: [IRType]) -> IRType {
    var parameters: [IRType?] = parameters
    return LLVMFunctionType(result, &parameters, UInt32(parameters.count), 0)
  }

  // MARK: Constants

  func int(_ type: IRType, _ value: Int64) -> IRValue {
    let element = LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetElementType(type)! : type
    let bits = bits(type)
    let mask = bits >= 64 ? UInt64.max : (UInt64(1) << UInt64(bits)) - 1
    return splat(LLVMConstInt(element, UInt64(bitPattern: value) & mask, 0), type)
  }

  func real(_ type: IRType, _ value: Double) -> IRValue {
    let element = LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetElementType(type)! : type
    return splat(LLVMConstReal(element, value), type)
  }

  private func splat(_ scalar: IRValue, _ type: IRType) -> IRValue {
    guard LLVMGetTypeKind(type) == LLVMVectorTypeKind else { return scalar }
    return vectorConstant([IRValue](repeating: scalar, count: Int(LLVMGetVectorSize(type))))
  }

  func vectorConstant(_ elements: [IRValue]) -> IRValue {
    var elements: [IRValue?] = elements
    return LLVMConstVector(&elements, UInt32(elements.count))
  }

  func zero(_ type: IRType) -> IRValue { LLVMConstNull(type) }
  func undefined(_ type: IRType) -> IRValue { LLVMGetPoison(type) }
  func index(_ value: Int) -> IRValue { int(i64, Int64(value)) }

  /// The number that a value is for certain.
  func knownInt(_ value: IRValue) -> Int? {
    LLVMIsAConstantInt(value) == nil ? nil : Int(LLVMConstIntGetSExtValue(value))
  }

  func isConstant(_ value: IRValue) -> Bool { LLVMIsConstant(value) != 0 }

  // MARK: Functions

  /// A function with a body to come, not visible outside the library.
  func function(_ name: String, _ type: IRType, linkage: LLVMLinkage = LLVMExternalLinkage) -> IRValue {
    let function = LLVMAddFunction(module, name, type)!
    LLVMSetLinkage(function, linkage)
    if linkage == LLVMExternalLinkage { LLVMSetVisibility(function, LLVMHiddenVisibility) }
    addAttribute("nounwind", to: function)
    setProcessor(of: function)
    return function
  }

  /// A function of the C library or of the runtime.
  func external(_ name: String, _ type: IRType, isPure: Bool = false, isHidden: Bool = false) -> IRValue {
    if let known = LLVMGetNamedFunction(module, name) { return known }
    let function = LLVMAddFunction(module, name, type)!
    addAttribute("nounwind", to: function)
    if isPure {
      addAttribute("memory", 0, to: function)
      addAttribute("willreturn", to: function)
    }
    if isHidden { LLVMSetVisibility(function, LLVMHiddenVisibility) }
    return function
  }

  func addAttribute(_ name: String, _ value: UInt64 = 0, to function: IRValue, parameter: Int? = nil) {
    let kind = LLVMGetEnumAttributeKindForName(name, name.utf8.count)
    let index =
      parameter.map { LLVMAttributeIndex($0 + 1) } ?? LLVMAttributeIndex(bitPattern: Int32(LLVMAttributeFunctionIndex))
    LLVMAddAttributeAtIndex(function, index, LLVMCreateEnumAttribute(context, kind, value))
  }

  private func setProcessor(of function: IRValue) {
    let attributes = [
      ("target-cpu", target.instructionSet), ("target-features", target.featureString), ("tune-cpu", target.tuning),
    ]
    for (name, value) in attributes where !value.isEmpty {
      LLVMAddAttributeAtIndex(
        function, LLVMAttributeIndex(bitPattern: Int32(LLVMAttributeFunctionIndex)),
        LLVMCreateStringAttribute(context, name, UInt32(name.utf8.count), value, UInt32(value.utf8.count)))
    }
  }

  func parameter(_ function: IRValue, _ index: Int) -> IRValue { LLVMGetParam(function, UInt32(index)) }

  /// The names of the functions with bodies for which a condition holds.
  func functionNames(where holds: (IRValue) -> Bool) -> [String] {
    var names: [String] = []
    var next = LLVMGetFirstFunction(module)
    while let function = next {
      if LLVMCountBasicBlocks(function) > 0, holds(function) {
        var length = 0
        let name = LLVMGetValueName2(function, &length)
        names.append(String(decoding: UnsafeRawBufferPointer(start: name, count: length), as: UTF8.self))
      }
      next = LLVMGetNextFunction(function)
    }
    return names
  }

  /// The instructions of the longest block of all functions.
  var longestBlock: Int {
    var longest = 0
    var function = LLVMGetFirstFunction(module)
    while let here = function {
      var block = LLVMGetFirstBasicBlock(here)
      while let own = block {
        var count = 0
        var instruction = LLVMGetFirstInstruction(own)
        while let step = instruction {
          count += 1
          instruction = LLVMGetNextInstruction(step)
        }
        longest = max(longest, count)
        block = LLVMGetNextBasicBlock(own)
      }
      function = LLVMGetNextFunction(here)
    }
    return longest
  }

  /// The module as LLVM's text.
  var text: String {
    guard let text = LLVMPrintModuleToString(module) else { return "" }
    defer { LLVMDisposeMessage(text) }
    return String(cString: text)
  }
}
