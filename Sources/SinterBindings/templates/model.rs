//! The model @NAME@ for Rust, compiled by sinter @VERSION@: one file without crates, for Rust 1.77 or later with edition 2021.
//!
//! ```ignore
//! mod @IDENTIFIER@;
//! let mut model = @IDENTIFIER@::Model::open("lib@NAME@.so", 0)?;
//! let outputs = model.run(&[@IDENTIFIER@::Tensor::new(&pixels, &[1, 3, 224, 224])])?;
//! let scores: &[f32] = outputs[0].as_slice()?;
//! ```
@PORTS@
#![allow(dead_code)]

use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::marker::PhantomData;

#[repr(C)]
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DataType {
    pub code: u8,
    pub bits: u8,
    pub lanes: u16,
}

#[repr(C)]
struct RawTensor {
    data: *const c_void,
    device: [i32; 2],
    ndim: i32,
    dtype: DataType,
    shape: *const i64,
    strides: *const i64,
    byte_offset: u64,
}

#[repr(C)]
struct RawValue {
    kind: i32,
    tensor: RawTensor,
    elements: *mut RawValue,
    count: usize,
    release: Option<unsafe extern "C" fn(*mut RawValue)>,
    owner: *mut c_void,
}

#[repr(C)]
struct RawOptions {
    size: usize,
    threads: i32,
    weights: *const c_char,
}

#[repr(C)]
struct RawPort {
    name: *const c_char,
    kind: i32,
    optional: i32,
    dtype: DataType,
    ndim: i32,
    shape: *const i64,
    dimension: *const *const c_char,
    elements: *const RawPort,
}

#[repr(C)]
struct RawLibrary {
    abi_version: u32,
    name: *const c_char,
    producer: *const c_char,
    target: *const c_char,
    input_count: usize,
    inputs: *const RawPort,
    output_count: usize,
    outputs: *const RawPort,
    open: unsafe extern "C" fn(*const RawOptions, *mut *mut c_void) -> i32,
    run: unsafe extern "C" fn(*mut c_void, *const RawValue, *mut RawValue) -> i32,
    message: unsafe extern "C" fn(*const c_void) -> *const c_char,
    close: unsafe extern "C" fn(*mut c_void),
}

/// What follows in libraries of version 2.
#[repr(C)]
struct RawStates {
    count: usize,
    states: *const RawPort,
    read: unsafe extern "C" fn(*mut c_void, usize, *mut RawValue) -> i32,
    write: unsafe extern "C" fn(*mut c_void, usize, *const RawValue) -> i32,
    save: unsafe extern "C" fn(*mut c_void, *const c_char) -> i32,
    restore: unsafe extern "C" fn(*mut c_void, *const c_char) -> i32,
}

extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
}

/// What a library refused. `status` is a SinterStatus of sinter.h.
#[derive(Debug)]
pub struct Error {
    pub status: i32,
    pub message: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

fn refused(message: &str) -> Error {
    Error { status: 1, message: message.to_string() }
}

unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        String::new()
    } else {
        CStr::from_ptr(pointer).to_string_lossy().into_owned()
    }
}

/// A type that tensors hold.
///
/// # Safety
/// The type has the layout that its data type says, and no padding.
pub unsafe trait Element: Copy {
    const TYPE: DataType;
}

macro_rules! element {
    ($($type:ty, $code:expr, $bits:expr;)*) => {
        $(unsafe impl Element for $type { const TYPE: DataType = DataType { code: $code, bits: $bits, lanes: 1 }; })*
    };
}
element! {
    i8, 0, 8; i16, 0, 16; i32, 0, 32; i64, 0, 64; u8, 1, 8; u16, 1, 16; u32, 1, 32; u64, 1, 64; f32, 2, 32; f64, 2, 64; bool, 6, 8;
}

/// A dense tensor in the caller's memory.
pub struct Tensor<'a> {
    data: *const c_void,
    dtype: DataType,
    shape: Vec<i64>,
    memory: PhantomData<&'a [u8]>,
}

impl<'a> Tensor<'a> {
    /// Panics where the shape has another number of elements than the slice.
    pub fn new<T: Element>(elements: &'a [T], shape: &[i64]) -> Self {
        assert_eq!(elements.len() as i64, shape.iter().product::<i64>(), "the shape {shape:?} does not fit the elements");
        Tensor { data: elements.as_ptr().cast(), dtype: T::TYPE, shape: shape.to_vec(), memory: PhantomData }
    }

    /// Likewise of another element type of the same width, as f16 in memory of u16.
    pub fn of_type<T: Element>(elements: &'a [T], shape: &[i64], dtype: DataType) -> Self {
        assert_eq!(T::TYPE.bits, dtype.bits, "elements of another width");
        Tensor { dtype, ..Tensor::new(elements, shape) }
    }

    fn raw(&self) -> RawValue {
        RawValue { kind: 1, tensor: RawTensor {
            data: self.data, device: [1, 0], ndim: self.shape.len() as i32, dtype: self.dtype, shape: self.shape.as_ptr(),
            strides: std::ptr::null(), byte_offset: 0,
        }, ..RawValue::empty() }
    }
}

impl RawValue {
    fn empty() -> Self {
        // Safety: all fields are numbers and pointers, for which zeros are values.
        unsafe { std::mem::zeroed() }
    }
}

/// What a run made, in the library's memory.
pub struct Output {
    value: RawValue,
}

// Safety: the memory is this value's own, and release may be called on any thread.
unsafe impl Send for Output {}
unsafe impl Sync for Output {}

impl Output {
    pub fn dtype(&self) -> DataType {
        self.value.tensor.dtype
    }

    pub fn shape(&self) -> &[i64] {
        if self.value.tensor.ndim == 0 {
            return &[];
        }
        // Safety: the library's description of its own memory, which lives as long as this value.
        unsafe { std::slice::from_raw_parts(self.value.tensor.shape, self.value.tensor.ndim as usize) }
    }

    /// The elements, or an error where they are of another type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T], Error> {
        if self.value.kind != 1 || self.dtype() != T::TYPE {
            return Err(refused("the output is no tensor of that element type"));
        }
        let count = self.shape().iter().product::<i64>() as usize;
        if count == 0 {
            return Ok(&[]);
        }
        // Safety: as above.
        unsafe { Ok(std::slice::from_raw_parts((self.value.tensor.data as *const u8).add(self.value.tensor.byte_offset as usize).cast(), count)) }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(release) = self.value.release {
            // Safety: called once, on what run() gave.
            unsafe { release(&mut self.value) }
        }
    }
}

/// An open library. Runs one call at a time, so open one for each thread.
pub struct Model {
    library: &'static RawLibrary,
    with_states: Option<&'static RawStates>,
    session: *mut c_void,
}

// Safety: sessions belong to no thread; `run` takes them by exclusive reference.
unsafe impl Send for Model {}

impl Model {
    /// Loads the library at a path. `threads`: 0 for as many as this process may use.
    pub fn open(path: &str, threads: i32) -> Result<Self, Error> {
        let path = CString::new(path).map_err(|_| refused("the path has a zero in it"))?;
        // Safety: the library's own functions, as sinter.h declares them. It stays loaded, since outputs may outlive this value.
        unsafe {
            let handle = dlopen(path.as_ptr(), 2);
            if handle.is_null() {
                return Err(refused(&text(dlerror())));
            }
            let entry = dlsym(handle, c"sinter_library".as_ptr());
            if entry.is_null() {
                return Err(refused("the file has no sinter_library"));
            }
            let entry: unsafe extern "C" fn() -> *const RawLibrary = std::mem::transmute(entry);
            let table = entry();
            let library: &'static RawLibrary = &*table;
            if !(1..=2).contains(&library.abi_version) {
                return Err(refused("the library is of another version of sinter.h"));
            }
            let with_states = if library.abi_version > 1 { Some(&*table.add(1).cast::<RawStates>()) } else { None };
            let options = RawOptions { size: std::mem::size_of::<RawOptions>(), threads, weights: std::ptr::null() };
            let mut session = std::ptr::null_mut();
            let status = (library.open)(&options, &mut session);
            if status != 0 {
                return Err(Error { status, message: text((library.message)(std::ptr::null())) });
            }
            Ok(Model { library, with_states, session })
        }
    }

    /// The names of the inputs, in their order.
    pub fn inputs(&self) -> Vec<String> {
        // Safety: the library's own tables.
        unsafe { (0..self.library.input_count).map(|i| text((*self.library.inputs.add(i)).name)).collect() }
    }

    pub fn outputs(&self) -> Vec<String> {
        // Safety: likewise.
        unsafe { (0..self.library.output_count).map(|i| text((*self.library.outputs.add(i)).name)).collect() }
    }

    /// Runs on one tensor a port, in their order.
    pub fn run(&mut self, inputs: &[Tensor<'_>]) -> Result<Vec<Output>, Error> {
        if inputs.len() != self.library.input_count {
            return Err(refused(&format!("{} inputs given, expected {}", inputs.len(), self.library.input_count)));
        }
        let values: Vec<RawValue> = inputs.iter().map(Tensor::raw).collect();
        let mut made: Vec<RawValue> = (0..self.library.output_count).map(|_| RawValue::empty()).collect();
        // Safety: as many values as the library asks for, whose memory outlives the call.
        let status = unsafe { (self.library.run)(self.session, values.as_ptr(), made.as_mut_ptr()) };
        self.demand(status)?;
        Ok(made.into_iter().map(|value| Output { value }).collect())
    }

    /// The names of what is carried from one run to the next, in their order.
    pub fn states(&self) -> Vec<String> {
        let Some(table) = self.with_states else { return Vec::new() };
        // Safety: the library's own tables.
        unsafe { (0..table.count).map(|i| text((*table.states.add(i)).name)).collect() }
    }

    /// A copy of a state.
    pub fn read_state(&mut self, name: &str) -> Result<Output, Error> {
        let (table, index) = self.state(name)?;
        let mut value = RawValue::empty();
        // Safety: an empty value, which the library fills in.
        self.demand(unsafe { (table.read)(self.session, index, &mut value) })?;
        Ok(Output { value })
    }

    /// Copies a tensor of the state's type and sizes into it.
    pub fn write_state(&mut self, name: &str, tensor: &Tensor<'_>) -> Result<(), Error> {
        let (table, index) = self.state(name)?;
        // Safety: the tensor's memory outlives the call.
        self.demand(unsafe { (table.write)(self.session, index, &tensor.raw()) })
    }

    /// Writes all states as a safetensors file, which replaces what was there when it is complete.
    pub fn save_state(&mut self, path: &str) -> Result<(), Error> {
        let path = CString::new(path).map_err(|_| refused("the path has a zero in it"))?;
        // Safety: a text with its end.
        self.demand(unsafe { (self.table_of_states()?.save)(self.session, path.as_ptr()) })
    }

    /// Reads them back. A file that does not have just these states is refused and changes nothing.
    pub fn restore_state(&mut self, path: &str) -> Result<(), Error> {
        let path = CString::new(path).map_err(|_| refused("the path has a zero in it"))?;
        // Safety: likewise.
        self.demand(unsafe { (self.table_of_states()?.restore)(self.session, path.as_ptr()) })
    }

    fn state(&self, name: &str) -> Result<(&'static RawStates, usize), Error> {
        let table = self.table_of_states()?;
        let index = self.states().iter().position(|state| state == name);
        Ok((table, index.ok_or_else(|| refused(&format!("the library has no state {name}")))?))
    }

    fn table_of_states(&self) -> Result<&'static RawStates, Error> {
        self.with_states.ok_or_else(|| refused("the library has no state"))
    }

    fn demand(&self, status: i32) -> Result<(), Error> {
        if status == 0 {
            return Ok(());
        }
        // Safety: never null, and copied before the next call.
        Err(Error { status, message: unsafe { text((self.library.message)(self.session)) } })
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // Safety: the session is this value's own.
        unsafe { (self.library.close)(self.session) }
    }
}
