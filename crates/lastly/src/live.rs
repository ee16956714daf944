//! What is alive.
//!
//! [`live`] gives a picture of one moment: every finalizer that is alive, oldest first, and what has
//! become of the others.
//!
//! ```
//! use lastly::{Watched, finalize, live};
//!
//! live::record(); // ages, and which callbacks take long
//!
//! let file = Watched::new(String::from("a file"));
//! finalize(&file, |()| (), ());
//!
//! let live = live();
//! let strings = live.iter().filter(|it| it.object.ends_with("String"));
//! assert_eq!(strings.count(), 1);
//! println!("{live}");
//! ```
//!
//! It prints a table of what says the same of itself, largest group first, and then the [`Totals`]:
//!
//! ```text
//! 3 finalizers
//! count  oldest  object          function                                created at
//!     2   61.3s  app::Workspace  std::fs::remove_dir_all<&std::path::Path>  src/main.rs:12:19
//!     1    0.2s  app::Lock       app::Lock::release                      src/lock.rs:40:9
//! created 9; called 1, object died 4, exit 0, signal 0, detached 1; failed 0, lost 0
//! slow: 1.2s app::Workspace (object died): std::fs::remove_dir_all<&std::path::Path>, created at src/main.rs:12:19
//! ```
//!
//! # At the end of the program
//!
//! With `LASTLY_REPORT=1` in the environment, as it is when the first finalizer is created, a process
//! that has had any prints such a picture to stderr at its end: what was alive when the drain began, and
//! what became of it; when the drain is over, also one that was cut short or is for a signal. Each line
//! begins with the number of the process; a forked child has its own. It records from the beginning.
//!
//! What became of a finalizer: `run`, `called`, `object died`, `detached`; `left out`, as it was not to
//! run at exit; `left to the parent` of a forked child; `skipped` or `too late`, `not finished`.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::ops::Deref;
use std::slice;
use std::time::Duration;

#[doc(inline)]
pub use lastly_core::{Cause, CleanerState, Description, Slow, Totals};
use lastly_core::{Door, Groups, Look, Now};

use crate::REGISTRY;
use crate::entry::RustDoor;

/// A picture of one moment: what is alive, oldest first, and totals. A slice of entries.
#[derive(Clone, Debug)]
pub struct Live {
    entries: Vec<Entry>,
    totals: Totals,
}

/// A finalizer that was alive.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// The type of the object it watches.
    pub object: Cow<'static, str>,
    /// The function it is to run.
    pub function: Cow<'static, str>,
    /// Where in the program it was created.
    pub created: Cow<'static, str>,
    /// How long before, if that is known: see [`record`].
    pub age: Option<Duration>,
    /// Whether the end of the program will run it.
    pub at_exit: bool,
    /// Whether its object has died, and it waits for its turn.
    pub waiting: bool,
}

/// What is alive now.
///
/// It looks at every live finalizer, and runs nothing.
#[must_use]
pub fn live() -> Live {
    let now = Now::new();
    let look = |node| {
        // SAFETY: `alive` took a hold for us.
        let look = unsafe { REGISTRY.look(node, now) };
        // SAFETY: it ends here, and nothing is locked.
        unsafe { RustDoor::release(node) };
        look.map(Entry::new)
    };
    let entries = REGISTRY.alive().into_iter().filter_map(look).collect();
    Live { entries, totals: REGISTRY.totals() }
}

/// From now on, keeps when finalizers are created, and which callbacks take longest.
///
/// That costs a look at the clock for each finalizer, and two for each callback. Of callbacks it is one
/// that ticks every few milliseconds; so those that take less than 20 are not kept, and what is told of
/// the others is as exact as that.
pub fn record() {
    REGISTRY.record();
}

impl Live {
    /// How many finalizers this process has created so far, and what became of them; the callbacks that
    /// took longest; and how each cleaner is doing.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }
}

impl Entry {
    fn new(look: Look) -> Self {
        let Look { description, age, at_exit, waiting } = look;
        let Description { object, function, created } = description;
        Self { object, function, created: created.unwrap_or_default(), age, at_exit, waiting }
    }

    fn description(&self) -> Description {
        let Self { object, function, created, .. } = self.clone();
        Description { object, function, created: Some(created) }
    }
}

impl Deref for Live {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.entries
    }
}

impl<'a> IntoIterator for &'a Live {
    type Item = &'a Entry;
    type IntoIter = slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

impl IntoIterator for Live {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// The table, and the totals.
impl Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups = Groups::default();
        for entry in self {
            groups.add(&entry.description(), entry.age);
        }
        write!(f, "{groups}{}", self.totals)
    }
}
