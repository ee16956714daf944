//! The one switch between the standard library and loom.
//!
//! Everything that two threads may touch at once goes through the names in this file: atomics,
//! cells, the memory of nodes, waiting, and "which thread am I". Built with `--cfg loom` they are
//! loom's, and the very code that ships is model-checked. No other file of the
//! engine, or of the Rust door, knows which of the two it got.

pub use imp::*;

#[cfg(not(loom))]
mod imp {
    use std::cell::Cell;
    use std::sync::OnceLock;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::{Duration, Instant};

    pub use std::alloc::{alloc, dealloc};
    pub use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64};

    /// How many locks the registry spreads its nodes over. More than the threads of most programs
    /// that register at the same moment; few enough to merge quickly at exit.
    pub const SHARDS: usize = 16;

    /// `UnsafeCell` with loom's way of access: through a closure, so that loom can watch it.
    #[derive(Debug, Default)]
    pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// A cell around `value`.
        pub const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Hands a pointer for reading to `look`.
        #[inline(always)]
        pub fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
            look(self.0.get())
        }

        /// Hands a pointer for writing to `change`.
        #[inline(always)]
        pub fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
            change(self.0.get())
        }
    }

    thread_local! {
        // Constant and without a destructor: it can be read at any moment of a thread's life and
        // in exit hooks, when other thread-locals are gone.
        static NUMBER: Cell<u32> = const { Cell::new(0) };
        static CLEANS: Cell<bool> = const { Cell::new(false) };
    }
    static NUMBERS: AtomicU32 = AtomicU32::new(1);

    /// This thread's number: never 0, and no other thread's (of the first four billion).
    #[inline]
    pub fn thread_number() -> u32 {
        match NUMBER.get() {
            0 => new_thread_number(),
            number => number,
        }
    }

    #[cold]
    fn new_thread_number() -> u32 {
        // Relaxed: only the uniqueness of what fetch_add returns is needed.
        let number = NUMBERS.fetch_add(1, Relaxed);
        NUMBER.set(number);
        number
    }

    /// Whether this thread is a cleaner's.
    pub(crate) fn cleans() -> bool {
        CLEANS.get()
    }

    /// Says whether it is. Gives back what it was.
    pub(crate) fn set_cleans(on: bool) -> bool {
        CLEANS.replace(on)
    }

    /// The number that the next new thread will get.
    pub(crate) fn next_thread_number() -> u32 {
        NUMBERS.load(Relaxed)
    }

    /// Sleeps until this word is another, or the time is spent; or for no reason.
    pub(crate) fn wait_for_change(word: &AtomicU32, known: u32, deadline: Deadline) {
        let left = deadline.left().map(|left| libc::timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        let timeout = left.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: a word, and a time or null. Whatever ends it, the caller looks again.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, known, timeout) };
    }

    /// Wakes all who sleep on this word.
    pub(crate) fn wake_all(word: &AtomicU32) {
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: a word, of which the system only takes the address.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, i32::MAX) };
    }

    static CLOCK_START: OnceLock<Instant> = OnceLock::new();

    /// The monotonic clock, in nanoseconds since this was first asked.
    pub(crate) fn clock_nanoseconds() -> u64 {
        let start = CLOCK_START.get_or_init(Instant::now);
        let elapsed = Instant::now().saturating_duration_since(*start);
        elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos())
    }

    /// Lets time pass, longer with each round: spin, give up the processor, sleep.
    ///
    /// The sleep matters: a thread of real-time priority that only spun or yielded could keep the
    /// thread it waits for from ever running.
    #[cold]
    pub(crate) fn back_off(round: u32) {
        match round {
            0..6 => (0..1 << round).for_each(|_| std::hint::spin_loop()),
            6..16 => std::thread::yield_now(),
            _ => std::thread::sleep(Duration::from_micros(50)),
        }
    }

    /// A moment after which waiting ends.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Deadline(Option<Instant>);

    impl Deadline {
        /// `None`, as far as the clock reaches, is no end at all.
        pub(crate) fn after(wait: Duration) -> Self {
            Self(Instant::now().checked_add(wait))
        }

        /// None.
        pub(crate) const NEVER: Self = Self(None);

        #[inline]
        pub(crate) fn passed(self) -> bool {
            self.0.is_some_and(|end| Instant::now() >= end)
        }

        /// What is left until then; `None` if there is no end.
        pub(crate) fn left(self) -> Option<Duration> {
            self.0.map(|end| end.saturating_duration_since(Instant::now()))
        }
    }

    /// A moment, to a few milliseconds: cheap enough to be taken for every callback of a drain.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Moment(u64);

    impl Moment {
        /// This moment.
        #[inline]
        pub fn now() -> Self {
            Self(coarse_nanoseconds())
        }

        /// What has passed since.
        pub fn elapsed(self) -> Duration {
            Duration::from_nanos(coarse_nanoseconds().saturating_sub(self.0))
        }

        pub(crate) fn from_word(word: u64) -> Self {
            Self(word)
        }

        pub(crate) fn to_word(self) -> u64 {
            self.0
        }
    }

    #[inline]
    fn coarse_nanoseconds() -> u64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a place to write to.
        let failed = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
        debug_assert_eq!(failed, 0, "every Linux has this clock");
        time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
    }

    /// Whether this runs in a model of a machine, in which nothing exits and nothing forks.
    pub const MODELLED: bool = cfg!(miri);

    /// A constructor that is `const`, but in a loom model.
    #[macro_export]
    #[doc(hidden)]
    macro_rules! constructor {
        ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$meta])* $vis const fn $($rest)* };
    }

    macro_rules! each {
        ($value:expr; $count:expr) => {
            [const { $value }; $count]
        };
    }

    /// Declares a static that loom makes anew for each interleaving.
    #[macro_export]
    #[doc(hidden)]
    macro_rules! modelled_static {
        ($(#[$meta:meta])* static $name:ident: $type:ty = $value:expr;) => {
            $(#[$meta])* static $name: $type = $value;
        };
    }

    /// Declares what each thread has one of. Constant and without a destructor, so that it can be used
    /// at any moment of a thread's life; in a loom model, of each of its threads.
    #[macro_export]
    #[doc(hidden)]
    macro_rules! modelled_thread_local {
        ($(#[$meta:meta])* static $name:ident: $type:ty = $value:expr;) => {
            thread_local! {
                $(#[$meta])*
                static $name: std::mem::ManuallyDrop<$type> =
                    const { std::mem::ManuallyDrop::new($value) };
            }
        };
    }

    pub use constructor;
    pub(crate) use each;
}

#[cfg(loom)]
mod imp {
    use std::cell::Cell;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::Duration;

    pub use loom::alloc::{alloc, dealloc};
    pub use loom::cell::UnsafeCell;
    pub use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64};

    pub const SHARDS: usize = 2;

    loom::thread_local! {
        static NUMBER: Cell<u32> = Cell::new(0);
        static CLEANS: Cell<bool> = Cell::new(false);
    }
    loom::lazy_static! {
        // Anew for each interleaving, so that each is the same when loom repeats it; but the
        // standard library's, as a number is no synchronisation, and loom need not explore it.
        static ref NUMBERS: std::sync::atomic::AtomicU32 = 1.into();
        static ref TICKS: std::sync::atomic::AtomicU64 = 0.into();
    }

    pub fn thread_number() -> u32 {
        NUMBER.with(|number| {
            if number.get() == 0 {
                number.set(NUMBERS.fetch_add(1, Relaxed));
            }
            number.get()
        })
    }

    pub(crate) fn cleans() -> bool {
        CLEANS.with(Cell::get)
    }

    pub(crate) fn set_cleans(on: bool) -> bool {
        CLEANS.with(|cleans| cleans.replace(on))
    }

    pub(crate) fn next_thread_number() -> u32 {
        NUMBERS.load(Relaxed)
    }

    pub(crate) fn wait_for_change(word: &AtomicU32, known: u32, _deadline: Deadline) {
        while word.load(Relaxed) == known {
            loom::thread::yield_now();
        }
    }

    pub(crate) fn wake_all(_word: &AtomicU32) {}

    /// A clock that ticks at every look. Not loom's: reading a clock is no synchronisation.
    pub(crate) fn clock_nanoseconds() -> u64 {
        TICKS.fetch_add(1, Relaxed)
    }

    pub(crate) fn back_off(_round: u32) {
        loom::thread::yield_now();
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Moment;

    impl Moment {
        pub fn now() -> Self {
            Self
        }

        pub fn elapsed(self) -> Duration {
            Duration::ZERO
        }

        pub(crate) fn from_word(_word: u64) -> Self {
            Self
        }

        pub(crate) fn to_word(self) -> u64 {
            0
        }
    }

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Deadline;

    impl Deadline {
        pub(crate) const NEVER: Self = Self;

        pub(crate) fn after(_wait: Duration) -> Self {
            Self
        }

        pub(crate) fn left(self) -> Option<Duration> {
            None
        }

        pub(crate) fn passed(self) -> bool {
            false
        }
    }

    pub const MODELLED: bool = true;

    #[macro_export]
    #[doc(hidden)]
    macro_rules! constructor {
        ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => { $(#[$meta])* $vis fn $($rest)* };
    }

    macro_rules! each {
        ($value:expr; $count:expr) => {
            std::array::from_fn::<_, { $count }, _>(|_| $value)
        };
    }

    #[macro_export]
    #[doc(hidden)]
    macro_rules! modelled_static {
        ($(#[$meta:meta])* static $name:ident: $type:ty = $value:expr;) => {
            loom::lazy_static! { $(#[$meta])* static ref $name: $type = $value; }
        };
    }

    #[macro_export]
    #[doc(hidden)]
    macro_rules! modelled_thread_local {
        ($(#[$meta:meta])* static $name:ident: $type:ty = $value:expr;) => {
            loom::thread_local! { $(#[$meta])* static $name: $type = $value; }
        };
    }

    pub use constructor;
    pub(crate) use each;
}
