//! The report at exit: with `LASTLY_REPORT=1` in the environment, a process tells at its end, once and
//! on stderr, what was alive when the end began and what became of it, totals, the slowest callbacks,
//! and how the cleaners were doing when the end began.
//!
//! The drain begins it, with a look at all that is alive, each with a hold, and ends it when nothing
//! runs any more and the program has not gone on yet; also where the drain is cut short. By what each
//! has ended is in its state word. A process in which nothing has happened says nothing.
//!
//! Each line begins with the number of the process. A child that a callback of the drain has forked tells
//! nothing of what was alive: that it was in the parent.
//!
//! No lock is held while it is made, and none is needed to hand it over, so that no fork can leave one
//! taken.

use std::env;
use std::fmt::Write;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use crate::cleaners::CleanerState;
use crate::groups::Groups;
use crate::list::sequence_of;
use crate::node::Node;
use crate::order::Now;
use crate::process;
use crate::registry::{Door, Registry};
use crate::report::{Cause, print};
use crate::state::Due;
use crate::sync::{AtomicBool, AtomicPtr, constructor};

const VARIABLE: &str = "LASTLY_REPORT";

/// What it says. Process-wide, like the environment.
static ASKED: AtomicU8 = AtomicU8::new(UNREAD);
const UNREAD: u8 = 0;
const NO: u8 = 1;
const YES: u8 = 2;

// Relaxed, here and below: a setting, that orders nothing.
fn is_asked() -> bool {
    ASKED.load(Relaxed) == YES
}

/// Reads the environment, the first time. Early: see `ending`.
fn read_environment() {
    if ASKED.load(Relaxed) != UNREAD {
        return;
    }
    // SAFETY: it only tells a number.
    let privileged = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    let value = env::var_os(VARIABLE).filter(|_| !privileged).unwrap_or_default();
    ASKED.store(if value == "1" { YES } else { NO }, Relaxed);
    if !matches!(value.to_str(), Some("" | "0" | "1")) {
        let value = value.to_string_lossy();
        print(&format_args!("lastly: {VARIABLE}={value} is neither 1 nor 0, and changes nothing"));
    }
}

/// What was alive when the end began.
#[derive(Default)]
struct Review {
    nodes: Vec<Reviewed>,
    groups: Groups,
    /// Then: the drain runs what waits for them, and they are not told.
    cleaners: Vec<CleanerState>,
}

struct Reviewed {
    /// With a hold.
    node: NonNull<Node>,
    sequence: u64,
    group: usize,
}

pub(crate) struct ExitReport {
    /// Null: there is none.
    review: AtomicPtr<Review>,
    is_told: AtomicBool,
}

impl ExitReport {
    constructor! {
        pub(crate) fn new() -> Self {
            Self { review: AtomicPtr::new(ptr::null_mut()), is_told: AtomicBool::new(false) }
        }
    }

    fn replace(&self, review: *mut Review) -> Option<Box<Review>> {
        // Release and Acquire pair with each other: another thread may end what one has begun.
        let before = self.review.swap(review, AcqRel);
        // SAFETY: null, or made by `Box::into_raw`, and now in nobody else's hands.
        (!before.is_null()).then(|| unsafe { Box::from_raw(before) })
    }

    /// In a new child. What a parent's drain has looked at is the parent's; its holds stay, as a handler
    /// of a fork is no place to let go of anything.
    pub(crate) fn forked(&self) {
        self.is_told.store(false, Relaxed);
        std::mem::forget(self.replace(ptr::null_mut()));
    }
}

impl<D: Door> Registry<D> {
    /// Does what the environment says of the report at exit, as it was when this was first called in the
    /// process. Whether it asks for one.
    pub fn heed_environment(&self) -> bool {
        read_environment();
        if is_asked() && !self.is_recording() {
            self.record();
        }
        is_asked()
    }

    /// The end has begun, and nothing has run yet.
    pub(crate) fn begin_exit_report(&self) {
        if is_asked() {
            let review = Box::into_raw(Box::new(self.review()));
            drop(self.exit_report.replace(review));
        }
    }

    #[cold]
    fn review(&self) -> Review {
        let mut review = Review { cleaners: self.cleaners(), ..Review::default() };
        let now = Now::new();
        for node in self.alive() {
            // SAFETY: `alive` took a hold for us.
            let Some(look) = (unsafe { self.look(node, now) }) else {
                // SAFETY: as above; it ends here.
                unsafe { D::release(node) };
                continue;
            };
            // SAFETY: as above.
            let sequence = unsafe { self.index(node) };
            let group = review.groups.add(&look.description, look.age);
            review.nodes.push(Reviewed { node, sequence, group });
        }
        review
    }

    /// Nothing runs any more, and the program has not gone on yet.
    pub(crate) fn end_exit_report(&self, cause: Cause) {
        if is_asked() && !self.exit_report.is_told.swap(true, Relaxed) {
            self.tell_all(cause);
        }
    }

    #[cold]
    fn tell_all(&self, cause: Cause) {
        let review = self.exit_report.replace(ptr::null_mut());
        let mut totals = self.totals();
        let mut text = format!("the end of the program ({cause})\n");
        if let Some(mut review) = review {
            for Reviewed { node, sequence, group } in std::mem::take(&mut review.nodes) {
                // SAFETY: this hold.
                let fate = self.fate(unsafe { node.as_ref() }, sequence);
                review.groups.tell(group, fate);
                // SAFETY: it ends here, and nothing is locked.
                unsafe { D::release(node) };
            }
            // Writing to a string does not fail.
            _ = write!(text, "alive when it began: {}", review.groups);
            totals.cleaners = review.cleaners;
        }
        _ = write!(text, "{totals}");
        if !totals.is_empty() {
            let process = process::number();
            let lines = text.lines().map(|line| format!("lastly[{process}]: {line}\n"));
            let text: String = lines.collect();
            // Whoever reads it may be a thread of this very process.
            D::detached(|| write_patiently(text.as_bytes()));
        }
    }

    /// What has become of one that was alive.
    fn fate(&self, node: &Node, sequence: u64) -> &'static str {
        let _shard = self.lock(node.shard());
        // SAFETY: the lock is held.
        if unsafe { sequence_of(node) } != sequence {
            // Its door has used the memory for another.
            return "ended";
        }
        if node.is_dead() {
            return match node.state.ended_by() {
                Some(Due::Take) => "detached",
                Some(Due::Run(Cause::Called)) => "called",
                Some(Due::Run(Cause::ObjectDied)) => "object died",
                Some(Due::Run(Cause::Exit | Cause::Signal)) => "run",
                None => "too late",
            };
        }
        match node.state.run() {
            Some(_) => "not finished",
            None if self.concerns_drain(node) => "skipped",
            None if self.passes_over(node) => "left to the parent",
            None => "left out",
        }
    }
}

/// How much is written at once: what a pipe takes whole, or not at all.
const PIECE: usize = libc::PIPE_BUF;

/// For how long nobody needs to read before the rest is given up, in milliseconds.
const PATIENCE: i32 = 1000;

/// To stderr, if it takes it. One that is closed, or that nobody reads, must not keep the program from
/// ending, nor end it.
fn write_patiently(mut text: &[u8]) {
    let mut stderr = libc::pollfd { fd: libc::STDERR_FILENO, events: libc::POLLOUT, revents: 0 };
    while !text.is_empty() {
        // SAFETY: one of them.
        let ready = unsafe { libc::poll(&raw mut stderr, 1, PATIENCE) };
        let interrupted = || io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
        if ready < 0 && interrupted() {
            continue;
        }
        if ready != 1 || stderr.revents != libc::POLLOUT {
            return;
        }
        let piece = &text[..text.len().min(PIECE)];
        // SAFETY: so many bytes.
        let written = unsafe { libc::write(stderr.fd, piece.as_ptr().cast(), piece.len()) };
        match usize::try_from(written) {
            Ok(written) => text = &text[written..],
            Err(_) if interrupted() => {}
            Err(_) => return,
        }
    }
}
