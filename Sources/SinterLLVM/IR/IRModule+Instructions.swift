internal import CLLVM

/// Instructions under short names. Operations on constants give constants.
extension IRModule {
  // MARK: Integers

  func add(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildAdd(builder, a, b, "") }
  func sub(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildSub(builder, a, b, "") }
  func mul(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildMul(builder, a, b, "") }
  func sdiv(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildSDiv(builder, a, b, "") }
  func udiv(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildUDiv(builder, a, b, "") }
  func srem(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildSRem(builder, a, b, "") }
  func urem(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildURem(builder, a, b, "") }
  func and(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildAnd(builder, a, b, "") }
  func or(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildOr(builder, a, b, "") }
  func xor(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildXor(builder, a, b, "") }
  func shl(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildShl(builder, a, b, "") }
  func lshr(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildLShr(builder, a, b, "") }
  func ashr(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildAShr(builder, a, b, "") }

  func and(_ a: IRValue, _ b: Int64) -> IRValue { and(a, int(type(a), b)) }
  func or(_ a: IRValue, _ b: Int64) -> IRValue { or(a, int(type(a), b)) }
  func add(_ a: IRValue, _ b: Int64) -> IRValue { add(a, int(type(a), b)) }
  func sub(_ a: IRValue, _ b: Int64) -> IRValue { sub(a, int(type(a), b)) }
  func shl(_ a: IRValue, _ b: Int) -> IRValue { b == 0 ? a : shl(a, int(type(a), Int64(b))) }
  func lshr(_ a: IRValue, _ b: Int) -> IRValue { b == 0 ? a : lshr(a, int(type(a), Int64(b))) }
  func ashr(_ a: IRValue, _ b: Int) -> IRValue { b == 0 ? a : ashr(a, int(type(a), Int64(b))) }

  // MARK: Floats

  func fadd(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildFAdd(builder, a, b, "") }
  func fsub(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildFSub(builder, a, b, "") }
  func fmul(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildFMul(builder, a, b, "") }
  func fdiv(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildFDiv(builder, a, b, "") }
  func frem(_ a: IRValue, _ b: IRValue) -> IRValue { LLVMBuildFRem(builder, a, b, "") }
  func fneg(_ a: IRValue) -> IRValue { LLVMBuildFNeg(builder, a, "") }

  // MARK: Comparison and choice

  func icmp(_ predicate: LLVMIntPredicate, _ a: IRValue, _ b: IRValue) -> IRValue {
    LLVMBuildICmp(builder, predicate, a, b, "")
  }
  func icmp(_ predicate: LLVMIntPredicate, _ a: IRValue, _ b: Int64) -> IRValue { icmp(predicate, a, int(type(a), b)) }
  func fcmp(_ predicate: LLVMRealPredicate, _ a: IRValue, _ b: IRValue) -> IRValue {
    LLVMBuildFCmp(builder, predicate, a, b, "")
  }
  func select(_ condition: IRValue, _ a: IRValue, _ b: IRValue) -> IRValue {
    if let known = knownInt(condition) { return known != 0 ? a : b }
    return LLVMBuildSelect(builder, condition, a, b, "")
  }

  // MARK: Conversion

  func trunc(_ a: IRValue, _ type: IRType) -> IRValue {
    self.type(a) == type ? a : LLVMBuildTrunc(builder, a, type, "")
  }
  func zext(_ a: IRValue, _ type: IRType) -> IRValue { self.type(a) == type ? a : LLVMBuildZExt(builder, a, type, "") }
  func sext(_ a: IRValue, _ type: IRType) -> IRValue { self.type(a) == type ? a : LLVMBuildSExt(builder, a, type, "") }
  func bitcast(_ a: IRValue, _ type: IRType) -> IRValue {
    self.type(a) == type ? a : LLVMBuildBitCast(builder, a, type, "")
  }
  func fpext(_ a: IRValue, _ type: IRType) -> IRValue { LLVMBuildFPExt(builder, a, type, "") }
  func fptrunc(_ a: IRValue, _ type: IRType) -> IRValue { LLVMBuildFPTrunc(builder, a, type, "") }
  func fptosi(_ a: IRValue, _ type: IRType) -> IRValue { LLVMBuildFPToSI(builder, a, type, "") }
  func fptoui(_ a: IRValue, _ type: IRType) -> IRValue { LLVMBuildFPToUI(builder, a, type, "") }
  func sitofp(_ a: IRValue, _ type: IRType) -> IRValue { LLVMBuildSIToFP(builder, a, type, "") }
  func uitofp(_ a: IRValue, _ type: IRType) -> IRValue { LLVMBuildUIToFP(builder, a, type, "") }

  // MARK: Lanes

  func extract(_ vector: IRValue, _ lane: Int) -> IRValue {
    lanes(vector) == 1 ? vector : LLVMBuildExtractElement(builder, vector, int(i32, Int64(lane)), "")
  }
  func insert(_ vector: IRValue, _ scalar: IRValue, _ lane: Int) -> IRValue {
    LLVMBuildInsertElement(builder, vector, scalar, int(i32, Int64(lane)), "")
  }
  func shuffle(_ a: IRValue, _ b: IRValue, _ positions: [Int]) -> IRValue {
    LLVMBuildShuffleVector(builder, a, b, vectorConstant(positions.map { int(i32, Int64($0)) }), "")
  }
  func broadcast(_ scalar: IRValue, _ lanes: Int) -> IRValue {
    if lanes == 1 { return scalar }
    let type = vector(self.type(scalar), lanes)
    let first = insert(undefined(type), scalar, 0)
    return LLVMBuildShuffleVector(builder, first, undefined(type), zero(vector(i32, lanes)), "")
  }
  /// A vector from scalars; the scalar itself where there is one.
  func gathered(_ scalars: [IRValue]) -> IRValue {
    guard let first = scalars.first, scalars.count > 1 else { return scalars[0] }
    var result = undefined(vector(type(first), scalars.count))
    for (lane, scalar) in scalars.enumerated() { result = insert(result, scalar, lane) }
    return result
  }

  // MARK: Memory

  func load(_ type: IRType, _ pointer: IRValue, alignment: Int) -> IRValue {
    let value = LLVMBuildLoad2(builder, type, pointer, "")!
    LLVMSetAlignment(value, UInt32(alignment))
    return value
  }
  func store(_ value: IRValue, _ pointer: IRValue, alignment: Int) {
    LLVMSetAlignment(LLVMBuildStore(builder, value, pointer), UInt32(alignment))
  }
  /// The address of element `index` of an array of `element` at `base`; a vector of addresses for a vector of indices.
  func address(_ element: IRType, _ base: IRValue, _ index: IRValue) -> IRValue {
    var index: IRValue? = index
    return LLVMBuildInBoundsGEP2(builder, element, base, &index, 1, "")
  }
  func stackArray(_ element: IRType, _ count: Int, alignment: Int) -> IRValue {
    let slot = LLVMBuildAlloca(builder, array(element, count), "")!
    LLVMSetAlignment(slot, UInt32(alignment))
    return slot
  }

  // MARK: Calls

  @discardableResult
  func call(_ function: IRValue, _ arguments: [IRValue]) -> IRValue {
    var arguments: [IRValue?] = arguments
    return LLVMBuildCall2(builder, LLVMGlobalGetValueType(function), function, &arguments, UInt32(arguments.count), "")
  }

  /// Calls an intrinsic; `types` are those it is overloaded over.
  @discardableResult
  func intrinsic(_ name: String, _ types: [IRType], _ arguments: [IRValue]) -> IRValue {
    let id = LLVMLookupIntrinsicID(name, name.utf8.count)
    var types: [IRType?] = types
    let function = LLVMGetIntrinsicDeclaration(module, id, &types, types.count)!
    return call(function, arguments)
  }

  /// The lesser or greater of two floats, NaN where either is NaN; which of two zeros it is does not matter.
  func extreme(_ name: String, _ a: IRValue, _ b: IRValue) -> IRValue {
    let result = intrinsic(name, [type(a)], [a, b])
    LLVMSetFastMathFlags(result, LLVMFastMathFlags(LLVMFastMathNoSignedZeros))
    return result
  }

  // MARK: Control

  func block(_ name: String, in function: IRValue) -> IRBlock { LLVMAppendBasicBlockInContext(context, function, name) }
  func position(at block: IRBlock) { LLVMPositionBuilderAtEnd(builder, block) }
  var currentBlock: IRBlock { LLVMGetInsertBlock(builder) }
  var currentFunction: IRValue { LLVMGetBasicBlockParent(currentBlock) }
  func jump(_ block: IRBlock) { LLVMBuildBr(builder, block) }
  func jump(if condition: IRValue, _ then: IRBlock, else otherwise: IRBlock) {
    LLVMBuildCondBr(builder, condition, then, otherwise)
  }
  func giveBack(_ value: IRValue) { LLVMBuildRet(builder, value) }

  func phi(_ type: IRType, _ incoming: [(IRValue, IRBlock)] = []) -> IRValue {
    let phi = LLVMBuildPhi(builder, type, "")!
    for (value, block) in incoming { addIncoming(phi, value, block) }
    return phi
  }
  func addIncoming(_ phi: IRValue, _ value: IRValue, _ block: IRBlock) {
    var value: IRValue? = value
    var block: IRBlock? = block
    LLVMAddIncoming(phi, &value, &block, 1)
  }
}
