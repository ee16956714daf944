//! [`paused`]: for a while, no callback runs because an object dies on this thread.

use std::marker::PhantomData;

use crate::REGISTRY;
use crate::entry::pause;

/// Has the callbacks of objects that die on this thread wait, until the guard is dropped.
///
/// A callback runs wherever the last reference happens to go. If that is a stretch of code that holds a lock
/// which the callback wants, the thread waits for itself, for ever. In a pause it does not run there:
///
/// ```
/// use lastly::{Watched, finalize, paused};
/// use std::sync::{Arc, Mutex};
///
/// let open = Arc::new(Mutex::new(vec![Some(Watched::new("a")), None]));
/// let in_callback = open.clone();
/// let count = move |()| println!("{} are left", in_callback.lock().unwrap().len());
/// finalize(open.lock().unwrap()[0].as_ref().unwrap(), count, ());
///
/// let pause = paused();
/// let mut locked = open.lock().unwrap();
/// locked.retain(|object| object.is_none()); // the object dies here, with the lock held
/// drop(locked);
/// drop(pause); // 1 are left
/// ```
///
/// Make the guard before the lock: what is declared first is dropped last.
///
/// At the end of the pause what waited runs, in the order in which the objects died, each failure
/// contained and [reported](crate::report) as at the death of an object; also when the pause ends because a
/// panic unwinds. Pauses nest: what waited runs at the end of the outermost.
///
/// # What does not wait
///
/// - **Explicit calls**, of what waits too: who calls a finalizer wants it run now.
/// - [`defer`](crate::defer) guards: they are where their author put them.
/// - What other threads drop.
/// - The **end of the program**: the drain runs what waits in its turn, newest first, whatever its
///   [exit flag](crate::Finalizer::set_at_exit) says, as its object is dead.
/// - Values: an object's value is dropped at once, and its own `Drop` runs. Collections are put off by
///   [`collector::pause`](crate::collector::pause) instead; the callbacks of what they find wait.
///
/// # Limitations
///
/// - How many wait is not bounded. Keep pauses short; for bounds there is the [`Cleaner`](crate::Cleaner).
/// - If the guard is [forgotten](std::mem::forget), the thread stays paused: then it is the end of the
///   program that runs what waits.
/// - In a forked child the thread that has forked is still paused. What waited in the parent runs there, and
///   not in the child.
#[must_use = "dropped at once, it pauses nothing, and `let _ = …` drops it too: write `let _pause = …`"]
pub fn paused() -> Pause {
    pause(lastly_core::Pause::begin);
    Pause(PhantomData)
}

/// What [`paused`] gives: while it lives, callbacks of what dies on this thread wait.
#[derive(Debug)]
#[must_use = "dropped at once, it pauses nothing, and `let _ = …` drops it too: write `let _pause = …`"]
pub struct Pause(PhantomData<*const ()>);

impl Drop for Pause {
    fn drop(&mut self) {
        REGISTRY.end_pause();
    }
}
