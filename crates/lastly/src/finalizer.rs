//! The handle: [`finalize`] and [`Finalizer`].

use std::fmt::{self, Debug};
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};

use lastly_core::{Cause, Claim, Door, Due, Registry};

use crate::entry::{self, Held, Named, RustDoor, Value, look_at, take};
use crate::keeper::Extra;
use crate::object::{Object, Reach};
use crate::outcome::{CallbackError, Outcome};
use crate::{REGISTRY, actions, exit};

/// Ties a cleanup to an object: `function(arguments)` runs exactly once, when the object dies,
/// when the finalizer is [called](Finalizer::call), or when the program ends.
///
/// The order is Python's: object, function, arguments. Several arguments are a tuple, none is
/// `()`. The finalizer lives on without its handle, which is why the result may be ignored.
///
/// ```
/// use lastly::{Watched, finalize};
/// use std::rc::Rc;
///
/// struct Workspace;
///
/// let path = std::env::temp_dir().join("lastly-finalize-example");
/// std::fs::create_dir_all(&path)?;
/// let workspace = Rc::new(Watched::new(Workspace));
/// let cleanup = finalize(&workspace, std::fs::remove_dir_all, path.clone());
///
/// assert!(cleanup.is_alive() && path.exists());
/// drop(workspace);
/// assert!(!cleanup.is_alive() && !path.exists());
/// # std::io::Result::Ok(())
/// ```
///
/// # What the types refuse
///
/// Function and arguments are `Send + 'static`, because at exit they run on whichever thread ends
/// the program. So an `Rc` cannot be captured, in particular not the `Rc` that is watched. An
/// `Arc<Watched<T>>` can be: a callback that owns its own object keeps it alive until the program
/// ends. Capture a [`Weak`](std::sync::Weak), or just the parts that the cleanup needs.
#[track_caller]
pub fn finalize<O, F, A, R>(object: &O, function: F, arguments: A) -> Finalizer<O::Reach, A, F>
where
    O: Object + ?Sized,
    F: FnOnce(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Outcome,
{
    exit::install();
    tie(object, function, arguments, ())
}

/// Ties a cleanup to an object, with what it carries besides. The exit hook is there.
#[track_caller]
#[inline]
pub(crate) fn tie<O, F, A, R, X>(
    object: &O,
    function: F,
    arguments: A,
    extra: X,
) -> Finalizer<O::Reach, A, F>
where
    O: Object + ?Sized,
    F: FnOnce(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Outcome,
    X: Extra,
{
    let shard = object.shard();
    let held = Held::new::<Value<O::Value>, F, A, R, X>(shard, function, arguments, extra);
    object.ties().add(&held);
    Finalizer { held, reach: object.reach(), types: PhantomData }
}

/// Stands for a type that an [erased](Finalizer::erase) handle no longer knows.
///
/// If the compiler expected `Erased` and found something else, an `.erase()` is missing.
#[derive(Debug)]
pub struct Erased(());

/// A cleanup tied to an object: the handle.
///
/// It is *alive* until it is called, fired by the object's death or the end of the program, or
/// detached; then it is *dead*, for good. Dropping the handle changes nothing. Clones are handles
/// to the same finalizer.
///
/// `Finalizer` without parameters is the [erased](Self::erase) handle, for fields of structs.
pub struct Finalizer<O = (), A = Erased, F = Erased> {
    held: Held,
    reach: O,
    types: PhantomData<fn() -> (A, F)>,
}

// Not derived: a handle can be cloned whatever the types of function and arguments.
impl<O: Clone, A, F> Clone for Finalizer<O, A, F> {
    fn clone(&self) -> Self {
        Self { held: self.held.clone(), reach: self.reach.clone(), types: PhantomData }
    }
}

// An entry is never left half changed by a panic: its callback is in it or taken out.
impl<O: UnwindSafe, A, F> UnwindSafe for Finalizer<O, A, F> {}
impl<O: RefUnwindSafe, A, F> RefUnwindSafe for Finalizer<O, A, F> {}

impl<O, A, F> Finalizer<O, A, F> {
    /// Not called, fired or detached so far. False as soon as the callback begins to run. (True while it
    /// waits for the end of a [pause](crate::paused), or for the thread of a [`Cleaner`](crate::Cleaner).)
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.held.node().is_alive()
    }

    /// Whether the end of the program will run it. True at first.
    #[must_use]
    pub fn at_exit(&self) -> bool {
        self.held.node().at_exit()
    }

    /// Sets whether the end of the program will run it. This is honoured also while the program
    /// is ending, for a finalizer whose turn has not come yet; one that was passed over and is
    /// turned on runs next.
    ///
    /// Of a [declared action](crate::actions), it is also whether somebody else does it when this
    /// process is killed.
    pub fn set_at_exit(&self, on: bool) {
        if self.held.declares() {
            actions::set_at_exit(&self.held, on);
        }
        // SAFETY: the handle has a hold, and `finalize` or `defer` registered the node.
        unsafe { REGISTRY.set_at_exit(self.held.tied().cast(), on) };
    }

    /// A handle without the types of function and arguments, for the fields of a struct. It is
    /// `Send` and `Sync`, and keeps no way back to the object.
    ///
    /// Not knowing the types, its [`call`](Finalizer::<O>::call) says only whether the callback
    /// failed, its [`detach`](Finalizer::<O>::detach) drops what it held, and it cannot peek.
    ///
    /// ```
    /// use lastly::{Finalizer, Watched, finalize};
    ///
    /// struct Connection {
    ///     socket: Watched<u32>,
    ///     cleanup: Finalizer,
    /// }
    ///
    /// let socket = Watched::new(7);
    /// let cleanup = finalize(&socket, |number| println!("closed {number}"), 7).erase();
    /// let connection = Connection { socket, cleanup };
    /// assert!(connection.cleanup.call().is_some());
    /// assert!(connection.cleanup.call().is_none());
    /// ```
    pub fn erase(self) -> Finalizer {
        Finalizer { held: self.held, reach: (), types: PhantomData }
    }

    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    fn claim(&self, due: Due) -> Option<Claim<'_, RustDoor>> {
        // SAFETY: the handle has a hold, and `finalize` or `defer` registered the node.
        unsafe { REGISTRY.claim(self.held.tied().cast(), due) }
    }
}

impl<O, A, F, R> Finalizer<O, A, F>
where
    O: Reach,
    F: FnOnce(A) -> R + 'static,
{
    /// Runs the callback now, if the finalizer is alive, and gives its result: the value, the
    /// `Err`, or the panic, which unwinds to the caller. `None`, and nothing runs, if it is dead.
    ///
    /// Also `None` while somebody [peeks](Self::peek): see there.
    pub fn call(&self) -> Option<R> {
        let claim = self.claim(Due::Run(Cause::Called))?;
        // SAFETY: claimed just now, and these are the types that the entry was made with.
        let (function, arguments) = unsafe { take::<F, A>(&claim) };
        Some(entry::called::<F, R>(&claim, || function(arguments)))
    }

    /// Ends the finalizer without running it, and gives back what it held: the object where it is
    /// shared (`None` if it is dying just now), the function, and the arguments. `None` if it is
    /// dead.
    ///
    /// Also `None` while somebody [peeks](Self::peek): see there.
    pub fn detach(&self) -> Option<(O::Object, F, A)> {
        let claim = self.claim(Due::Take)?;
        // SAFETY: claimed just now, and these are the types that the entry was made with.
        let (function, arguments) = unsafe { take::<F, A>(&claim) };
        actions::cancel::<F>(&claim);
        drop(claim);
        Some((self.reach.object(), function, arguments))
    }

    /// A look at what the finalizer holds: object, function, arguments. It stays alive. `None` if
    /// it is dead, or if another peek at it is going on.
    ///
    /// # A claim meanwhile
    ///
    /// While `look` runs, nobody can take away what it looks at. A claim that comes meanwhile (a
    /// call, a detach, the object's death, the end of the program; from another thread or from
    /// `look` itself) does not wait. The finalizer is dead from that moment, and what the first
    /// such claim asked for is done **by the peeking thread, when `look` has returned**: it runs
    /// the callback, and reports what goes wrong, or drops it if it was to be detached. A call or
    /// detach that met a peek returns `None`: it has nothing to return yet.
    ///
    /// If `look` itself ends the program, the callback does not run; if it was to run at exit, it is
    /// reported as unfinished.
    pub fn peek<P>(&self, look: impl FnOnce(O::Object, &F, &A) -> P) -> Option<P> {
        // SAFETY: the handle has a hold, and `finalize` or `defer` registered the node.
        let peek = unsafe { REGISTRY.peek(self.held.tied().cast()) }?;
        let look = |function: &F, arguments: &A| look(self.reach.object(), function, arguments);
        // SAFETY: peeking, and these are the types that the entry was made with.
        let seen = unsafe { look_at(self.held.tied(), look) };
        drop(peek);
        Some(seen)
    }
}

impl<O> Finalizer<O> {
    /// Runs the callback now, if the finalizer is alive. Its result is lost; of an `Err`, which
    /// type is not known here, the text is kept. `None`, and nothing runs, if it is dead.
    pub fn call(&self) -> Option<Result<(), CallbackError>> {
        let claim = self.claim(Due::Run(Cause::Called))?;
        // SAFETY: claimed just now.
        Some(unsafe { entry::call(claim) })
    }

    /// Ends the finalizer without running it, and drops function and arguments. False if it was
    /// dead.
    pub fn detach(&self) -> bool {
        let Some(claim) = self.claim(Due::Take) else { return false };
        // SAFETY: claimed just now.
        unsafe { RustDoor::discard(claim) };
        true
    }
}

impl<O, A, F> Debug for Finalizer<O, A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let description = self.held.describe();
        f.debug_struct("Finalizer")
            .field("object", &format_args!("{}", description.object))
            .field("function", &format_args!("{}", description.function))
            .field("alive", &self.is_alive())
            .finish()
    }
}

/// A scope, as what a [`defer`](crate::defer)red cleanup watches.
pub(crate) struct Scope;

impl Named for Scope {
    fn name() -> &'static str {
        "a scope (lastly::defer)"
    }
}

impl<A, F, R> Finalizer<(), A, F>
where
    F: FnOnce(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Outcome,
{
    /// A finalizer that is in no object's list.
    #[track_caller]
    pub(crate) fn of_scope(function: F, arguments: A) -> Self {
        exit::install();
        let shard = Registry::<RustDoor>::shard_of_this_thread();
        let held = Held::new::<Scope, F, A, R, ()>(shard, function, arguments, ());
        // SAFETY: new, and made with a hold for the registry.
        if !unsafe { REGISTRY.insert(held.tied().cast(), || ()) } {
            entry::report_too_late(&held);
        }
        Self { held, reach: (), types: PhantomData }
    }
}

impl<A, F> Finalizer<(), A, F> {
    /// The scope ends.
    pub(crate) fn fire(&self) {
        if let Some(claim) = self.claim(Due::Run(Cause::ObjectDied)) {
            // SAFETY: claimed just now.
            unsafe { RustDoor::run(claim, Cause::ObjectDied, REGISTRY.moment()) };
        }
    }
}
