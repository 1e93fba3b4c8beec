//! The proxy "tally": it touches no kernel; it keeps count of the Services and says in the log how many there are. What it is
//! for is to show Lotse's C ABI from another language: the door, the note, a service of the host, calls and MessagePack.
mod abi;

use abi::*;
use std::collections::BTreeSet;
use std::ffi::{c_void, CStr};
use std::os::raw::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

struct Tally {
    proxy: Proxy,
    host: *const Host,
    ids: BTreeSet<Vec<u8>>,
}

// ---- MessagePack: as much as it takes to find the ids ----

struct Reader<'a>(&'a [u8]);

enum Item<'a> {
    Text(&'a [u8]),
    Array(usize),
    Map(usize),
    Other,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        if count > self.0.len() {
            return Err("the request ends too early".into());
        }
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        Ok(taken)
    }

    /// A big-endian number of so many bytes.
    fn number(&mut self, bytes: usize) -> Result<usize, String> {
        Ok(self.take(bytes)?.iter().fold(0, |n, b| n << 8 | usize::from(*b)))
    }

    /// The next value; of an array or a map only the head.
    fn next(&mut self) -> Result<Item<'a>, String> {
        let first = self.take(1)?[0];
        let skip = |reader: &mut Self, count| reader.take(count).map(|_| Item::Other);
        Ok(match first {
            0x80..=0x8f => Item::Map(usize::from(first & 0x0f)),
            0x90..=0x9f => Item::Array(usize::from(first & 0x0f)),
            0xa0..=0xbf => Item::Text(self.take(usize::from(first & 0x1f))?),
            0xc4..=0xc6 => {
                let size = self.number(1 << (first - 0xc4))?;
                skip(self, size)?
            }
            0xcc..=0xcf => skip(self, 1 << (first - 0xcc))?,
            0xd0..=0xd3 => skip(self, 1 << (first - 0xd0))?,
            0xca => skip(self, 4)?,
            0xcb => skip(self, 8)?,
            0xd9..=0xdb => {
                let size = self.number(1 << (first - 0xd9))?;
                Item::Text(self.take(size)?)
            }
            0xdc | 0xdd => Item::Array(self.number(2 << (first - 0xdc))?),
            0xde | 0xdf => Item::Map(self.number(2 << (first - 0xde))?),
            0xc7..=0xc9 | 0xd4..=0xd8 => return Err("the request has an extension type".into()),
            _ => Item::Other,
        })
    }

    fn skip_rest_of(&mut self, item: Item) -> Result<(), String> {
        let mut left = match item {
            Item::Array(n) => n,
            Item::Map(n) => 2 * n,
            _ => 0,
        };
        while left > 0 {
            left -= 1;
            left += match self.next()? {
                Item::Array(n) => n,
                Item::Map(n) => 2 * n,
                _ => 0,
            };
        }
        Ok(())
    }

    /// Calls `visit` with each key of the map that comes next; it consumes the value.
    fn map(&mut self, mut visit: impl FnMut(&mut Self, &[u8]) -> Result<(), String>) -> Result<(), String> {
        let count = match self.next()? {
            Item::Map(count) => count,
            _ => return Err("where a map should be is something else".into()),
        };
        for _ in 0..count {
            match self.next()? {
                Item::Text(key) => visit(self, key)?,
                _ => return Err("a key is no text".into()),
            }
        }
        Ok(())
    }

    fn array(&mut self, mut visit: impl FnMut(&mut Self) -> Result<(), String>) -> Result<(), String> {
        match self.next()? {
            Item::Array(count) => (0..count).try_for_each(|_| visit(self)),
            _ => Err("where an array should be is something else".into()),
        }
    }

    fn skip(&mut self) -> Result<(), String> {
        let item = self.next()?;
        self.skip_rest_of(item)
    }
}

/// The id of the service that comes next.
fn service_id(reader: &mut Reader) -> Result<Vec<u8>, String> {
    let mut id = None;
    reader.map(|reader, key| match (key, reader.next()?) {
        (b"id", Item::Text(text)) => {
            id = Some(text.to_vec());
            Ok(())
        }
        (_, item) => reader.skip_rest_of(item),
    })?;
    id.ok_or_else(|| "a service has no id".into())
}

impl Tally {
    fn resync(&mut self, request: &[u8]) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        Reader(request).map(|reader, key| match key {
            b"services" => reader.array(|reader| {
                ids.insert(service_id(reader)?);
                Ok(())
            }),
            _ => reader.skip(),
        })?;
        self.ids = ids;
        self.tell();
        Ok(())
    }

    fn apply(&mut self, request: &[u8]) -> Result<(), String> {
        let ids = &mut self.ids;
        Reader(request).map(|reader, key| match key {
            b"set" => reader.array(|reader| {
                ids.insert(service_id(reader)?);
                Ok(())
            }),
            b"removed" => reader.array(|reader| {
                if let Item::Text(id) = reader.next()? {
                    ids.remove(id);
                }
                Ok(())
            }),
            _ => reader.skip(),
        })?;
        self.tell();
        Ok(())
    }

    fn remove_all(&mut self) -> Result<(), String> {
        self.ids.clear();
        Ok(())
    }

    fn tell(&self) {
        let message = format!("{} service ports", self.ids.len());
        // Asked for each time: the host answers with the same struct, which lives as long as the host.
        let log = unsafe { ((*self.host).service)((*self.host).this, c("lotse.host.log/1\0")) as *const HostLog };
        if let Some(log) = unsafe { log.as_ref() } {
            (log.write)(log.this, INFO, c("counted\0"), bytes(message.as_bytes()), ptr::null(), 0);
        }
    }
}

// ---- the contract's functions: no panic leaves them, and each call is answered once ----

fn c(text: &'static str) -> *const c_char {
    debug_assert!(text.ends_with('\0'));
    text.as_ptr().cast()
}

fn bytes(data: &[u8]) -> Bytes {
    Bytes { data: data.as_ptr().cast(), size: data.len() }
}

fn answer(this: *mut c_void, request: Bytes, call: *const Call, work: impl FnOnce(&mut Tally, &[u8]) -> Result<(), String>) {
    let call = unsafe { &*call };
    let request: &[u8] = match request.size {
        0 => &[0x80],
        size => unsafe { std::slice::from_raw_parts(request.data.cast(), size) },
    };
    let tally = unsafe { &mut *this.cast::<Tally>() };
    let result = catch_unwind(AssertUnwindSafe(|| work(tally, request))).unwrap_or_else(|_| Err("the plugin has panicked".into()));
    match result {
        Ok(()) => (call.done)(call.ctx, OK, bytes(&[0x80])),
        Err(sentence) => (call.done)(call.ctx, INVALID, bytes(sentence.as_bytes())),
    }
}

extern "C" fn info(_: *mut c_void, _: Bytes, call: *const Call) {
    let call = unsafe { &*call };
    (call.done)(call.ctx, OK, bytes(b"\x82\xa4mode\xa5tally\xa8families\x90"));
}
extern "C" fn resync(this: *mut c_void, request: Bytes, call: *const Call) {
    answer(this, request, call, Tally::resync);
}
extern "C" fn apply(this: *mut c_void, request: Bytes, call: *const Call) {
    answer(this, request, call, Tally::apply);
}
extern "C" fn remove_all(this: *mut c_void, request: Bytes, call: *const Call) {
    answer(this, request, call, |tally, _| tally.remove_all());
}

extern "C" fn destroy(this: *mut c_void) {
    drop(unsafe { Box::from_raw(this.cast::<Tally>()) });
}
extern "C" fn extension(_: *mut c_void, _: *const c_char) -> *const c_void {
    ptr::null()
}
extern "C" fn reconfigure(_: *mut c_void, _: Bytes, error: *mut Error) -> i32 {
    let sentence = b"the tally takes no new configuration while it runs\0";
    if let Some(error) = unsafe { error.as_mut() } {
        error.code = UNSUPPORTED;
        error.message[..sentence.len()].copy_from_slice(sentence);
    }
    UNSUPPORTED
}

extern "C" fn create(host: *const Host, _: Bytes, _: *mut Error) -> *const Instance {
    let base = Instance {
        size: std::mem::size_of::<Proxy>() as u32,
        reserved: 0,
        this: ptr::null_mut(),
        destroy,
        extension,
        reconfigure,
    };
    let tally = Box::into_raw(Box::new(Tally {
        proxy: Proxy { base, info, resync, apply, remove_all },
        host,
        ids: BTreeSet::new(),
    }));
    unsafe {
        (*tally).proxy.base.this = tally.cast();
        ptr::addr_of!((*tally).proxy.base)
    }
}

// ---- the door ----

static FACTORY: Factory = Factory {
    size: std::mem::size_of::<Factory>() as u32,
    key_count: 0,
    id: b"lotse.proxy/1\0".as_ptr().cast(),
    name: b"tally\0".as_ptr().cast(),
    keys: ptr::null(),
    create,
};

extern "C" fn init(_: *const Host, _: *mut Error) -> i32 {
    OK
}
extern "C" fn deinit() {}
extern "C" fn get_factory(id: *const c_char) -> *const Factory {
    if unsafe { CStr::from_ptr(id) }.to_bytes() == b"lotse.proxy/1" {
        &FACTORY
    } else {
        ptr::null()
    }
}

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static lotse_plugin_entry: Plugin = Plugin {
    magic: MAGIC,
    size: std::mem::size_of::<Plugin>() as u32,
    abi_major: 1,
    abi_minor: 0,
    name: b"tally\0".as_ptr().cast(),
    version: b"1.0.0\0".as_ptr().cast(),
    init,
    deinit,
    get_factory,
};

const FACTS: [u8; 77] = *b"name=tally\nkind=proxy\nversion=1.0.0\nthreads=0\nsummary=says how many services\n";

#[used]
#[link_section = ".note.lotse"]
static NOTE: Note<77> = Note {
    owner_size: 6,
    text_size: 8 + FACTS.len() as u32,
    kind: 1,
    owner: *b"Lotse\0\0\0",
    abi_major: 1,
    abi_minor: 0,
    text: FACTS,
};
