//! How the actor declares: the one place that knows the library.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use lastly::actions::{self, Protection, TemporaryDirectory, synced};
use lastly::{Watched, finalize};

use super::resource::{Kind, Resource};

/// The finalizers of an actor, and their objects.
#[derive(Default)]
pub struct Door {
    held: HashMap<Resource, Held>,
    temporary: Vec<TemporaryDirectory>,
}

/// What is done with a finalizer, and how that went.
type Held = Box<dyn FnMut(Act) -> String>;

#[derive(Clone, Copy)]
enum Act {
    Confirm,
    Detach,
    Call,
    Die,
}

/// It went as it should.
pub const DONE: &str = "done";

/// An object with this as its finalizer, as a function of what is done with them.
macro_rules! watched {
    ($action:expr, $argument:expr) => {{
        let mut object = Some(Watched::new(()));
        let cleanup = finalize(object.as_ref().expect("just made"), $action, $argument);
        Box::new(move |act| match act {
            Act::Confirm => match actions::confirm(&cleanup) {
                Ok(true) => DONE.to_owned(),
                Ok(false) => "it is not there".to_owned(),
                Err(error) => error.to_string(),
            },
            Act::Detach => {
                cleanup.detach().expect("it is alive");
                DONE.to_owned()
            }
            Act::Call => {
                cleanup.call().expect("it is alive").expect("nothing keeps it from being done");
                DONE.to_owned()
            }
            Act::Die => {
                drop(object.take());
                DONE.to_owned()
            }
        })
    }};
}

impl Door {
    /// Declares that it is to be cleaned up.
    pub fn declare(&mut self, resource: Resource, folder: &Path, process: Option<i32>, sync: bool) {
        let path = resource.path(folder);
        let held: Held = match (resource.kind, sync) {
            (Kind::Tree, false) => watched!(actions::remove_tree, path),
            (Kind::Tree, true) => watched!(synced::remove_tree, path),
            (Kind::File, false) => watched!(actions::remove_file, path),
            (Kind::File, true) => watched!(synced::remove_file, path),
            (Kind::Shared, _) => {
                watched!(actions::unlink_shared_memory, resource.shared_name(folder))
            }
            (Kind::Group, _) => {
                let process = process.expect("a group is made first");
                watched!(actions::kill_process, process.unsigned_abs())
            }
        };
        self.held.insert(resource, held);
    }

    /// A temporary directory in this one, for as long as this lives.
    ///
    /// # Panics
    ///
    /// It cannot be made.
    pub fn make_temporary(&mut self, above: &Path) -> PathBuf {
        let made = TemporaryDirectory::builder().inside(above).build().expect("there is room");
        self.temporary.push(made);
        self.temporary.last().expect("just made").path().to_owned()
    }

    /// It is there by now. [`DONE`], or why that is not known.
    pub fn confirm(&mut self, resource: Resource) -> String {
        self.act(resource, Act::Confirm)
    }

    /// It is to stay.
    pub fn keep(&mut self, resource: Resource) {
        self.act(resource, Act::Detach);
    }

    /// The finalizer is called.
    pub fn call(&mut self, resource: Resource) {
        self.act(resource, Act::Call);
    }

    /// Its object dies.
    pub fn drop(&mut self, resource: Resource) {
        self.act(resource, Act::Die);
    }

    fn act(&mut self, resource: Resource, act: Act) -> String {
        let said = self.held.get_mut(&resource).expect("it is declared")(act);
        if !matches!(act, Act::Confirm) {
            self.held.remove(&resource);
        }
        said
    }
}

/// What protects this process's declared actions, in words.
#[must_use]
pub fn protection() -> String {
    match actions::protection() {
        Protection::Guard => "guard".to_owned(),
        Protection::Sweep(why) => format!("sweep: {why}"),
        Protection::Nothing(why) => format!("nothing: {why}"),
    }
}
