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
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::drain::Terms;
use crate::fork::Resident;
use crate::process::End;
use crate::report::{Cause, print};
use crate::sync::Deadline;

/// How long reports may take where the process is about to end at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the user of a program sets how long its end may take.
const VARIABLE: &str = "LASTLY_EXIT_BUDGET";

/// Drains on this thread, on these terms: within the budget, or the process ends like this.
///
/// What the environment says of the budget goes before what the program says.
pub fn drain<D: Resident>(terms: Terms, end: End) {
    let terms = Terms { budget: budget_of_environment().or(terms.budget), ..terms };
    let watch = terms.budget.and_then(|budget| Watch::begin::<D>(terms.cause, budget, end));
    D::registry().drain(&terms);
    if let Some(watch) = watch {
        watch.end::<D>();
    }
}

/// What the environment says of the budget, in seconds.
fn budget_of_environment() -> Option<Duration> {
    let text = env::var_os(VARIABLE).filter(|text| !text.is_empty())?;
    let seconds = text.to_str().and_then(|text| text.trim().parse().ok());
    let budget = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if budget.is_none() {
        let line = "is no number of seconds, such as 2.5: the end of the program may take any time";
        print(&format_args!("lastly: {VARIABLE}={} {line}", text.to_string_lossy()));
    }
    budget
}

/// Sees to it, beside a drain, that the time it is given is kept.
struct Watch {
    progress: Arc<Progress>,
    thread: Thread,
}

/// How far the drain has come, for its watch. No lock: a child that is forked by a callback of the
/// drain has the drain, but not the watch.
struct Progress(AtomicU8);

const DRAINING: u8 = 0;
const DRAINED: u8 = 1;
const CUT: u8 = 2;

impl Watch {
    /// `None` if there is no thread to be had: then only the drain itself looks at the clock.
    fn begin<D: Resident>(cause: Cause, budget: Duration, end: End) -> Option<Self> {
        let progress = Arc::new(Progress(AtomicU8::new(DRAINING)));
        let of_thread = progress.clone();
        let deadline = Deadline::after(budget);
        let watch = move || {
            of_thread.wait_until(deadline);
            if of_thread.is_over() {
                return;
            }
            of_thread.wait_until(Deadline::after(D::interrupt()));
            if of_thread.turn(CUT) {
                cut::<D>(cause, end);
            }
        };
        let thread = thread::Builder::new().name("lastly-budget".into()).spawn(watch).ok()?;
        Some(Self { progress, thread: thread.thread().clone() })
    }

    /// The drain is over. If the watch has decided otherwise, it ends the process.
    fn end<D: Resident>(self) {
        if !self.progress.turn(DRAINED) {
            // As the door waits: its reports may need what this thread holds.
            for round in 0.. {
                D::wait(round);
            }
        }
        self.thread.unpark();
    }
}

impl Progress {
    fn is_over(&self) -> bool {
        // Acquire pairs with the Release in `turn`.
        self.0.load(Acquire) != DRAINING
    }

    /// Whether it is this call that says how it ended.
    fn turn(&self, to: u8) -> bool {
        self.0.compare_exchange(DRAINING, to, AcqRel, Acquire).is_ok()
    }

    fn wait_until(&self, deadline: Deadline) {
        while let Some(left) = deadline.left().filter(|left| !left.is_zero()) {
            if self.is_over() {
                return;
            }
            thread::park_timeout(left);
        }
    }
}

/// Cuts the end of the program short, and ends the process.
pub fn cut<D: Resident>(cause: Cause, end: End) -> ! {
    let done = Arc::new(AtomicU8::new(0));
    let caller = thread::current();
    let of_thread = done.clone();
    let report = move || {
        D::cut(cause);
        of_thread.store(1, Release);
        caller.unpark();
    };
    let patience_ends = Instant::now() + PATIENCE;
    if thread::Builder::new().name("lastly-report".into()).spawn(report).is_ok() {
        // Acquire pairs with the Release above.
        while done.load(Acquire) == 0 {
            let left = patience_ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                complain();
                break;
            }
            thread::park_timeout(left);
        }
    }
    end.now()
}

/// Says that reports did not come through. Past every lock, as somebody holds one.
fn complain() {
    let line =
        "lastly: the end of the program was cut short, and what was skipped cannot all be told\n";
    // SAFETY: so many bytes.
    unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
}
