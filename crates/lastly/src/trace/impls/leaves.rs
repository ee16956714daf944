//! What owns no `Gc`, or does not let one find it.

use std::any::{Any, TypeId};
use std::backtrace::Backtrace;
use std::cmp::Ordering;
use std::convert::Infallible;
use std::error::Error;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt;
use std::marker::{PhantomData, PhantomPinned};
use std::mem::{Discriminant, ManuallyDrop, MaybeUninit};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::rc::{self, Rc};
use std::sync::atomic;
use std::sync::{self, Arc};
use std::{
    alloc, env, fs, hash, io, net, num, ops, panic, process, str, string, task, thread, time,
};

use crate::trace::{Trace, Tracer};
use crate::{CallbackError, Deferred, Finalizer, Weak};

macro_rules! leaves {
    ($($(#[$attribute:meta])* $({$($parameters:tt)*})? $leaf:ty),* $(,)?) => {$(
        $(#[$attribute])*
        // SAFETY: finds nothing.
        unsafe impl$(<$($parameters)*>)? Trace for $leaf {
            #[inline]
            fn trace(&self, _: &mut Tracer) {}

            #[inline]
            fn is_leaf() -> bool {
                true
            }
        }
    )*};
}

leaves! {
    bool, char, f32, f64,
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize,
    num::NonZeroI8, num::NonZeroI16, num::NonZeroI32, num::NonZeroI64, num::NonZeroI128,
    num::NonZeroIsize,
    num::NonZeroU8, num::NonZeroU16, num::NonZeroU32, num::NonZeroU64, num::NonZeroU128,
    num::NonZeroUsize,
    num::FpCategory, num::IntErrorKind,
    Ordering, Infallible, TypeId, ops::RangeFull,
    {T: ?Sized} PhantomData<T>, PhantomPinned, {T} Discriminant<T>,
    String, CString, OsString, PathBuf,
}

/// The same; of these, nobody can ask what they are.
macro_rules! unsized_leaves {
    ($($leaf:ty),* $(,)?) => {$(
        // SAFETY: finds nothing.
        unsafe impl Trace for $leaf {
            #[inline]
            fn trace(&self, _: &mut Tracer) {}
        }
    )*};
}

unsized_leaves! { str, CStr, OsStr, Path }

// What is only pointed to is somebody else's.
leaves! {
    {T: ?Sized} &T, {T: ?Sized} &mut T,
    {T: ?Sized} *const T, {T: ?Sized} *mut T, {T: ?Sized} NonNull<T>,
}

// What is shared may be found in several ways, and would be counted several times.
leaves! {
    {T: ?Sized} Rc<T>, {T: ?Sized} rc::Weak<T>, {T: ?Sized} Arc<T>, {T: ?Sized} sync::Weak<T>,
    {T: ?Sized} Weak<T>, {O, A, F} Finalizer<O, A, F>, {A, F} Deferred<A, F>,
}

// To drop it drops no content.
leaves! { {T: ?Sized} ManuallyDrop<T>, {T} MaybeUninit<T> }

// What is `Send` owns no `Gc`.
unsized_leaves! {
    dyn Any + Send + '_, dyn Any + Send + Sync + '_,
    dyn Error + Send + '_, dyn Error + Send + Sync + '_,
}
leaves! {
    {T} thread::JoinHandle<T>, task::Waker, process::Command, io::Error, CallbackError,
}

leaves! {
    #[cfg(target_has_atomic = "8")] atomic::AtomicBool,
    #[cfg(target_has_atomic = "8")] atomic::AtomicI8,
    #[cfg(target_has_atomic = "8")] atomic::AtomicU8,
    #[cfg(target_has_atomic = "16")] atomic::AtomicI16,
    #[cfg(target_has_atomic = "16")] atomic::AtomicU16,
    #[cfg(target_has_atomic = "32")] atomic::AtomicI32,
    #[cfg(target_has_atomic = "32")] atomic::AtomicU32,
    #[cfg(target_has_atomic = "64")] atomic::AtomicI64,
    #[cfg(target_has_atomic = "64")] atomic::AtomicU64,
    #[cfg(target_has_atomic = "ptr")] atomic::AtomicIsize,
    #[cfg(target_has_atomic = "ptr")] atomic::AtomicUsize,
    #[cfg(target_has_atomic = "ptr")] {T} atomic::AtomicPtr<T>,
    atomic::Ordering, sync::Barrier, sync::Condvar, sync::Once,
}

leaves! {
    time::Duration, time::Instant, time::SystemTime, time::SystemTimeError,
    net::IpAddr, net::Ipv4Addr, net::Ipv6Addr,
    net::SocketAddr, net::SocketAddrV4, net::SocketAddrV6,
    net::TcpListener, net::TcpStream, net::UdpSocket, net::Shutdown,
    fs::DirBuilder, fs::DirEntry, fs::File, fs::FileTimes, fs::FileType, fs::Metadata,
    fs::OpenOptions, fs::Permissions, fs::ReadDir,
    io::Empty, io::ErrorKind, io::Repeat, io::SeekFrom, io::Sink, io::Stderr, io::Stdin, io::Stdout,
    process::Child, process::ChildStderr, process::ChildStdin, process::ChildStdout,
    process::ExitCode, process::ExitStatus, process::Output, process::Stdio,
    thread::Builder, thread::Thread, thread::ThreadId, {T} thread::LocalKey<T>,
    alloc::Layout, hash::DefaultHasher, hash::RandomState, {H} hash::BuildHasherDefault<H>,
    Backtrace, panic::Location<'_>,
    env::VarError, fmt::Error, num::ParseFloatError, num::ParseIntError, num::TryFromIntError,
    str::Utf8Error, string::FromUtf8Error, net::AddrParseError,
}

#[cfg(unix)]
leaves! {
    std::os::fd::OwnedFd, std::os::fd::BorrowedFd<'_>,
    std::os::unix::net::UnixDatagram, std::os::unix::net::UnixListener,
    std::os::unix::net::UnixStream, std::os::unix::net::SocketAddr,
}

// Those that take references, `fn(&T)`, are types of another kind, for any lifetime, and not
// covered. The derive passes over them by itself.
macro_rules! functions {
    ($($argument:ident)*;) => {
        leaves! {
            {R, $($argument),*} fn($($argument),*) -> R,
            {R, $($argument),*} unsafe fn($($argument),*) -> R,
            {R, $($argument),*} extern "C" fn($($argument),*) -> R,
            {R, $($argument),*} unsafe extern "C" fn($($argument),*) -> R,
        }
    };
    ($($argument:ident)*; $next:ident $($more:ident)*) => {
        functions!($($argument)*;);
        functions!($($argument)* $next; $($more)*);
    };
}

functions!(; A B C D E F G H I J K L);
