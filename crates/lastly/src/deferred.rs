//! [`defer`]: a scope guard that also runs when the program ends.

use std::fmt::{self, Debug};
use std::mem::ManuallyDrop;
use std::ops::Deref;

use crate::Finalizer;
use crate::finalizer::Erased;
use crate::outcome::Outcome;

/// Runs `function(arguments)` at the end of the scope, or when the program ends before that.
///
/// A guard as of the `scopeguard` crate, that also covers `std::process::exit`. It is a
/// [`Finalizer`] whose object is the guard itself: dropping the guard is the object's death.
///
/// ```
/// use lastly::defer;
///
/// let lock = std::env::temp_dir().join("lastly-defer-example.lock");
/// std::fs::write(&lock, "")?;
/// {
///     let guard = defer(std::fs::remove_file, lock.clone());
///     assert!(guard.is_alive() && lock.exists());
/// } // removed here; at exit, if this scope ended in `exit`
/// assert!(!lock.exists());
/// # std::io::Result::Ok(())
/// ```
///
/// Give the guard a name: `let _ = defer(…)` drops it, and so runs the cleanup, at once.
///
/// Call it early with [`call`](Finalizer::call), which gives the result; cancel it with
/// [`detach`](Finalizer::detach), which gives back function and arguments (`scopeguard`'s
/// `into_inner`); look with [`peek`](Finalizer::peek).
///
/// ```
/// use lastly::defer;
///
/// let undo = defer(|name: String| println!("rolled back {name}"), String::from("a"));
/// // All went well: nothing to undo.
/// let (_, _, name) = undo.detach().unwrap();
/// assert_eq!(name, "a");
/// ```
///
/// The guard does not dereference to its arguments, as `scopeguard`'s does: the end of the program
/// may take them at any moment, on any thread. Share them (an `Arc`), or [`peek`](Finalizer::peek).
#[track_caller]
pub fn defer<F, A, R>(function: F, arguments: A) -> Deferred<A, F>
where
    F: FnOnce(A) -> R + Send + 'static,
    A: Send + 'static,
    R: Outcome,
{
    Deferred { finalizer: Finalizer::of_scope(function, arguments) }
}

/// The guard that [`defer`] gives. It dereferences to its [`Finalizer`].
///
/// `Deferred` without parameters is the [erased](Self::erase) guard, for fields of structs.
#[must_use = "dropped at once, it runs the cleanup at once, and `let _ = …` drops it too: write `let _guard = …`"]
pub struct Deferred<A = Erased, F = Erased> {
    finalizer: Finalizer<(), A, F>,
}

impl<A, F> Deferred<A, F> {
    /// A guard without the types of function and arguments, for the fields of a struct.
    pub fn erase(self) -> Deferred {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, so the finalizer is moved out once.
        let finalizer = unsafe { std::ptr::read(&this.finalizer) };
        Deferred { finalizer: finalizer.erase() }
    }
}

impl<A, F> Deref for Deferred<A, F> {
    type Target = Finalizer<(), A, F>;

    fn deref(&self) -> &Self::Target {
        &self.finalizer
    }
}

impl<A, F> Debug for Deferred<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deferred").field(&self.finalizer).finish()
    }
}

impl<A, F> Drop for Deferred<A, F> {
    #[inline]
    fn drop(&mut self) {
        self.finalizer.fire();
    }
}
