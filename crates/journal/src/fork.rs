//! What a forked child gets of its parent's journal: nothing.
//!
//! The lock of [`own`](crate::own) is held across the fork, so that its copy in the child is whole. The
//! child then closes its copies of the descriptors: the journal's lock is one with its parent's, and would
//! keep the guard waiting as long as the child lives. So would those of a sweep that another thread is at.

use std::io;
use std::mem;

use crate::descriptor;
use crate::own;

/// Has all forks go by these rules. What forks past the C library, does not; see `own`.
pub(crate) fn install() -> io::Result<()> {
    // SAFETY: functions that take nothing and are there as long as the program is.
    let error = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

extern "C" fn before() {
    mem::forget(own::lock());
    descriptor::before_fork();
}

extern "C" fn in_parent() {
    descriptor::after_fork();
    own::unlock();
}

extern "C" fn in_child() {
    descriptor::close_private();
    descriptor::after_fork();
    own::forget_parent();
    own::unlock();
}

/// Whether the system has started this program with more rights than who runs it has: then it says so for good.
pub(crate) fn is_secure() -> bool {
    // SAFETY: it only tells a number.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
