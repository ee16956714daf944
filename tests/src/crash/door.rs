//! How the actor declares: the one place that knows the library.

use std::ffi::OsStr;
use std::path::Path;

use lastly_journal::actions::{
    Action, kill_process, remove_file, remove_tree, unlink_shared_memory,
};
use lastly_journal::own::{self, Manner};

use super::resource::{Kind, Resource};

fn key(resource: Resource) -> usize {
    resource.number as usize + 1
}

/// Declares that it is to be cleaned up. What is told once, that something does not work.
pub fn declare(
    resource: Resource,
    folder: &Path,
    process: Option<i32>,
    sync: bool,
) -> Option<String> {
    let path = resource.path(folder);
    let action: Result<Box<dyn Action>, _> = match resource.kind {
        Kind::Tree => remove_tree::declare(&path),
        Kind::File => remove_file::declare(&path),
        Kind::Shared => unlink_shared_memory::declare(OsStr::new(&resource.shared_name(folder))),
        Kind::Group => kill_process::declare(process.expect("a group is made first")),
    };
    let action = action.expect("nothing is declared that is refused");
    own::declare(key(resource), action, Manner { sync, unguessable: false })
}

/// It is there by now.
pub fn confirm(resource: Resource) {
    assert!(own::confirm(key(resource)).expect("it can be looked at"), "it is there");
}

/// It is to stay.
pub fn keep(resource: Resource) {
    own::cancel(key(resource));
}

/// The cleanup runs.
pub fn call(resource: Resource) {
    let _turn = own::turn(key(resource));
    own::perform(|| unreachable!("it is its turn")).expect("nothing keeps it from being removed");
}

/// Its object dies.
pub fn drop(resource: Resource) {
    call(resource);
}

/// The end of the program.
pub fn end() {
    own::end();
}
