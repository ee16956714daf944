//! The end of the program within the time that it is given, and its end at once.
//!
//! The drain looks at the clock between two callbacks. A callback that never returns it cannot stop;
//! so where a budget is set, a *watch* waits beside it on a thread of its own. When the time is
//! spent, it asks the door to interrupt the callback. Where that does not help, it has the drain cut
//! short: what is running and what is skipped is reported, and **the process ends there, with the
//! status it had**. Exit handlers that the drain came before do not run then, and what other
//! libraries hold in buffers is not written.
//!
//! Reports are foreign code, and wait for locks: that of stderr at least, which the very callback may
//! hold that never returns. So they are made on another thread yet, and waited for a bounded time.

use std::env;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::drain::Terms;
use crate::fork::Resident;
use crate::process::{self, End};
use crate::report::{Cause, print, write_to_stderr};
use crate::signals;
use crate::sync::Deadline;
use crate::thread;

/// How long to wait for the next report where the process is about to end at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// Of the engine's own threads; of those that run the program's code it is as large as main's.
pub(crate) const SMALL_STACK: usize = 256 << 10;
pub(crate) const LARGE_STACK: usize = 8 << 20;

/// Where the user of a program sets how long its end may take.
const VARIABLE: &str = "LASTLY_EXIT_BUDGET";

/// What it says, in nanoseconds.
static FROM_OUTSIDE: AtomicU64 = AtomicU64::new(UNSET);
const UNSET: u64 = u64::MAX;

/// Reads what the environment says of the budget, and complains of what makes no sense. Early: at the
/// end, in a forked child, the lock of the environment may be held by a thread that does not exist.
pub(crate) fn read_environment() {
    // SAFETY: it only tells a number.
    let privileged = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    let Some(text) = env::var_os(VARIABLE).filter(|text| !text.is_empty() && !privileged) else {
        return;
    };
    let seconds = text.to_str().and_then(|text| text.trim().parse().ok());
    match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        // Relaxed: a setting, that orders nothing.
        Some(budget) => {
            FROM_OUTSIDE.store(u64::try_from(budget.as_nanos()).unwrap_or(UNSET - 1), Relaxed);
        }
        None => {
            let line = "is no number of seconds, such as 2.5, and changes nothing";
            print(&format_args!("lastly: {VARIABLE}={} {line}", text.to_string_lossy()));
        }
    }
}

/// Drains on this thread, on these terms: within the budget, or the process ends like this.
///
/// What the environment says of the budget goes before what the program says.
pub fn drain<D: Resident>(terms: Terms, end: End) {
    // Relaxed: a setting, that orders nothing.
    let outside = FROM_OUTSIDE.load(Relaxed);
    let outside = (outside != UNSET).then(|| Duration::from_nanos(outside));
    let terms = Terms { budget: outside.or(terms.budget), ..terms };
    let watch = terms.budget.and_then(|budget| Watch::begin::<D>(terms.cause, budget, end));
    D::registry().drain(&terms);
    if let Some(watch) = watch {
        watch.end::<D>();
    }
}

/// Sees to it, beside a drain, that the time it is given is kept.
struct Watch {
    number: u32,
    process: i32,
    end: End,
}

/// The number of the watch over the drain that is going on; or 0; or [`CUT`]. One word without a lock: a
/// child that is forked by a callback of the drain has the drain, but not the watch. A drain that goes
/// on with another one's takes that one's place.
static WATCHING: AtomicU32 = AtomicU32::new(0);
const CUT: u32 = u32::MAX;
/// The process in which it was cut. A child that another thread has forked meanwhile has an end of its own.
static CUT_IN: AtomicI32 = AtomicI32::new(0);

impl Watch {
    /// `None` if there is no thread to be had: then only the drain itself looks at the clock.
    fn begin<D: Resident>(cause: Cause, budget: Duration, end: End) -> Option<Self> {
        static NUMBERS: AtomicU32 = AtomicU32::new(1);
        // Relaxed: only the uniqueness of what fetch_add returns is needed.
        let number = NUMBERS.fetch_add(1, Relaxed);
        let deadline = Deadline::after(budget);
        // If the drain is over before, nobody wakes it: it finds that out when it wakes by itself.
        let watch = move || {
            deadline.left().into_iter().for_each(sleep);
            if WATCHING.load(SeqCst) == number {
                sleep(D::interrupt());
                CUT_IN.store(process::number(), SeqCst);
                if turn(number, CUT) {
                    cut::<D>(cause, end);
                }
            }
        };
        // SeqCst, for all that is done with it: it is the end, and nothing of it is in a hurry.
        if WATCHING.load(SeqCst) != CUT || CUT_IN.load(SeqCst) != process::number() {
            WATCHING.store(number, SeqCst);
        }
        thread::start(c"lastly-budget", SMALL_STACK, watch).ok()?;
        Some(Self { number, process: process::number(), end })
    }

    /// The drain is over. If the watch has decided otherwise, it ends the process.
    fn end<D: Resident>(self) {
        let decided = !turn(self.number, 0) && WATCHING.load(SeqCst) == CUT;
        if decided && self.process != process::number() {
            // A child that a callback has left: nobody watches here.
            self.end.now();
        }
        if decided {
            // As the door waits: its reports may need what this thread holds.
            for round in 0.. {
                D::wait(round);
            }
        }
    }
}

/// Whether it is this call that says what becomes of the drain under this watch.
fn turn(number: u32, to: u32) -> bool {
    WATCHING.compare_exchange(number, to, SeqCst, SeqCst).is_ok()
}

/// Cuts the end of the program short, and ends the process: like this, or by the signal that has come.
pub fn cut<D: Resident>(cause: Cause, end: End) -> ! {
    // The process in which they are done.
    static DONE: AtomicI32 = AtomicI32::new(0);
    let report = move || {
        D::cut(cause);
        DONE.store(process::number(), Release);
    };
    // The hook is the program's, so it gets the stack of a thread of the program's.
    let started = thread::start(c"lastly-report", LARGE_STACK, report).is_ok();
    if !started || !wait_for_reports::<D>(&DONE) {
        complain();
    }
    signals::arrived().map_or(end, End::Signal).now()
}

/// Waits until they are done, or one takes too long. Whether they are done.
fn wait_for_reports<D: Resident>(done: &AtomicI32) -> bool {
    let mut seen = None;
    let mut patience_ends = Instant::now();
    // Acquire pairs with the Release in `cut`.
    while done.load(Acquire) != process::number() {
        let reports = Some(D::registry().reports());
        if reports != seen {
            (seen, patience_ends) = (reports, Instant::now() + PATIENCE);
        }
        if Instant::now() > patience_ends {
            return false;
        }
        sleep(Duration::from_millis(1));
    }
    true
}

/// Says that reports did not come through. Without memory, too: that may be what there is none of.
fn complain() {
    let line =
        "lastly: the end of the program was cut short, and what was skipped cannot all be told\n";
    write_to_stderr(line.as_bytes());
}
