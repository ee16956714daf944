//! Declared actions: cleanups that survive `kill -9`.
//!
//! Two deaths are [`finalize`](crate::finalize())'s anyway: that of the object, and the end of the program. The
//! third is that of the process without warning: `kill -9`, the kernel when memory runs out, a crash, `_exit`, power
//! loss. Then none of the program's code runs, so no callback can. But a cleanup that is *data*
//! (remove this tree) can be written down before, and done by somebody else:
//!
//! ```
//! # let journals = std::env::temp_dir().join(format!("lastly-actions-{}", std::process::id()));
//! # // SAFETY: one thread.
//! # unsafe { std::env::set_var("LASTLY_JOURNALS", &journals) };
//! # lastly::report::set_hook(|_| ());
//! use lastly::{Watched, actions, finalize};
//!
//! let path = std::env::temp_dir().join(format!("lastly-workspace-{}", std::process::id()));
//! std::fs::create_dir(&path)?;
//! let workspace = Watched::new(());
//! finalize(&workspace, actions::remove_tree, path.clone());
//! assert!(path.exists()); // and if the process is killed here, it goes all the same
//!
//! drop(workspace);
//! assert!(!path.exists());
//! # std::fs::remove_dir_all(&journals)?;
//! # std::io::Result::Ok(())
//! ```
//!
//! The functions of this module are callbacks like others, for `finalize`, [`defer`](crate::defer),
//! [`Cleaner::finalize`](crate::Cleaner::finalize) and [`Pressure::finalize`](crate::Pressure::finalize). That they are
//! used as the callback **themselves** is all it takes: then they are *declared*, written into the *journal* of this
//! process before the finalizer is alive, and struck out when it is dead. Called directly, they do at once
//! what they are named for. [`TemporaryDirectory`] and [`NamedTemporaryFile`] do all of it for you.
//!
//! # Who does it
//!
//! - At the first two deaths, this process, as it runs any callback.
//! - When it dies without that, the **guard**: a small process that waits for this death and nothing else, and
//!   begins with the first declared action. It does what the journal says, processes first, then files,
//!   newest first, and ends.
//! - When the guard is killed as well, or there is none, the **sweep**: each guard that starts or ends looks for
//!   journals of dead processes, and so does `lastly sweep`.
//!
//! The guard is the program `lastly` of the crate `lastly-guard` (`cargo install lastly-guard`). It is looked
//! for where the variable `LASTLY_GUARD` says (empty, or `0`: there is to be none), where [`set_guard`] says, beside the
//! running program, and in `PATH`. Journals are in `$LASTLY_JOURNALS`, or `$XDG_STATE_HOME/lastly/journals`, or
//! `~/.local/state/lastly/journals`; `LASTLY_SWEEP=0` keeps this program from sweeping. [`protection`]
//! tells what of this is there. What is missing is reported once, as
//! [`Unprotected`](crate::report::Problem::Unprotected), and the first two deaths are as ever.
//!
//! # What survives what
//!
//! | | of this module | of [`synced`] |
//! |---|---|---|
//! | `kill -9`, a crash, `_exit`, `abort`; skipped or too late at exit | done at once, by the guard | the same |
//! | the guard killed as well | at the next sweep | the same |
//! | power loss, a crash of the system | perhaps written down, perhaps not; shown by `lastly status`, and not done by itself | written down when `finalize` returns, done by the next sweep |
//!
//! What is `synced` waits for the disk: some milliseconds each time, instead of some microseconds.
//!
//! # What is touched
//!
//! What was declared, and nothing else. A file or directory is known by its identity (device, inode, time of
//! birth), a process by when it started. If **another is in its place** by then, that is not touched, at none of the
//! three deaths: so a lock file that is replaced by renaming another over it is to be declared anew.
//!
//! What is **declared before it is made** cannot be lost between the two. Until it is [confirmed](confirm),
//! it is known by its path and by having been born since, as far as the file system tells; and not
//! more than a minute later, where no guard has seen its owner die.
//!
//! Whatever no program means to remove is refused: home directories and what is above them, directories of the
//! system, mount points, what belongs to other users. So is a path whose directory does not exist. What is refused is reported at
//! once, as `Unprotected`, and fails when its turn comes. What is missing by then is no failure.
//!
//! # Limitations
//!
//! - **Only these functions, as they are.** A closure around one, or a pointer to one (`fn(PathBuf) -> …`), is a
//!   callback like any other: it works at the first two deaths, and nothing is written down.
//! - **Only the process that declared it does it.** In a forked child the finalizer is there, but to call it, or the
//!   death of its object, does nothing. A daemon that forks *after* declaring loses what it declared to the guard, which
//!   does it when the parent ends. Declare after the last fork.
//! - An **`exec`** is not the death of the process: what was declared before is done by the guard when the program that it
//!   has become ends.
//! - **The guard dies with its container, or control group**, where all of it is killed at once (a service
//!   that systemd stops, a container that is removed): then it is the sweep's, if the journals are on a disk that outlives that.
//!   It starts in a session of its own, so what kills a process group or a terminal does not concern it.
//! - The guard is started by a **child** that ends at once: a program that waits for *any* of its children may be told of
//!   that one.
//! - **Between a death and the guard** there are some milliseconds, in which what was to go is still there.
//! - [`kill_process`]: the group goes with the process only if it led one when it was declared, and leads it still; children
//!   that left the group are not found.
//! - Programs that have more rights than who runs them (setuid), a journal on a network file system, a
//!   journal directory that others can write to: nothing is written down, and reported so.
//! - What is given up (detached) where the journal can neither be written to nor be removed, as its file system has
//!   become read-only, is reported so: it may be done all the same, until somebody removes the journal.
//! - What another thread changes in a tree while it is being removed may stay.

mod directory;
mod file;
mod temporary;

use std::any::{Any, TypeId};
use std::io;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use lastly_core::{Cause, Claim, Description, Node, Problem, sync};
use lastly_journal::Failure;
use lastly_journal::actions::{
    Action, kill_process as killing, remove_file as file_removal, remove_tree as tree_removal,
    unlink_shared_memory as unlinking,
};
use lastly_journal::own::{self, Manner};

#[doc(inline)]
pub use lastly_journal::own::Protection;

pub use directory::TemporaryDirectory;
pub use file::NamedTemporaryFile;
pub use temporary::TemporaryBuilder;

use crate::entry::{self, Held};
use crate::exit;
use crate::finalizer::Finalizer;
use crate::tied::Tied;
use crate::{REGISTRY, RustDoor};

/// From a list of all actions, makes for each the functions that stand for it, one for each manner of writing it
/// down, and what tells from a function which it is.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident($argument:ident: $type:ty) => $declare:expr;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// It is refused, or it could not be done, or not all of it.
            pub fn $action($argument: $type) -> io::Result<()> {
                let $argument = &$argument;
                perform(|| $declare)
            }
        )*

        /// The same actions, on the disk before `finalize` returns, so that they survive power loss.
        pub mod synced {
            use super::*;

            $(
                #[doc = concat!("[`", stringify!($action), "`](super::", stringify!($action), "), on the disk before `finalize` returns.")]
                ///
                /// # Errors
                ///
                /// As for that.
                pub fn $action($argument: $type) -> io::Result<()> {
                    super::$action($argument)
                }
            )*
        }

        /// The same for what has a name that nobody else comes upon.
        mod unguessable {
            use super::*;

            $(
                #[allow(dead_code, reason = "not everything is made by this module")]
                pub(super) fn $action($argument: $type) -> io::Result<()> {
                    super::$action($argument)
                }
            )*

            pub(super) mod synced {
                use super::*;

                $(
                    #[allow(dead_code, reason = "as above")]
                    pub(in crate::actions) fn $action($argument: $type) -> io::Result<()> {
                        super::$action($argument)
                    }
                )*
            }
        }

        /// How the action is written down that this function stands for. `None`: it is anybody's function.
        ///
        /// All of it is known when it is compiled, and nothing is left of it for anybody's function.
        #[inline(always)]
        fn manner<F: 'static>() -> Option<Manner> {
            if sync::MODELLED || size_of::<F>() != 0 {
                return None;
            }
            $(
                if is::<F, _>($action) {
                    return Some(Manner { sync: false, unguessable: false });
                }
                if is::<F, _>(synced::$action) {
                    return Some(Manner { sync: true, unguessable: false });
                }
                if is::<F, _>(unguessable::$action) {
                    return Some(Manner { sync: false, unguessable: true });
                }
                if is::<F, _>(unguessable::synced::$action) {
                    return Some(Manner { sync: true, unguessable: true });
                }
            )*
            None
        }

        /// The action that this function, with these arguments, stands for.
        fn action_of<F: 'static, A: 'static>(arguments: &A) -> Result<Box<dyn Action>, Failure> {
            $(
                if is::<F, _>($action)
                    || is::<F, _>(synced::$action)
                    || is::<F, _>(unguessable::$action)
                    || is::<F, _>(unguessable::synced::$action)
                {
                    let $argument = (arguments as &dyn Any)
                        .downcast_ref::<$type>()
                        .expect("the function takes nothing else");
                    return $declare;
                }
            )*
            unreachable!("asked of declared actions only")
        }
    };
}

actions! {
    /// Removes a directory and all that is in it. Symbolic links in it are removed, and not followed; what is
    /// mounted in it is not entered.
    remove_tree(path: PathBuf) => tree_removal::declare(path);

    /// Removes a file, a socket, a pipe, a symbolic link: whatever has a name and is no directory.
    remove_file(path: PathBuf) => file_removal::declare(path);

    /// Removes the name of POSIX shared memory, as `shm_unlink` does. Who has it open keeps it. The slash at the
    /// beginning may be left out. It ends with the machine, so that `synced` adds nothing.
    unlink_shared_memory(name: String) => unlinking::declare(name.as_ref());

    /// Kills a process, by SIGKILL, and its process group if it leads one. It must be there when it is declared.
    ///
    /// It does not wait for it: who has started the process still has to. It ends with the machine, so that
    /// `synced` adds nothing.
    kill_process(pid: u32) => {
        // No process has a number above that, so that it is told that there is none.
        killing::declare(i32::try_from(*pid).unwrap_or(i32::MAX))
    };
}

#[inline(always)]
fn is<F: 'static, G: 'static>(_: G) -> bool {
    TypeId::of::<F>() == TypeId::of::<G>()
}

/// What the functions do: the declared action whose turn it is, or if none is, this one, now.
fn perform(action: impl FnOnce() -> Result<Box<dyn Action>, Failure>) -> io::Result<()> {
    Ok(own::perform(action)?)
}

/// Tells that what was declared before it was made is there by now, so that it is known from now on. False: it is not there, or
/// the finalizer is dead, or is none of a declared action.
///
/// ```no_run
/// use lastly::{actions, defer};
///
/// let path = std::path::PathBuf::from("/tmp/mine");
/// let cleanup = defer(actions::remove_tree, path.clone());
/// std::fs::create_dir(&path)?; // killed before this or after it: nothing stays
/// assert!(actions::confirm(&cleanup)?);
/// # std::io::Result::Ok(())
/// ```
///
/// # Errors
///
/// What is there cannot be what was declared: a file in place of a directory, say. Or the journal cannot be
/// written.
pub fn confirm<O, A, F>(finalizer: &Finalizer<O, A, F>) -> io::Result<bool> {
    let held = finalizer.held();
    Ok(held.declares() && own::confirm(key(held.tied()))?)
}

/// What protects the declared actions of this process. Begins its journal, and starts its guard, if they are not
/// there yet.
#[must_use]
pub fn protection() -> Protection {
    // At the end a journal in which nothing is goes.
    exit::install();
    own::protection()
}

/// Says where the guard's program is, for a program that brings its own: to be called before anything is
/// declared. `LASTLY_GUARD` goes before that.
pub fn set_guard(program: impl AsRef<Path>) {
    own::set_guard(Some(program.as_ref().to_owned()));
}

/// By what the journal of this process names a finalizer: where it is.
fn key<T>(entry: NonNull<T>) -> usize {
    entry.as_ptr() as usize
}

/// Whether a function is one of those that stand for an action.
#[inline(always)]
pub(crate) fn is_action<F: 'static>() -> bool {
    manner::<F>().is_some()
}

/// Writes down what this function stands for, if it stands for an action. `Some`: it is less safe than it
/// could be, and why.
#[inline(always)]
pub(crate) fn declare<F: 'static, A: 'static>(
    entry: NonNull<Tied>,
    arguments: &A,
) -> Option<String> {
    let manner = manner::<F>()?;
    let key = key(entry);
    match action_of::<F, A>(arguments) {
        Ok(action) => own::declare(key, action, manner),
        Err(failure) => {
            own::refuse(key, &failure);
            Some(failure.to_string())
        }
    }
}

/// Reports, once or as it is declared, that somebody will be missing when this process is killed.
#[cold]
pub(crate) fn report_unprotected(held: &Held, why: &str) {
    report(&held.describe(), why);
}

#[cold]
fn report(what: &Description, why: &str) {
    REGISTRY.report(Cause::Called, what, Problem::Unprotected(why), None);
}

/// Runs a callback of this function. If that stands for an action, it is the declared one that it performs.
#[inline(always)]
pub(crate) fn in_turn<F: 'static, R>(node: NonNull<Node>, callback: impl FnOnce() -> R) -> R {
    if !is_action::<F>() {
        return callback();
    }
    let _turn = own::turn(key(node));
    callback()
}

/// A callback of this function is given back: what was declared is not to be done.
#[inline(always)]
pub(crate) fn cancel<F: 'static>(claim: &Claim<'_, RustDoor>) {
    if is_action::<F>() {
        if let Some(why) = own::cancel(key(claim.node())) {
            report(&entry::describe(claim), &why);
        }
    }
}

/// See [`Finalizer::set_at_exit`]. Of a declared action.
#[cold]
pub(crate) fn set_at_exit(held: &Held, on: bool) {
    if let Some(why) = own::set_at_exit(key(held.tied()), on) {
        report_unprotected(held, &why);
    }
}
