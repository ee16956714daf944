//! [`Cleaner`]: a thread that runs the callbacks of objects that die on others.

use std::fmt::{self, Debug};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

use lastly_core as core;
#[doc(inline)]
pub use lastly_core::WhenFull;

use crate::entry::RustDoor;
use crate::finalizer::{Finalizer, tie};
use crate::keeper::Keeper;
use crate::object::Object;
use crate::outcome::Outcome;
use crate::{REGISTRY, exit};

/// A thread that runs callbacks, so that who drops an object does not.
///
/// For callbacks that are slow, or that want a lock which the thread may hold that drops the object. A
/// finalizer made by a cleaner is one like others: it can be called, detached, looked at. Only when
/// its object dies, the callback is handed over: it waits in the cleaner's *backlog*, still alive, and the
/// cleaner's thread runs it, in the order of death.
///
/// ```
/// use lastly::{Cleaner, Watched};
/// use std::sync::LazyLock;
///
/// static CLEANER: LazyLock<Cleaner> = LazyLock::new(|| Cleaner::new(1000));
///
/// let path = std::env::temp_dir().join("lastly-cleaner-example");
/// std::fs::create_dir_all(&path)?;
/// let workspace = Watched::new(());
/// CLEANER.finalize(&workspace, std::fs::remove_dir_all, path.clone());
///
/// drop(workspace); // returns at once
/// assert!(CLEANER.drain(None)); // waits for what was handed over so far
/// assert!(!path.exists());
/// # std::io::Result::Ok(())
/// ```
///
/// - **A call** of what waits runs it where it is called, and the cleaner passes over it.
/// - **At the end of the program** the thread takes nothing more: the drain runs what waits, in its own
///   order, newest first, whatever its exit flag says (the object is dead); and it waits for the
///   callback that the thread is in, as for those of other threads.
/// - **In a forked child** the backlog is empty: what waited in the parent, the parent runs. The child's
///   own deaths are handed over to a thread of its own.
/// - **Failures** are [reported](crate::report), as they are at the death of an object.
///
/// The thread begins when there is something to do, and is named as the cleaner. Where the system has no
/// thread to give, who drops the object does the cleaner's work.
///
/// # When the backlog is full
///
/// It holds as many as `limit` says. [`WhenFull`] says what becomes of the next one: it runs where the
/// object dies (`Help`, as long as nothing else is said), or that thread waits for room (`Block`).
/// A cleaner's own thread never waits: what dies in a callback there runs there.
///
/// # Handles
///
/// A clone is another handle to the same cleaner. When handles are dropped, nothing changes for the finalizers that
/// were made by them: the thread ends when the last handle and the last of these finalizers are gone,
/// and the backlog has come to its end. [`close`](Self::close) ends it for all of them.
///
/// # Limitations
///
/// - **One thread**: a callback that does not return keeps all that come after it from running (and at exit is
///   reported as unfinished).
/// - **`Help` may run a callback where the object dies**, when the backlog is full, with whatever is locked
///   there. **`Block` waits there**: if the callback that the cleaner runs wants a lock which the waiting
///   thread holds, both wait for ever. A limit that is never reached has neither trouble; or
///   make a [pause](crate::paused) around the lock, at the end of which the handing over happens.
/// - The order of death is kept among those that are handed over, not with those that run elsewhere.
/// - It costs more than to run a small callback at once: an allocation is not needed, but two locks and
///   the waking of a thread are.
/// - A look ([`peek`](Finalizer::peek)) that meets the death of the object runs the callback at its end,
///   on the thread that looked.
/// - A child that is forked *in a callback* on the cleaner's thread has, when that callback returns, come
///   to the end of its only thread, and so exits with status 0.
#[derive(Clone)]
pub struct Cleaner(core::Cleaner<RustDoor>);

// A panic leaves nothing half changed: no foreign code runs where it is changed.
impl UnwindSafe for Cleaner {}
impl RefUnwindSafe for Cleaner {}

impl Cleaner {
    /// A cleaner of which the backlog holds `limit` callbacks; 0 is taken for 1.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self::builder(limit).build()
    }

    /// A cleaner to be, with settings.
    ///
    /// ```
    /// use lastly::{Cleaner, WhenFull};
    ///
    /// let uploads = Cleaner::builder(100).name("uploads").when_full(WhenFull::Block).build();
    /// assert_eq!((uploads.name(), uploads.limit(), uploads.backlog()), ("uploads", 100, 0));
    /// ```
    pub fn builder(limit: usize) -> CleanerBuilder {
        CleanerBuilder { limit, name: "lastly-cleaner".to_owned(), when_full: WhenFull::Help }
    }

    /// As [`finalize`](crate::finalize()), but when the object dies the callback runs on the cleaner's thread.
    #[track_caller]
    pub fn finalize<O, F, A, R>(
        &self,
        object: &O,
        function: F,
        arguments: A,
    ) -> Finalizer<O::Reach, A, F>
    where
        O: Object + ?Sized,
        F: FnOnce(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Outcome,
    {
        exit::install();
        tie(object, function, arguments, Keeper::Cleaner(self.0.clone()))
    }

    /// Waits until everything has run that was handed over before. False: it has not, as the time was
    /// spent, or the program ends (then the drain runs it).
    ///
    /// In a callback on the cleaner's own thread it runs what there is itself. What waits for the end of
    /// a [pause](crate::paused) was not handed over yet.
    pub fn drain(&self, timeout: Option<Duration>) -> bool {
        self.0.drain(timeout)
    }

    /// Hands nothing over any more, and waits until the backlog has run. Finalizers made by this cleaner
    /// that are still alive are from now on like others: their callbacks run where their objects die.
    ///
    /// ```
    /// use lastly::{Cleaner, Watched};
    /// use std::thread;
    ///
    /// let cleaner = Cleaner::new(10);
    /// let here = thread::current().id();
    /// let (early, late) = (Watched::new(1), Watched::new(2));
    /// cleaner.finalize(&early, move |()| assert_ne!(thread::current().id(), here), ());
    /// cleaner.finalize(&late, move |()| assert_eq!(thread::current().id(), here), ());
    /// drop(early);
    /// cleaner.close();
    /// drop(late);
    /// ```
    pub fn close(self) {
        self.0.close();
        self.0.drain(None);
    }

    /// How many callbacks wait for its thread.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.0.state().waiting
    }

    /// How many may.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit()
    }

    /// As it was made. Its thread has as much of it as the system keeps, the first 15 bytes.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// What its thread does, for models.
    #[cfg(loom)]
    #[doc(hidden)]
    pub fn work(&self) {
        self.0.work();
    }

    /// The first half of `close`, for models: what is left is yet to be done.
    #[cfg(loom)]
    #[doc(hidden)]
    pub fn hand_no_more(&self) {
        self.0.close();
    }
}

impl Debug for Cleaner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleaner")
            .field("name", &self.name())
            .field("backlog", &self.backlog())
            .field("limit", &self.limit())
            .finish()
    }
}

/// The settings of a [`Cleaner`] to be.
#[derive(Clone, Debug)]
#[must_use = "to make the cleaner, `build` it"]
pub struct CleanerBuilder {
    limit: usize,
    name: String,
    when_full: WhenFull,
}

impl CleanerBuilder {
    /// How it, and its thread, is called: `lastly-cleaner` if not otherwise.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// What becomes of a callback that finds the backlog full: [`WhenFull::Help`] if not otherwise.
    pub fn when_full(self, when_full: WhenFull) -> Self {
        Self { when_full, ..self }
    }

    /// Makes the cleaner.
    #[must_use]
    pub fn build(self) -> Cleaner {
        let Self { limit, name, when_full } = self;
        Cleaner(core::Cleaner::new(&REGISTRY, &name, limit, when_full))
    }
}
