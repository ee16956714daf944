//! What can be declared: one file for each kind of action, and a line in `KINDS`.
//!
//! An action is data: what it is about, and enough to know that again. It is *declared* by its owner,
//! written down, and *performed* by whoever comes first: the owner, at one of the first two deaths; the
//! guard or a sweep, when the owner is dead. Each must be **idempotent**, as it may be begun by one, and
//! ended by another; and must **touch nothing but what was declared**, whatever has taken its place.

mod files;
pub mod kill_process;
pub(crate) mod refused;
pub mod remove_file;
pub mod remove_tree;
pub mod unlink_shared_memory;

use std::fmt::Debug;
use std::path::Path;

use crate::bytes::{Reader, Writer};
use crate::failure::Failure;
use crate::identity::Identity;

/// One kind of action.
pub struct Kind {
    /// What it is called in journals, for ever.
    pub(crate) code: u8,
    /// What it is called in the doors.
    pub name: &'static str,
    /// Among the actions of one owner the lower come first: what works on files is stopped before
    /// they go.
    pub(crate) rank: u8,
    pub(crate) read: fn(&mut Reader<'_>) -> Option<Box<dyn Action>>,
}

/// Every kind.
pub(crate) const KINDS: [&Kind; 4] =
    [&remove_tree::KIND, &remove_file::KIND, &unlink_shared_memory::KIND, &kill_process::KIND];

/// What an action is about.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// What is under this path; and which file that is, if it was there when it was declared.
    File(&'a Path, Option<&'a Identity>),
    /// The process of this number that started at this moment.
    Process(i32, u64),
    /// Nothing that is done by anybody else.
    Nothing,
}

/// Something declared.
pub trait Action: Debug + Send {
    /// Which kind it is.
    fn kind(&self) -> &'static Kind;

    /// What it is about, in words: a path, a number.
    fn subject(&self) -> String;

    /// Whether a boot of the machine ends what it is about: then nothing is left to do.
    fn ends_with_boot(&self) -> bool;

    /// Whether it is known which file or process it is; otherwise it was declared before that was made.
    fn is_known(&self) -> bool;

    /// Looks whether it is there by now. True: it is, and is known from now on.
    ///
    /// # Errors
    ///
    /// As for declaring it.
    fn confirm(&mut self) -> Result<bool, Failure>;

    /// What it is about, so that it can be told whether another is about the same.
    fn about(&self) -> About<'_>;

    /// Whether it can be told from here what became of it. Otherwise it may be there, where paths mean what they
    /// meant to who declared it.
    fn is_in_view(&self, _: &Terms) -> bool {
        true
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// It is not done, or not all of it.
    fn perform(&self, terms: &Terms) -> Result<Performed, Failure>;

    /// Writes it down, for the `read` of its kind.
    fn write(&self, to: &mut Writer);
}

/// Why nobody does, or strikes out, what is not in view.
pub(crate) const NOT_IN_VIEW: &str = "its directory is not to be seen: is it mounted?";

/// When something was made, which was declared before that. In nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Born {
    /// When it was declared.
    pub earliest: i64,
    /// Until when its owner is known to have lived.
    pub latest: i64,
    /// Whether that is when it died: what is younger, is another's.
    pub until_death: bool,
}

/// How an action is to be performed.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Under which name to put what is about to be removed: one that nobody guesses, the same in each
    /// attempt.
    pub trash: String,
    /// Whether its owner performs it, who has the last word on what is not there.
    pub by_owner: bool,
    /// Whether it was declared since the machine was booted.
    pub same_boot: bool,
    /// Whether paths mean what they meant to who declared it.
    pub same_view: bool,
    /// Whether it is known to be what its owner made, who may have given it away since. Otherwise, what belongs to
    /// others is not touched.
    pub was_ours: bool,
    /// Whether to leave what has its name by now, and see only to what somebody has begun to remove.
    pub begun_only: bool,
    /// Whether the numbers of processes mean here what they meant to who declared it.
    pub same_numbers: bool,
    /// What was declared before it was made is known by when that was. `None`: by its name alone.
    pub born: Option<Born>,
}

impl Terms {
    /// Those of the process that declared it.
    pub(crate) fn of_owner(trash: String) -> Self {
        Self {
            trash,
            by_owner: true,
            same_boot: true,
            same_view: true,
            was_ours: false,
            begun_only: false,
            same_numbers: true,
            born: None,
        }
    }
}

/// What came of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Performed {
    /// It is done.
    Done,
    /// There was nothing to do: it is gone already.
    Missing,
    /// Another is in its place by now. That was not touched.
    Replaced,
}

pub(crate) fn write(action: &dyn Action, to: &mut Writer) {
    to.u8(action.kind().code);
    action.write(to);
}

/// `None`: it was written by a library that knows more kinds, or more of this one.
pub(crate) fn read(from: &mut Reader<'_>) -> Option<Box<dyn Action>> {
    let code = from.u8()?;
    let kind = KINDS.into_iter().find(|kind| kind.code == code)?;
    (kind.read)(from)
}
