//! Removing a file: whatever has a name and is no directory. Of a symbolic link, the link.

use std::path::Path;

use crate::actions::Action;
use crate::actions::files::{Target, action_on_file};
use crate::failure::Failure;
use crate::remove;

action_on_file!(RemoveFile, 2, "remove_file", 1, remove::check_file, remove::file);

/// Declares that this file is to be removed. It may be made later.
///
/// # Errors
///
/// It is not to be removed like this, or it cannot be told what it is.
pub fn declare(path: &Path) -> Result<Box<dyn Action>, Failure> {
    Ok(Box::new(RemoveFile(Target::declare(path, remove::check_file)?)))
}
