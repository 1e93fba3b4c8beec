//! What this plugin needs of Lotse's C ABI (lotse/abi/*.h), member by member. Structs start with their size and only grow
//! at their ends, so a later Lotse still finds here what it knows.
use std::ffi::c_void;
use std::os::raw::c_char;

pub const OK: i32 = 0;
pub const INVALID: i32 = 1;
pub const UNSUPPORTED: i32 = 12;
pub const MAGIC: u64 = 0x3165_7374_6f6c_2d3a;
pub const INFO: i32 = 1;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    pub data: *const c_void,
    pub size: usize,
}

#[repr(C)]
pub struct Error {
    pub size: u32,
    pub code: i32,
    pub message: [u8; 504],
}

#[repr(C)]
pub struct Call {
    pub size: u32,
    pub reserved: u32,
    pub deadline_ns: i64,
    pub ctx: *mut c_void,
    pub done: extern "C" fn(*mut c_void, i32, Bytes),
    pub cancelled: extern "C" fn(*mut c_void) -> i32,
}

#[repr(C)]
pub struct Host {
    pub size: u32,
    pub reserved: u32,
    pub this: *mut c_void,
    pub version: *const c_char,
    pub service: extern "C" fn(*mut c_void, *const c_char) -> *const c_void,
}

#[repr(C)]
pub struct HostLog {
    pub size: u32,
    pub reserved: u32,
    pub this: *mut c_void,
    pub write: extern "C" fn(*mut c_void, i32, *const c_char, Bytes, *const c_void, usize),
    pub level: extern "C" fn(*mut c_void) -> i32,
}

#[repr(C)]
pub struct Instance {
    pub size: u32,
    pub reserved: u32,
    pub this: *mut c_void,
    pub destroy: extern "C" fn(*mut c_void),
    pub extension: extern "C" fn(*mut c_void, *const c_char) -> *const c_void,
    pub reconfigure: extern "C" fn(*mut c_void, Bytes, *mut Error) -> i32,
}

pub type MessageFn = extern "C" fn(*mut c_void, Bytes, *const Call);

#[repr(C)]
pub struct Proxy {
    pub base: Instance,
    pub info: MessageFn,
    pub resync: MessageFn,
    pub apply: MessageFn,
    pub remove_all: MessageFn,
}

#[repr(C)]
pub struct Factory {
    pub size: u32,
    pub key_count: u32,
    pub id: *const c_char,
    pub name: *const c_char,
    pub keys: *const c_void,
    pub create: extern "C" fn(*const Host, Bytes, *mut Error) -> *const Instance,
}

#[repr(C)]
pub struct Plugin {
    pub magic: u64,
    pub size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub name: *const c_char,
    pub version: *const c_char,
    pub init: extern "C" fn(*const Host, *mut Error) -> i32,
    pub deinit: extern "C" fn(),
    pub get_factory: extern "C" fn(*const c_char) -> *const Factory,
}

// They point at nothing but texts and functions that live as long as the process.
unsafe impl Sync for Factory {}
unsafe impl Sync for Plugin {}

/// The ELF note: the same facts for those who run no code of ours.
#[repr(C, align(4))]
pub struct Note<const N: usize> {
    pub owner_size: u32,
    pub text_size: u32,
    pub kind: u32,
    pub owner: [u8; 8],
    pub abi_major: u32,
    pub abi_minor: u32,
    pub text: [u8; N],
}
