//! The memory of a finalizer in the Rust door: one allocation, header first.
//!
//! ```text
//!   Loaded<F, A, X>
//!   ├─ entry: Entry          what is the same for all of them
//!   │  ├─ tied: Tied
//!   │  │  ├─ node            the engine's part
//!   │  │  ├─ links, bond     the place among the finalizers of the same object
//!   │  │  └─ holds           registry or object, and handles; the last frees the memory
//!   │  ├─ table              what depends on the types: run, discard, call, free, describe, keeper
//!   │  └─ created            where in the program
//!   ├─ callback: (F, A)      taken out by whoever wins the claim
//!   └─ extra: X              a keeper, or nothing
//! ```
//!
//! What a cleaner or a pressure makes carries one thing more, its *keeper*. As it comes last, whoever knows
//! function and arguments finds the callback without knowing whether there is one; and where there
//! is none it takes no room. Whether there is, and where, the table says.

use std::alloc::{Layout, handle_alloc_error};
use std::any::{Any, type_name};
use std::marker::PhantomData;
use std::mem::{MaybeUninit, offset_of};
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use lastly_core::sync::{self, Moment, UnsafeCell};
use lastly_core::{
    ByLock, Cause, Claim, Cleaner, Description, Door, Node, Pause, Problem, contain,
};

use crate::keeper::{Extra, Keeper};
use crate::outcome::{CallbackError, Outcome};
use crate::tied::{self, Tied};
use crate::{REGISTRY, actions};

/// The Rust door, as the engine sees it.
pub(crate) struct RustDoor;

lastly_core::modelled_thread_local! {
    static PAUSE: Pause = Pause::new();
}

#[repr(C)]
struct Entry {
    /// First, so that a pointer to one is a pointer to the other.
    tied: Tied,
    table: &'static Table,
    created: &'static Location<'static>,
}

/// The functions that know the types of one kind of finalizer.
struct Table {
    run: unsafe fn(&Claim<'_, RustDoor>, Cause, Option<Moment>),
    discard: unsafe fn(&Claim<'_, RustDoor>),
    call: unsafe fn(Claim<'_, RustDoor>) -> Result<(), CallbackError>,
    free: unsafe fn(NonNull<Tied>),
    describe: fn() -> (&'static str, &'static str),
    /// Whether the callback is a declared action.
    declares: fn() -> bool,
    /// How far from the beginning the keeper is. 0: there is none.
    keeper: usize,
}

#[repr(C)]
struct Loaded<F, A, X = ()> {
    entry: Entry,
    callback: UnsafeCell<MaybeUninit<(F, A)>>,
    /// Last, so that what comes before is where it is without it.
    extra: X,
}

/// What a finalizer watches, by name.
pub(crate) trait Named {
    fn name() -> &'static str;
}

/// A value inside a [`Watched`](crate::Watched).
pub(crate) struct Value<T: ?Sized>(PhantomData<T>);

impl<T: ?Sized> Named for Value<T> {
    fn name() -> &'static str {
        type_name::<T>()
    }
}

/// One hold on an entry. The entry lives as long as any.
pub(crate) struct Held(NonNull<Tied>);

// SAFETY: what a holder can reach is atomic, under a lock, or behind a claim; and the callback
// that the last holder may free was required to be `Send` when the entry was made.
unsafe impl Send for Held {}
// SAFETY: as above.
unsafe impl Sync for Held {}

impl Held {
    /// A new entry, with two holds: this one, and one for the registry, which the caller passes on.
    #[track_caller]
    pub(crate) fn new<N, F, A, R, X>(shard: u8, function: F, arguments: A, extra: X) -> Self
    where
        N: Named + ?Sized,
        F: FnOnce(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Outcome,
        X: Extra,
    {
        let layout = Layout::new::<Loaded<F, A, X>>();
        // SAFETY: the layout has a size, as an `Entry` is not empty.
        let memory = unsafe { sync::alloc(layout) }.cast::<Loaded<F, A, X>>();
        let Some(loaded) = NonNull::new(memory) else { handle_alloc_error(layout) };
        let entry = Entry {
            tied: Tied::new(Node::new(shard), 2),
            table: &Types::<N, F, A, R, X>::TABLE,
            created: Location::caller(),
        };
        // What is to survive this process is written down before it is anybody's. Nothing fails from here on.
        let trouble = actions::declare::<F, A>(loaded.cast(), &arguments);
        let callback = UnsafeCell::new(MaybeUninit::new((function, arguments)));
        // SAFETY: just allocated with this layout.
        unsafe { loaded.write(Loaded { entry, callback, extra }) };
        let held = Self(loaded.cast());
        if let Some(why) = trouble {
            actions::report_unprotected(&held, &why);
        }
        held
    }

    #[inline]
    pub(crate) fn tied(&self) -> NonNull<Tied> {
        self.0
    }

    #[inline]
    pub(crate) fn node(&self) -> &Node {
        // SAFETY: this hold keeps the entry alive.
        &unsafe { self.0.as_ref() }.node
    }

    pub(crate) fn describe(&self) -> Description {
        // SAFETY: this hold.
        unsafe { RustDoor::describe(self.0.cast()) }
    }

    /// Whether the callback is a declared action.
    pub(crate) fn declares(&self) -> bool {
        // SAFETY: this hold.
        let table = unsafe { self.0.cast::<Entry>().as_ref() }.table;
        (table.declares)()
    }
}

impl Clone for Held {
    fn clone(&self) -> Self {
        // SAFETY: this hold.
        unsafe { retain(self.0) };
        Self(self.0)
    }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this hold ends here.
        unsafe { release(self.0) };
    }
}

/// # Safety
///
/// Somebody has a hold, for as long as this takes.
unsafe fn retain(entry: NonNull<Tied>) {
    // SAFETY: this function's contract.
    // Relaxed: a new hold is made from an existing one, as in `Arc`.
    let holds = unsafe { entry.as_ref() }.holds.fetch_add(1, Relaxed);
    // Reached only by forgetting handles in a loop. An overflow would free what is in use.
    if holds > u32::MAX / 2 {
        std::process::abort();
    }
}

/// # Safety
///
/// The caller has a hold, and gives it up.
#[inline]
pub(crate) unsafe fn release(entry: NonNull<Tied>) {
    // SAFETY: this function's contract.
    let Entry { tied: Tied { holds, .. }, table, .. } = unsafe { entry.cast::<Entry>().as_ref() };
    let free = table.free;
    // A holder that finds itself alone stays alone, and the swap can be spared.
    let last = holds.load(Relaxed) == 1 || holds.fetch_sub(1, Release) == 1;
    if last {
        // Acquire pairs with the Release of every other holder's `fetch_sub`: what they did with
        // the entry comes before its end.
        let _ = holds.load(Acquire);
        // SAFETY: this was the last hold, and the table is that of the entry's types.
        unsafe { free(entry) };
    }
}

/// The types of one kind of finalizer: what it watches, its function, arguments and result, and what it
/// carries besides.
struct Types<N: ?Sized, F, A, R, X>(PhantomData<(F, A, R, X)>, PhantomData<N>);

impl<N, F, A, R, X> Types<N, F, A, R, X>
where
    N: Named + ?Sized,
    F: FnOnce(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Outcome,
    X: Extra,
{
    const TABLE: Table = Table {
        run: Self::run,
        discard: Self::discard,
        call: Self::call,
        free: Self::free,
        describe: Self::describe,
        declares: actions::is_action::<F>,
        keeper: if X::KEEPS { offset_of!(Loaded<F, A, X>, extra) } else { 0 },
    };

    fn describe() -> (&'static str, &'static str) {
        (N::name(), type_name::<F>())
    }

    /// # Safety
    ///
    /// The claim is on an entry of these types, and nothing was taken out under it before.
    unsafe fn run(claim: &Claim<'_, RustDoor>, cause: Cause, begun: Option<Moment>) {
        // SAFETY: this function's contract.
        let (function, arguments) = unsafe { Self::take(claim) };
        let report = |problem: Problem<'_>| report(claim, cause, problem, begun);
        let on_panic = |payload: &(dyn Any + Send)| report(Problem::Panic(payload));
        contain(
            || {
                let result = actions::in_turn::<F, R>(claim.node(), || function(arguments));
                // Contained on its own: a panic here must not meet one in the drop of the result.
                contain(
                    || {
                        if let Some(error) = result.failure() {
                            report(Problem::Error(error));
                        }
                    },
                    on_panic,
                );
            },
            on_panic,
        );
    }

    /// # Safety
    ///
    /// As for [`run`](Self::run).
    unsafe fn discard(claim: &Claim<'_, RustDoor>) {
        // SAFETY: this function's contract.
        let callback = unsafe { Self::take(claim) };
        actions::cancel::<F>(claim);
        contain(
            || drop(callback),
            |payload| report(claim, Cause::Called, Problem::Panic(payload), None),
        );
    }

    /// # Safety
    ///
    /// As for [`run`](Self::run).
    unsafe fn call(claim: Claim<'_, RustDoor>) -> Result<(), CallbackError> {
        // SAFETY: this function's contract.
        let (function, arguments) = unsafe { Self::take(&claim) };
        let result = called::<F, R>(&claim, || function(arguments));
        result.failure().map_or(Ok(()), |error| Err(CallbackError::new(error)))
    }

    /// # Safety
    ///
    /// As for [`run`](Self::run).
    #[inline]
    unsafe fn take(claim: &Claim<'_, RustDoor>) -> (F, A) {
        if X::KEEPS {
            tell_keeper(claim.node());
        }
        // SAFETY: this function's contract.
        unsafe { take_callback::<F, A>(claim) }
    }

    /// # Safety
    ///
    /// Nobody holds `entry`, which is of these types.
    unsafe fn free(entry: NonNull<Tied>) {
        // SAFETY: this function's contract.
        let alive = unsafe { entry.as_ref() }.node.is_alive();
        debug_assert!(!alive, "the registry holds what is alive");
        let loaded = entry.cast::<Loaded<F, A, X>>();
        // Nobody touches it any more: this is for loom, which would object.
        // SAFETY: alive until below.
        unsafe { loaded.as_ref() }.callback.with_mut(|_| ());
        // The callback is gone: the registry lets go only after it was taken out.
        // SAFETY: allocated and written by `Held::new` with these types, and dropped nowhere else.
        unsafe { loaded.drop_in_place() };
        // SAFETY: as above.
        unsafe { sync::dealloc(loaded.as_ptr().cast(), Layout::new::<Loaded<F, A, X>>()) };
    }
}

/// Takes the callback out.
///
/// # Safety
///
/// The claim is on an entry of these types, and nothing was taken out under it before.
#[inline]
pub(crate) unsafe fn take<F, A>(claim: &Claim<'_, RustDoor>) -> (F, A) {
    if table(claim).keeper != 0 {
        tell_keeper(claim.node());
    }
    // SAFETY: this function's contract.
    unsafe { take_callback(claim) }
}

/// The keeper of what was claimed is told that the callback is taken out.
#[cold]
fn tell_keeper(node: NonNull<Node>) {
    // SAFETY: whoever claims has a hold.
    if let Some(keeper) = unsafe { keeper(node) } {
        keeper.taken();
    }
}

/// The keeper of a finalizer, if it has one.
///
/// # Safety
///
/// Somebody has a hold, for as long as this is used.
#[inline]
unsafe fn keeper<'a>(node: NonNull<Node>) -> Option<&'a Keeper> {
    // SAFETY: every node of this door is the beginning of an entry, and this one is held.
    let offset = unsafe { node.cast::<Entry>().as_ref() }.table.keeper;
    if offset == 0 {
        return None;
    }
    // SAFETY: the table is that of the entry's types, which say that a keeper is there.
    let keeper = unsafe { node.byte_add(offset) }.cast::<Keeper>();
    // SAFETY: as above; written when the entry was made, and not changed since.
    Some(unsafe { keeper.as_ref() })
}

/// As `take`, but its keeper has been told.
///
/// # Safety
///
/// As for [`take`].
#[inline]
unsafe fn take_callback<F, A>(claim: &Claim<'_, RustDoor>) -> (F, A) {
    let loaded = claim.node().cast::<Loaded<F, A>>();
    // SAFETY: whoever claims has a hold.
    let callback = &unsafe { loaded.as_ref() }.callback;
    callback.with_mut(|callback| {
        // SAFETY: the claim is exclusive, so nobody looks.
        let callback = unsafe { &mut *callback };
        // SAFETY: written by `Held::new`, and taken out once.
        unsafe { callback.assume_init_read() }
    })
}

/// Shows the callback to `look`.
///
/// # Safety
///
/// `entry` is of these types, and the caller has a [`Peek`](lastly_core::Peek) on it.
pub(crate) unsafe fn look_at<F, A, R>(entry: NonNull<Tied>, look: impl FnOnce(&F, &A) -> R) -> R {
    // SAFETY: whoever peeks has a hold.
    let callback = &unsafe { entry.cast::<Loaded<F, A>>().as_ref() }.callback;
    callback.with(|callback| {
        // SAFETY: nobody takes out what is being looked at.
        let callback = unsafe { &*callback };
        // SAFETY: written by `Held::new`, and not taken out.
        let (function, arguments) = unsafe { callback.assume_init_ref() };
        look(function, arguments)
    })
}

/// Runs the callback for a caller who does not know its types.
///
/// # Safety
///
/// Nothing was taken out under this claim before.
pub(crate) unsafe fn call(claim: Claim<'_, RustDoor>) -> Result<(), CallbackError> {
    let call = table(&claim).call;
    // SAFETY: this function's contract, and the table is that of the entry's types.
    unsafe { call(claim) }
}

/// Runs a callback, of this function, for who has called.
#[inline]
pub(crate) fn called<F, R>(claim: &Claim<'_, RustDoor>, callback: impl FnOnce() -> R) -> R
where
    F: 'static,
{
    let callback = || actions::in_turn::<F, R>(claim.node(), callback);
    if REGISTRY.is_recording() { called_on_record(claim, callback) } else { callback() }
}

#[cold]
fn called_on_record<R>(claim: &Claim<'_, RustDoor>, callback: impl FnOnce() -> R) -> R {
    let begun = Some(Moment::now());
    let result = callback();
    REGISTRY.ran(Cause::Called, begun, || describe(claim));
    result
}

/// Runs the callback for a cause that nobody waits for, and reports what goes wrong.
///
/// # Safety
///
/// Nothing was taken out under this claim before.
#[inline]
pub(crate) unsafe fn run(claim: &Claim<'_, RustDoor>, cause: Cause, begun: Option<Moment>) {
    // SAFETY: this function's contract, and the table is that of the entry's types.
    unsafe { (table(claim).run)(claim, cause, begun) };
    REGISTRY.ran(cause, begun, || describe(claim));
}

#[cold]
fn report(claim: &Claim<'_, RustDoor>, cause: Cause, problem: Problem<'_>, begun: Option<Moment>) {
    REGISTRY.report(cause, &describe(claim), problem, begun);
}

#[cold]
pub(crate) fn describe(claim: &Claim<'_, RustDoor>) -> Description {
    // SAFETY: whoever claims has a hold.
    unsafe { RustDoor::describe(claim.node()) }
}

fn table(claim: &Claim<'_, RustDoor>) -> &'static Table {
    // SAFETY: whoever claims has a hold.
    unsafe { claim.node().cast::<Entry>().as_ref() }.table
}

/// Shows this thread's pause.
#[inline]
pub(crate) fn pause<R>(look: impl FnOnce(&Pause) -> R) -> R {
    PAUSE.with(|pause| look(pause))
}

/// It was registered when the door was shut.
#[cold]
pub(crate) fn report_too_late(held: &Held) {
    REGISTRY.report_too_late(&held.describe());
}

// SAFETY: `holds` counts as asked; `untie` changes a few links.
unsafe impl Door for RustDoor {
    type Exclusion = ByLock;

    #[inline]
    unsafe fn run(claim: Claim<'_, Self>, cause: Cause, begun: Option<Moment>) {
        // SAFETY: this function's contract.
        unsafe { run(&claim, cause, begun) };
    }

    unsafe fn discard(claim: Claim<'_, Self>) {
        // SAFETY: this function's contract, and the table is that of the entry's types.
        unsafe { (table(&claim).discard)(&claim) };
    }

    unsafe fn describe(node: NonNull<Node>) -> Description {
        // SAFETY: every node of this door is the beginning of an entry, and this one is held.
        let Entry { table, created, .. } = unsafe { node.cast::<Entry>().as_ref() };
        let (object, function) = (table.describe)();
        let created = Some(created.to_string().into());
        Description { object: object.into(), function: function.into(), created }
    }

    #[inline]
    fn pause<R>(look: impl FnOnce(&Pause) -> R) -> R {
        pause(look)
    }

    #[inline]
    unsafe fn cleaner<'a>(node: NonNull<Node>) -> Option<&'a Cleaner<Self>> {
        // SAFETY: this function's contract.
        unsafe { keeper(node) }.and_then(Keeper::cleaner)
    }

    unsafe fn retain(node: NonNull<Node>) {
        // SAFETY: this function's contract.
        unsafe { retain(node.cast()) };
    }

    #[inline]
    unsafe fn release(node: NonNull<Node>) {
        // SAFETY: this function's contract.
        unsafe { release(node.cast()) };
    }

    unsafe fn untie(node: NonNull<Node>) -> bool {
        // SAFETY: the engine calls this under the lock.
        unsafe { tied::untie(node.cast()) }
    }
}
