// @NAME@.hpp: the model @NAME@ for C++17, compiled by sinter @VERSION@.
//
//   @IDENTIFIER@::Session session;                             // links with lib@NAME@.so; or session(path) loads it
//   std::vector<float> image(...);
//   auto outputs = session.run({sinter::view(image.data(), {1, 3, 224, 224})});
//   for (float score : outputs[0].as<float>()) ...
//
// A program is linked with one model at most, since each exports sinter_library(); it loads others by path. Needs sinter.h and nothing else.
@PORTS@
#ifndef SINTER_PACKAGE_@UPPER@_HPP
#define SINTER_PACKAGE_@UPPER@_HPP

#ifndef SINTER_HPP
#define SINTER_HPP

#include <dlfcn.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sinter.h"

namespace sinter {

/// What a library refused, with its status.
class Error : public std::runtime_error {
 public:
  Error(int32_t status, const std::string &message) : std::runtime_error(message), status_(status) {}
  SinterStatus status() const noexcept { return static_cast<SinterStatus>(status_); }

 private:
  int32_t status_;
};

/// Elements one after another in memory of somebody else's.
template <class T>
class Span {
 public:
  Span(T *data, size_t size) : data_(data), size_(size) {}
  T *data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }
  T *begin() const noexcept { return data_; }
  T *end() const noexcept { return data_ + size_; }
  T &operator[](size_t index) const { return data_[index]; }

 private:
  T *data_;
  size_t size_;
};

/// The element type of a C++ type. float16 and bfloat16 have none: give SinterDataType{2, 16, 1} or {4, 16, 1} with memory of uint16_t.
template <class T>
struct DataType;
#define SINTER_DATA_TYPE(type, code, bits)                              \
  template <>                                                           \
  struct DataType<type> {                                               \
    static constexpr SinterDataType value = {code, bits, 1};            \
  };
SINTER_DATA_TYPE(int8_t, 0, 8)
SINTER_DATA_TYPE(int16_t, 0, 16)
SINTER_DATA_TYPE(int32_t, 0, 32)
SINTER_DATA_TYPE(int64_t, 0, 64)
SINTER_DATA_TYPE(uint8_t, 1, 8)
SINTER_DATA_TYPE(uint16_t, 1, 16)
SINTER_DATA_TYPE(uint32_t, 1, 32)
SINTER_DATA_TYPE(uint64_t, 1, 64)
SINTER_DATA_TYPE(float, 2, 32)
SINTER_DATA_TYPE(double, 2, 64)
SINTER_DATA_TYPE(bool, 6, 8)
SINTER_DATA_TYPE(SinterString, SINTER_STRING, 128)
#undef SINTER_DATA_TYPE

/// A dense tensor in the caller's memory, for an input, or for an output to be written into.
struct View {
  const void *data;
  std::vector<int64_t> shape;
  SinterDataType type;
};

template <class T>
View view(T *data, std::vector<int64_t> shape) {
  return {data, std::move(shape), DataType<std::remove_const_t<T>>::value};
}
inline View view(const void *data, std::vector<int64_t> shape, SinterDataType type) { return {data, std::move(shape), type}; }

/// What a run made, until this object goes.
class Output {
 public:
  Output() noexcept : value_() {}
  Output(Output &&other) noexcept : value_(std::exchange(other.value_, SinterValue())) {}
  Output &operator=(Output &&other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Output() {
    if (value_.release) value_.release(&value_);
  }

  const SinterValue &value() const noexcept { return value_; }
  std::vector<int64_t> shape() const { return {value_.tensor.shape, value_.tensor.shape + value_.tensor.ndim}; }

  /// The elements. Throws where they are of another type.
  template <class T>
  Span<const T> as() const {
    const SinterDataType wanted = DataType<T>::value, &given = value_.tensor.dtype;
    if (value_.kind != SINTER_TENSOR || given.code != wanted.code || given.bits != wanted.bits)
      throw Error(SINTER_INVALID_ARGUMENT, "the output is no tensor of that element type");
    size_t count = 1;
    for (int32_t axis = 0; axis < value_.tensor.ndim; axis++) count *= static_cast<size_t>(value_.tensor.shape[axis]);
    return {reinterpret_cast<const T *>(static_cast<const char *>(value_.tensor.data) + value_.tensor.byte_offset), count};
  }

 private:
  friend class Session;
  SinterValue value_;
};

/// An open library. Any number may be open at once; each runs one call at a time.
class Session {
 public:
  explicit Session(const SinterLibrary *library, int threads = 0, const char *weights = nullptr) : library_(library) {
    if (library->abi_version < 1 || library->abi_version > SINTER_ABI_VERSION) throw Error(SINTER_INVALID_ARGUMENT, "the library is of another version of sinter.h");
    SinterOptions options = {};
    options.size = sizeof options;
    options.threads = threads;
    options.weights = weights;
    const int32_t status = library->open(&options, &session_);
    if (status != SINTER_OK) throw Error(status, library->message(nullptr));
  }
  Session(Session &&other) noexcept : library_(other.library_), session_(std::exchange(other.session_, nullptr)) {}
  Session &operator=(Session &&other) noexcept {
    std::swap(library_, other.library_);
    std::swap(session_, other.session_);
    return *this;
  }
  ~Session() {
    if (session_) library_->close(session_);
  }

  const SinterLibrary &library() const noexcept { return *library_; }
  Span<const SinterPort> inputs() const noexcept { return {library_->inputs, library_->input_count}; }
  Span<const SinterPort> outputs() const noexcept { return {library_->outputs, library_->output_count}; }
  /// For the functions of library(); it stays this object's.
  SinterSession *handle() noexcept { return session_; }

  /// Runs on one tensor a port, in port order. Outputs that `into` has memory for are written there; a view without data is none.
  std::vector<Output> run(const std::vector<View> &inputs, const std::vector<View> &into = {}) {
    std::vector<SinterValue> values;
    for (const View &input : inputs) values.push_back(value(input));
    return run(values, into);
  }
  std::vector<Output> run(std::initializer_list<View> inputs, const std::vector<View> &into = {}) {
    return run(std::vector<View>(inputs), into);
  }

  /// The same with sequences, optionals and maps, as sinter.h has them.
  std::vector<Output> run(const std::vector<SinterValue> &inputs, const std::vector<View> &into = {}) {
    if (inputs.size() != library_->input_count)
      throw Error(SINTER_INVALID_ARGUMENT, std::to_string(inputs.size()) + " inputs given, expected " + std::to_string(library_->input_count));
    std::vector<SinterValue> made(library_->output_count);
    for (size_t index = 0; index < into.size() && index < made.size(); index++)
      if (into[index].data) made[index] = value(into[index]);
    std::vector<Output> outputs(made.size());
    demand(library_->run(session_, inputs.data(), made.data()));
    for (size_t index = 0; index < made.size(); index++) outputs[index].value_ = made[index];
    return outputs;
  }

  // State: what this session carries from one run to the next. Each is named by its number or its name.

  Span<const SinterPort> states() const noexcept {
    if (library_->abi_version < 2) return {nullptr, 0};
    return {library_->states, library_->state_count};
  }
  /// The number of a state. Throws where there is none of that name.
  size_t state(std::string_view name) const {
    for (size_t index = 0; index < states().size(); index++)
      if (states()[index].name == name) return index;
    throw Error(SINTER_INVALID_ARGUMENT, "the library has no state " + std::string(name));
  }
  /// A copy of a state.
  Output read_state(size_t state) {
    Output output;
    demand(library_->read_state(session_, known(state), &output.value_));
    return output;
  }
  Output read_state(std::string_view name) { return read_state(state(name)); }
  /// Copies a tensor of the state's type and sizes into it.
  void write_state(size_t state, const View &view) {
    const SinterValue given = value(view);
    demand(library_->write_state(session_, known(state), &given));
  }
  void write_state(std::string_view name, const View &view) { write_state(state(name), view); }
  /// Writes all states as a safetensors file, which replaces what was there when it is complete.
  void save_state(const std::string &path) {
    known(0);
    demand(library_->save_state(session_, path.c_str()));
  }
  /// Reads them back. A file that does not have just these states is refused and changes nothing.
  void restore_state(const std::string &path) {
    known(0);
    demand(library_->restore_state(session_, path.c_str()));
  }

 private:
  void demand(int32_t status) const {
    if (status != SINTER_OK) throw Error(status, library_->message(session_));
  }
  /// Libraries of version 1 have no functions of state.
  size_t known(size_t state) const {
    const size_t count = states().size();
    if (state >= count) throw Error(SINTER_INVALID_ARGUMENT, "the library has " + std::to_string(count) + " states");
    return state;
  }
  static SinterValue value(const View &view) {
    SinterValue value = {};
    value.kind = SINTER_TENSOR;
    value.tensor.data = const_cast<void *>(view.data);
    value.tensor.device.device_type = 1;
    value.tensor.ndim = static_cast<int32_t>(view.shape.size());
    value.tensor.dtype = view.type;
    value.tensor.shape = const_cast<int64_t *>(view.shape.data());
    return value;
  }

  const SinterLibrary *library_;
  SinterSession *session_ = nullptr;
};

/// Loads a library, which then stays, since what it made may outlive its sessions.
inline const SinterLibrary *load(const std::string &path) {
  void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) throw Error(SINTER_INVALID_ARGUMENT, dlerror());
  using Entry = const SinterLibrary *(*)();
  Entry entry = reinterpret_cast<Entry>(dlsym(handle, "sinter_library"));
  if (!entry) throw Error(SINTER_INVALID_ARGUMENT, path + " has no sinter_library");
  return entry();
}

}  // namespace sinter
#endif

namespace @IDENTIFIER@ {

class Session : public sinter::Session {
 public:
  /// The library that the program is linked with.
  explicit Session(int threads = 0) : sinter::Session(linked(), threads) {}
  /// The library at a path.
  explicit Session(const std::string &path, int threads = 0) : sinter::Session(sinter::load(path), threads) {}

 private:
  /// Of several libraries that a program is linked with, the first one's sinter_library() is called for all.
  static const SinterLibrary *linked() {
    const SinterLibrary *library = sinter_library();
    if (std::string_view(library->name) != "@NAME@")
      throw sinter::Error(
          SINTER_INVALID_ARGUMENT,
          std::string("sinter_library() is that of ") + library->name + ", expected @NAME@: link one model, load others by path");
    return library;
  }
};

}  // namespace @IDENTIFIER@
#endif
