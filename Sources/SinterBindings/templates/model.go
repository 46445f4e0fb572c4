// Package @IDENTIFIER@ is the model @NAME@, compiled by sinter @VERSION@: one file for Go 1.18 or later, which needs cgo.
//
// The folder it comes in is a package of Go's: put it into a module and import it. Where the file stands alone, sinter.h belongs beside it.
//
//	model, err := @IDENTIFIER@.Open("lib@NAME@.so", 0)
//	outputs, err := model.Run(@IDENTIFIER@.Of(pixels, 1, 3, 224, 224))
//	scores, err := @IDENTIFIER@.Elements[float32](outputs[0])
//
// Tensors lie in Go's memory. A run copies its inputs into C's memory and its outputs out of it, so that no pointer into Go's memory is
// kept where the garbage collector does not see it.
@PORTS@
package @IDENTIFIER@

/*
#cgo CFLAGS: -I${SRCDIR}/include -I${SRCDIR}
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include "sinter.h"

// What dlerror() and message(NULL) say is each thread's own, and Go changes threads between calls: so they are read in the same call.

static const SinterLibrary *load_library(const char *path, char **problem) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    *problem = strdup(dlerror());
    return NULL;
  }
  const SinterLibrary *(*entry)(void) = (const SinterLibrary *(*)(void))dlsym(handle, "sinter_library");
  if (!entry) *problem = strdup("the file has no sinter_library");
  return entry ? entry() : NULL;
}

static int32_t open_session(const SinterLibrary *library, int32_t threads, const char *weights, SinterSession **session, char **problem) {
  SinterOptions options = {0};
  options.size = sizeof options;
  options.threads = threads;
  options.weights = weights;
  int32_t status = library->open(&options, session);
  if (status != SINTER_OK) *problem = strdup(library->message(NULL));
  return status;
}

static int32_t run_session(const SinterLibrary *library, SinterSession *session, const SinterValue *inputs, SinterValue *outputs) {
  return library->run(session, inputs, outputs);
}

static const char *session_message(const SinterLibrary *library, SinterSession *session) { return library->message(session); }
static void close_session(const SinterLibrary *library, SinterSession *session) { library->close(session); }

static void release_value(SinterValue *value) {
  if (value->release) value->release(value);
}

static int32_t read_state(const SinterLibrary *library, SinterSession *session, size_t state, SinterValue *value) {
  return library->read_state(session, state, value);
}
static int32_t write_state(const SinterLibrary *library, SinterSession *session, size_t state, const SinterValue *value) {
  return library->write_state(session, state, value);
}
static int32_t save_state(const SinterLibrary *library, SinterSession *session, const char *path) {
  return library->save_state(session, path);
}
static int32_t restore_state(const SinterLibrary *library, SinterSession *session, const char *path) {
  return library->restore_state(session, path);
}
*/
import "C"

import (
	"fmt"
	"math/bits"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// Error is what was refused. Status is a SinterStatus of sinter.h.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

func refused(format string, values ...any) error {
	return &Error{int(C.SINTER_INVALID_ARGUMENT), fmt.Sprintf(format, values...)}
}

// DataType is an element type by DLPack's numbers: {2, 32} is float32. Text is {200, 128}.
type DataType struct{ Code, Bits uint8 }

var textType = DataType{C.SINTER_STRING, 128}

// Element is a Go type that tensors hold.
type Element interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64 | complex64 | complex128 | bool | string
}

func typeOf[T Element]() DataType {
	var element T
	switch any(element).(type) {
	case int8:
		return DataType{0, 8}
	case int16:
		return DataType{0, 16}
	case int32:
		return DataType{0, 32}
	case int64:
		return DataType{0, 64}
	case uint8:
		return DataType{1, 8}
	case uint16:
		return DataType{1, 16}
	case uint32:
		return DataType{1, 32}
	case uint64:
		return DataType{1, 64}
	case float32:
		return DataType{2, 32}
	case float64:
		return DataType{2, 64}
	case complex64:
		return DataType{5, 64}
	case complex128:
		return DataType{5, 128}
	case bool:
		return DataType{6, 8}
	}
	return textType
}

// Tensor is dense and row-major, in Go's memory.
type Tensor struct {
	dtype DataType
	shape []int64
	bytes []byte   // of numbers, aligned for their type
	texts []string // of text
	wrong error    // why it is none: the next call that takes it returns this
}

// Type is the type of the elements.
func (t Tensor) Type() DataType { return t.dtype }

// Shape is the sizes of the axes, the outermost first.
func (t Tensor) Shape() []int64 { return append([]int64{}, t.shape...) }

// Of is a tensor of elements that are not copied: they must stay as they are while a call takes it. A call that is given a tensor whose
// shape has another number of elements refuses it.
func Of[T Element](elements []T, shape ...int64) Tensor {
	tensor := Tensor{dtype: typeOf[T](), shape: append([]int64{}, shape...)}
	if count, ok := product(shape, 1); !ok || count != len(elements) {
		tensor.wrong = refused("%d elements were given for the shape %v", len(elements), shape)
	} else if texts, ok := any(elements).([]string); ok {
		tensor.texts = texts
	} else if count > 0 {
		size := int(unsafe.Sizeof(elements[0]))
		tensor.bytes = unsafe.Slice((*byte)(unsafe.Pointer(&elements[0])), size*count)
	}
	return tensor
}

// OfType is Of with another element type of the same width: DataType{2, 16}, float16, in uint16.
func OfType[T Element](elements []T, dtype DataType, shape ...int64) Tensor {
	tensor := Of(elements, shape...)
	if tensor.dtype == textType || tensor.dtype.Bits != dtype.Bits {
		tensor.wrong = refused("elements of %d bits were given for a type of %d", tensor.dtype.Bits, dtype.Bits)
	}
	tensor.dtype = dtype
	return tensor
}

// Elements are the elements of a tensor, not copied, or an error where they have another type.
func Elements[T Element](tensor Tensor) ([]T, error) {
	if tensor.wrong != nil {
		return nil, tensor.wrong
	}
	if tensor.dtype != typeOf[T]() {
		return nil, refused("the elements have type %v, not %v", tensor.dtype, typeOf[T]())
	}
	return Raw[T](tensor)
}

// Raw is Elements for types that Go does not have: any of the same width, as uint16 for float16.
func Raw[T Element](tensor Tensor) ([]T, error) {
	if tensor.wrong != nil {
		return nil, tensor.wrong
	}
	if tensor.dtype.Bits != typeOf[T]().Bits || (tensor.dtype == textType) != (typeOf[T]() == textType) {
		return nil, refused("the elements have %d bits, not %d", tensor.dtype.Bits, typeOf[T]().Bits)
	}
	if tensor.dtype == textType {
		return any(tensor.texts).([]T), nil
	}
	if len(tensor.bytes) == 0 {
		return []T{}, nil
	}
	var element T
	return unsafe.Slice((*T)(unsafe.Pointer(&tensor.bytes[0])), len(tensor.bytes)/int(unsafe.Sizeof(element))), nil
}

// product multiplies sizes; false where one is negative or the product times the width does not fit.
func product(shape []int64, width int) (int, bool) {
	count, fits := uint64(1), true
	for _, size := range shape {
		if size < 0 {
			return 0, false
		}
		if size == 0 {
			count, fits = 0, true
			break
		}
		high, low := bits.Mul64(count, uint64(size))
		fits, count = fits && high == 0, low
	}
	high, low := bits.Mul64(count, uint64(width))
	const most = uint64(^uint(0) >> 1)
	return int(count), fits && high == 0 && low <= most
}

// Port is an input, an output or a state.
type Port struct {
	Name    string
	Type    DataType
	Shape   []int64  // -1 for a size that only a run determines; nil where the rank is not known either
	Symbols []string // the sizes' names, "" for none
}

// Model is an open library. Calls on it take turns: open one for each goroutine that is to run beside others.
type Model struct {
	turn                    sync.Mutex
	library                 *C.SinterLibrary
	session                 *C.SinterSession
	inputs, outputs, states []Port
}

// Open loads a library. 0 threads are as many as the process may use. The library stays loaded when the model is closed.
func Open(path string, threads int) (*Model, error) { return OpenWithWeights(path, "", threads) }

// OpenWithWeights is Open for a library whose weights lie in a file at another place than beside it.
func OpenWithWeights(path, weights string, threads int) (*Model, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, refused("%s", err)
	}
	file, err := terminated(path)
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(file))
	var apart *C.char
	if weights != "" {
		if apart, err = terminated(weights); err != nil {
			return nil, err
		}
		defer C.free(unsafe.Pointer(apart))
	}
	if int(int32(threads)) != threads {
		return nil, refused("there are no %d threads", threads)
	}
	var problem *C.char
	defer func() { C.free(unsafe.Pointer(problem)) }()
	library := C.load_library(file, &problem)
	if library == nil {
		return nil, refused("%s", C.GoString(problem))
	}
	if library.abi_version < 1 || library.abi_version > C.SINTER_ABI_VERSION {
		return nil, refused("%s has version %d of sinter.h, expected 1 to %d", path, library.abi_version, C.SINTER_ABI_VERSION)
	}
	model := &Model{library: library}
	if model.inputs, err = describe(library.inputs, library.input_count); err != nil {
		return nil, err
	}
	if model.outputs, err = describe(library.outputs, library.output_count); err != nil {
		return nil, err
	}
	if library.abi_version > 1 { // the fields of states are there then only
		if model.states, err = describe(library.states, library.state_count); err != nil {
			return nil, err
		}
	}
	if status := C.open_session(library, C.int32_t(threads), apart, &model.session, &problem); status != C.SINTER_OK {
		return nil, &Error{int(status), C.GoString(problem)}
	}
	runtime.SetFinalizer(model, (*Model).Close)
	return model, nil
}

// Close frees what the model holds, its threads among it. Calls after it are refused.
func (m *Model) Close() {
	m.turn.Lock()
	defer m.turn.Unlock()
	if m.session != nil {
		C.close_session(m.library, m.session)
		m.session = nil
	}
	runtime.SetFinalizer(m, nil)
}

// Inputs are the inputs in the order in which Run takes them.
func (m *Model) Inputs() []Port { return m.inputs }

// Outputs are the outputs in the order in which Run returns them.
func (m *Model) Outputs() []Port { return m.outputs }

// States are what the library carries from one run to the next.
func (m *Model) States() []Port { return m.states }

// Run runs the model on one tensor for each input.
func (m *Model) Run(inputs ...Tensor) ([]Tensor, error) {
	m.turn.Lock()
	defer m.turn.Unlock()
	if m.session == nil {
		return nil, refused("the model is closed")
	}
	if len(inputs) != len(m.inputs) {
		return nil, refused("%d inputs given, expected %d", len(inputs), len(m.inputs))
	}
	var memory arena
	defer memory.free()
	given, made := memory.values(len(inputs)), memory.values(len(m.outputs))
	for i, tensor := range inputs {
		if err := memory.write(&given[i], tensor); err != nil {
			return nil, refused("input '%s': %s", m.inputs[i].Name, err)
		}
	}
	if err := m.demand(C.run_session(m.library, m.session, &given[0], &made[0])); err != nil {
		return nil, err
	}
	outputs := make([]Tensor, len(m.outputs))
	var wrong error
	for i := range outputs {
		var err error
		if outputs[i], err = read(&made[i]); err != nil && wrong == nil {
			wrong = refused("output '%s': %s", m.outputs[i].Name, err)
		}
	}
	if wrong != nil {
		return nil, wrong
	}
	return outputs, nil
}

// ReadState is a copy of a state.
func (m *Model) ReadState(name string) (Tensor, error) {
	m.turn.Lock()
	defer m.turn.Unlock()
	index, err := m.state(name)
	if err != nil {
		return Tensor{}, err
	}
	var memory arena
	defer memory.free()
	value := &memory.values(1)[0]
	if err := m.demand(C.read_state(m.library, m.session, index, value)); err != nil {
		return Tensor{}, err
	}
	return read(value)
}

// WriteState copies a tensor into a state.
func (m *Model) WriteState(name string, tensor Tensor) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	index, err := m.state(name)
	if err != nil {
		return err
	}
	var memory arena
	defer memory.free()
	value := &memory.values(1)[0]
	if err := memory.write(value, tensor); err != nil {
		return refused("state '%s': %s", name, err)
	}
	return m.demand(C.write_state(m.library, m.session, index, value))
}

// SaveState writes all states as a safetensors file, which replaces what was there when it is complete.
func (m *Model) SaveState(path string) error {
	return m.withFile(path, func(file *C.char) C.int32_t { return C.save_state(m.library, m.session, file) })
}

// RestoreState reads them back. A file that does not have just these states is refused and changes nothing.
func (m *Model) RestoreState(path string) error {
	return m.withFile(path, func(file *C.char) C.int32_t { return C.restore_state(m.library, m.session, file) })
}

func (m *Model) withFile(path string, call func(*C.char) C.int32_t) error {
	m.turn.Lock()
	defer m.turn.Unlock()
	if m.session == nil {
		return refused("the model is closed")
	}
	if len(m.states) == 0 {
		return refused("the library has no state")
	}
	file, err := terminated(path)
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(file))
	return m.demand(call(file))
}

func (m *Model) state(name string) (C.size_t, error) {
	if m.session == nil {
		return 0, refused("the model is closed")
	}
	for index, state := range m.states {
		if state.Name == name {
			return C.size_t(index), nil
		}
	}
	return 0, refused("the library has no state '%s'", name)
}

func (m *Model) demand(status C.int32_t) error {
	if status == C.SINTER_OK {
		return nil
	}
	return &Error{int(status), C.GoString(C.session_message(m.library, m.session))}
}

// terminated is a copy in C's memory, which the caller frees.
func terminated(path string) (*C.char, error) {
	if strings.IndexByte(path, 0) >= 0 {
		return nil, refused("the path %q has a zero in it", path)
	}
	return C.CString(path), nil
}

func describe(first *C.SinterPort, count C.size_t) ([]Port, error) {
	ports := make([]Port, count)
	for i, port := range unsafe.Slice(first, int(count)) {
		name := C.GoString(port.name)
		if port.kind != C.SINTER_TENSOR {
			return nil, refused("'%s' is no tensor: sequences, optionals and maps are for the C interface", name)
		}
		ports[i] = Port{Name: name, Type: DataType{uint8(port.dtype.code), uint8(port.dtype.bits)}}
		if port.ndim < 0 {
			continue
		}
		ports[i].Shape, ports[i].Symbols = make([]int64, port.ndim), make([]string, port.ndim)
		for axis, size := range unsafe.Slice(port.shape, int(port.ndim)) {
			ports[i].Shape[axis] = int64(size)
		}
		if port.dimension != nil {
			for axis, symbol := range unsafe.Slice(port.dimension, int(port.ndim)) {
				ports[i].Symbols[axis] = C.GoString(symbol)
			}
		}
	}
	return ports, nil
}

// arena is C's memory that is freed together.
type arena struct{ blocks []unsafe.Pointer }

// block starts at a multiple of 64 bytes. C.malloc does not fail: where there is no memory, it ends the program as Go's allocator does.
func (a *arena) block(bytes int) unsafe.Pointer {
	block := C.malloc(C.size_t(bytes) + 63)
	a.blocks = append(a.blocks, block)
	return unsafe.Add(block, -uintptr(block)&63)
}

// values are empty ones, one at least.
func (a *arena) values(count int) []C.SinterValue {
	if count < 1 {
		count = 1
	}
	values := unsafe.Slice((*C.SinterValue)(a.block(count*C.sizeof_SinterValue)), count)
	for i := range values {
		values[i] = C.SinterValue{}
	}
	return values
}

func (a *arena) free() {
	for _, block := range a.blocks {
		C.free(block)
	}
}

// write copies a tensor into C's memory, for a value to point at.
func (a *arena) write(value *C.SinterValue, tensor Tensor) error {
	if tensor.wrong != nil {
		return tensor.wrong
	}
	width := (int(tensor.dtype.Bits) + 7) / 8
	count, ok := product(tensor.shape, width)
	if !ok || tensor.dtype != textType && count*width != len(tensor.bytes) || tensor.dtype == textType && count != len(tensor.texts) {
		return refused("the elements do not fit the shape %v", tensor.shape)
	}
	value.kind = C.SINTER_TENSOR
	value.tensor.device = C.SinterDevice{device_type: 1}
	value.tensor.dtype = C.SinterDataType{code: C.uint8_t(tensor.dtype.Code), bits: C.uint8_t(tensor.dtype.Bits), lanes: 1}
	value.tensor.ndim = C.int32_t(len(tensor.shape))
	value.tensor.shape = (*C.int64_t)(a.block(8 * len(tensor.shape)))
	for axis, size := range tensor.shape {
		unsafe.Slice(value.tensor.shape, len(tensor.shape))[axis] = C.int64_t(size)
	}
	if tensor.dtype != textType {
		value.tensor.data = a.block(len(tensor.bytes))
		copy(unsafe.Slice((*byte)(value.tensor.data), len(tensor.bytes)), tensor.bytes)
		return nil
	}
	value.tensor.data = a.block(count * C.sizeof_SinterString)
	for i, text := range tensor.texts {
		target := &unsafe.Slice((*C.SinterString)(value.tensor.data), count)[i]
		target.bytes, target.length = (*C.char)(a.block(len(text))), C.uint64_t(len(text))
		copy(unsafe.Slice((*byte)(unsafe.Pointer(target.bytes)), len(text)), text)
	}
	return nil
}

// read copies what a call made, and releases it.
func read(value *C.SinterValue) (Tensor, error) {
	defer C.release_value(value)
	made := &value.tensor
	if value.kind != C.SINTER_TENSOR {
		return Tensor{}, refused("no tensor")
	}
	tensor := Tensor{dtype: DataType{uint8(made.dtype.code), uint8(made.dtype.bits)}, shape: make([]int64, made.ndim)}
	for axis := range tensor.shape {
		tensor.shape[axis] = int64(unsafe.Slice(made.shape, int(made.ndim))[axis])
	}
	if made.dtype.bits%8 != 0 {
		return Tensor{}, refused("elements of %d bits are for the C interface", made.dtype.bits)
	}
	width := int(made.dtype.bits) / 8
	count, ok := product(tensor.shape, width)
	if !ok {
		return Tensor{}, refused("the shape %v is too large", tensor.shape)
	}
	if count == 0 {
		return tensor, nil
	}
	data := unsafe.Add(made.data, made.byte_offset)
	if tensor.dtype == textType {
		tensor.texts = make([]string, count)
		for i, text := range unsafe.Slice((*C.SinterString)(data), count) {
			tensor.texts[i] = string(unsafe.Slice((*byte)(unsafe.Pointer(text.bytes)), int(text.length)))
		}
		return tensor, nil
	}
	words := make([]uint64, (count*width+7)/8) // aligned for every element type
	tensor.bytes = unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), count*width)
	copy(tensor.bytes, unsafe.Slice((*byte)(data), count*width))
	return tensor, nil
}
