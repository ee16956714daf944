//! Removing a directory, and all that is in it.

use std::path::Path;

use crate::actions::Action;
use crate::actions::files::{Target, action_on_file};
use crate::failure::Failure;
use crate::remove;

action_on_file!(RemoveTree, 1, "remove_tree", 1, remove::check_tree, remove::tree);

/// Declares that this directory is to be removed. It may be made later.
///
/// # Errors
///
/// It is not to be removed like this, or it cannot be told what it is.
pub fn declare(path: &Path) -> Result<Box<dyn Action>, Failure> {
    Ok(Box::new(RemoveTree(Target::declare(path, remove::check_tree)?)))
}
