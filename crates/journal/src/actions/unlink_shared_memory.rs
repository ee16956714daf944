//! Removing the name of POSIX shared memory. Whoever has it open keeps it.

use std::ffi::OsStr;
use std::path::Path;

use crate::actions::Action;
use crate::actions::files::{Target, action_on_file};
use crate::failure::Failure;
use crate::remove;

/// Where Linux keeps it.
const FOLDER: &str = "/dev/shm";

action_on_file!(UnlinkSharedMemory, 3, "unlink_shared_memory", 1, remove::check_file, remove::file);

/// Declares that the shared memory of this name is to be removed. It may be made later. The slash that
/// such names begin with may be left out.
///
/// # Errors
///
/// It is no such name, or it cannot be told what it is.
pub fn declare(name: &OsStr) -> Result<Box<dyn Action>, Failure> {
    let bare = Path::new(name).strip_prefix("/").unwrap_or(Path::new(name));
    if Path::new(bare).file_name() != Some(bare.as_os_str()) {
        let name = Path::new(name).display();
        let reason = format!("{name:?}: a name of shared memory has a slash at its beginning only");
        return Err(Failure::refusal(reason));
    }
    let path = Path::new(FOLDER).join(bare);
    Ok(Box::new(UnlinkSharedMemory(Target::declare(&path, remove::check_file)?)))
}
