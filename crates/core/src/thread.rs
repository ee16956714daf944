//! Threads of the engine's own, past the standard library.
//!
//! The standard library holds a lock of its own while one of its threads starts or ends. A child that is
//! forked at that moment never gets it: it hangs when it starts a thread, and when it exits. The
//! engine starts threads just where programs fork, so it must not be the one that opens this window.

use std::ffi::{CStr, CString, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

type Work = Box<dyn FnOnce() + Send>;

/// Starts a thread that nobody waits for.
pub(crate) fn start(
    name: &CStr,
    stack: usize,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    extern "C" fn begin(work: *mut c_void) -> *mut c_void {
        // SAFETY: made by `into_raw` below, for this thread.
        let work = unsafe { Box::from_raw(work.cast::<Work>()) };
        work();
        ptr::null_mut()
    }
    let name = name.to_owned();
    // By itself: from outside it might come after what is run there.
    let work = move || {
        // SAFETY: a C string. What is longer than the system takes is cut.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
        work();
    };
    let work: Box<Work> = Box::new(Box::new(work));
    let work = Box::into_raw(work);
    match create(stack, begin, work.cast()) {
        Ok(thread) => {
            // SAFETY: it may have ended by now, but nobody has waited for it.
            unsafe { libc::pthread_detach(thread) };
            Ok(())
        }
        Err(error) => {
            // SAFETY: no thread has got it.
            drop(unsafe { Box::from_raw(work) });
            Err(error)
        }
    }
}

/// As much of it as the system takes for the name of a thread.
pub(crate) fn name(of: &str) -> CString {
    const MOST: usize = 15;
    let mut name = String::new();
    for letter in of.chars().filter(|letter| *letter != '\0') {
        if name.len() + letter.len_utf8() > MOST {
            break;
        }
        name.push(letter);
    }
    CString::new(name).unwrap_or_default()
}

fn create(
    stack: usize,
    begin: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> io::Result<libc::pthread_t> {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: room for them.
    unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) };
    // SAFETY: initialized. A size that the system does not like changes nothing.
    unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack) };
    let mut thread = 0;
    // SAFETY: a function that takes this argument.
    let error =
        unsafe { libc::pthread_create(&raw mut thread, attributes.as_ptr(), begin, argument) };
    // SAFETY: initialized, and not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    if error == 0 { Ok(thread) } else { Err(io::Error::from_raw_os_error(error)) }
}
