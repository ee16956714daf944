//! The collector of one thread: its suspects, its settings, when it collects.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::collection::Due;
use super::death::ROUNDS;
use super::header::{Header, Mark};
use super::search::Search;
use super::suspects::Suspects;
use crate::collector::{Collected, Statistics};
use crate::ties::Ties;

/// How many suspects start a collection, if nobody sets another number.
const DEFAULT_THRESHOLD: usize = 1_000;

/// How many times the threshold a collection waits for, at most, however much the last one looked at in
/// vain: what these suspects hold may be large.
const MOST_PATIENCE: usize = 10;

pub(crate) struct Collector {
    pub(super) suspects: Suspects,
    /// How many deaths and collections this is inside of.
    pub(super) nesting: Cell<u32>,
    /// Objects without a `Gc` which value is yet to be dropped.
    pub(super) waiting: RefCell<Vec<NonNull<Header>>>,
    /// How many collections are dropping values.
    pub(super) dropping: Cell<u32>,
    /// The finalizers of what died in these.
    pub(super) due: RefCell<Vec<Due>>,
    /// Whether anything waits for the outermost level to end: a death, or a collection.
    pub(super) put_off: Cell<bool>,
    /// Whether somebody called `collect` too deep inside of others.
    pub(super) wanted: Cell<bool>,
    /// Whether a search goes on.
    pub(super) searching: Cell<bool>,
    /// The last search's.
    pub(super) mark: Cell<Mark>,
    /// One that was used, for its memory.
    pub(super) search: Cell<Option<Box<Search>>>,
    pub(super) statistics: Cell<Statistics>,
    /// How many suspects start a collection.
    trigger: Cell<usize>,
    threshold: Cell<usize>,
    /// At how many objects the last collection looked in vain, up to [`MOST_PATIENCE`]: the next one waits
    /// for so many suspects, if that is more. So what one suspect costs on average stays small.
    patience: Cell<usize>,
    paused: Cell<u32>,
    stage: Cell<Stage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is kept here, and nobody will tell if the thread ends.
    New,
    /// An [`End`] will.
    Running,
    /// None is left: each suspect is looked at, at once.
    Ending,
}

thread_local! {
    // Constant and without a destructor, so that it can be used at any moment of a thread's life.
    static COLLECTOR: ManuallyDrop<Collector> = const { ManuallyDrop::new(Collector::new()) };
}

/// Thread-locals with a destructor, that tell the collector that its thread ends: not one, as other
/// thread-locals may go after it, and drop objects. The next one is made then; it goes when the one that
/// goes just now is gone.
macro_rules! ends {
    ($($name:ident)*) => {
        thread_local! { $(static $name: End = const { End };)* }

        /// Has the end of this thread, or of the thread-local that goes just now, be told. False: there
        /// were too many of them.
        fn will_be_told() -> bool {
            $($name.try_with(|_| ()).is_ok())||*
        }
    };
}

ends!(FIRST SECOND THIRD FOURTH FIFTH SIXTH SEVENTH EIGHTH);

/// Hands this thread's collector to `work`.
#[inline]
pub(crate) fn this_thread<R>(work: impl FnOnce(&Collector) -> R) -> R {
    COLLECTOR.with(|collector| work(collector))
}

/// A `Gc` went, and others are left: makes a suspect of the object.
///
/// # Safety
///
/// Others are left, and it is no suspect so far.
#[inline(never)] // so that the drop of a last pointer stays small
pub(super) unsafe fn suspect(object: NonNull<Header>) {
    this_thread(|collector| {
        // SAFETY: alive (this function's contract); it leaves when its last `Gc` goes.
        let count = unsafe { collector.suspects.add(object) };
        if count >= collector.trigger.get() {
            collector.automatic();
        }
    });
}

impl Collector {
    const fn new() -> Self {
        Self {
            suspects: Suspects::new(),
            nesting: Cell::new(0),
            waiting: RefCell::new(Vec::new()),
            dropping: Cell::new(0),
            due: RefCell::new(Vec::new()),
            put_off: Cell::new(false),
            wanted: Cell::new(false),
            searching: Cell::new(false),
            mark: Cell::new(Mark::NEW),
            search: Cell::new(None),
            statistics: Cell::new(Statistics::new()),
            // The first suspect calls `automatic`, and that begins.
            trigger: Cell::new(1),
            threshold: Cell::new(DEFAULT_THRESHOLD),
            patience: Cell::new(0),
            paused: Cell::new(0),
            stage: Cell::new(Stage::New),
        }
    }

    /// To be called before anything is kept here: has this thread's end be told.
    #[inline]
    pub(super) fn begin(&self) {
        if self.stage.get() == Stage::New {
            self.begin_now();
        }
    }

    #[cold]
    fn begin_now(&self) {
        self.stage.set(if will_be_told() { Stage::Running } else { Stage::Ending });
        self.set_trigger();
    }

    /// Collects, if it is time and nothing is in the middle of dying.
    #[cold]
    fn automatic(&self) {
        self.begin();
        if self.suspects.len() < self.trigger.get() {
            return;
        }
        if self.nesting.get() == 0 {
            self.collect();
        } else {
            self.put_off.set(true);
        }
    }

    /// Collects, if somebody wanted to, or else if that may be `automatic` and it is time.
    pub(super) fn collect_if_put_off(&self, automatic: bool) -> bool {
        let wanted = self.wanted.replace(false);
        let due = wanted || automatic && self.suspects.len() >= self.trigger.get();
        if due {
            self.collect();
        }
        due
    }

    /// Remembers what a collection did, and when the next is due.
    pub(super) fn record(&self, done: &Collected) {
        let mut statistics = self.statistics.get();
        statistics.add(done);
        self.statistics.set(statistics);
        let most = self.threshold.get().saturating_mul(MOST_PATIENCE);
        self.patience.set((done.examined - done.objects).min(most));
        self.set_trigger();
    }

    /// To be called when anything that it depends on has changed. If it is time by then, the end of the
    /// next death will do.
    fn set_trigger(&self) {
        let trigger = match self.stage.get() {
            Stage::New | Stage::Ending => 1,
            Stage::Running if self.paused.get() > 0 => usize::MAX,
            // At every opportunity: without patience.
            Stage::Running if self.threshold.get() == 1 => 1,
            Stage::Running => self.threshold.get().max(self.patience.get()),
        };
        self.trigger.set(trigger);
        if self.suspects.len() >= trigger {
            self.put_off.set(true);
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        Statistics { suspects: self.suspects.len(), ..self.statistics.get() }
    }

    pub(crate) fn threshold(&self) -> usize {
        self.threshold.get()
    }

    pub(crate) fn set_threshold(&self, suspects: usize) {
        self.threshold.set(suspects.max(1));
        self.patience.set(0);
        self.set_trigger();
    }

    pub(crate) fn pause(&self) {
        self.paused.set(self.paused.get() + 1);
        self.set_trigger();
    }

    pub(crate) fn go_on(&self) {
        self.paused.set(self.paused.get() - 1);
        self.set_trigger();
    }

    /// The thread ends: what cannot be reached dies. A `Drop` may leave new suspects; what was found to
    /// be alive will not be garbage in the next round.
    fn end(&self) {
        for _ in 0..ROUNDS {
            if self.suspects.len() == 0 || self.collect().objects == 0 {
                break;
            }
        }
        self.stage.set(Stage::New);
        self.set_trigger();
        self.free_memory();
    }

    /// The program ends on this thread: its thread-locals are gone, and nobody will tell of another
    /// end.
    pub(crate) fn expect_no_end(&self) {
        self.stage.set(Stage::Ending);
        self.set_trigger();
    }

    /// An object which value is to be dropped when the outermost level ends.
    #[cold]
    pub(super) fn wait(&self, object: NonNull<Header>) {
        self.begin();
        self.put_off.set(true);
        self.waiting.borrow_mut().push(object);
    }

    /// No longer a suspect: dead, or nobody but the caller can reach it.
    pub(super) fn acquit(&self, header: &Header) {
        self.suspects.remove(header);
        if self.suspects.len() == 0 {
            self.tidy_up();
        }
    }

    /// Gives up the memory that is kept for later, if nobody will tell when that ends.
    pub(super) fn tidy_up(&self) {
        if self.stage.get() != Stage::Running {
            self.free_memory();
        }
    }

    fn free_memory(&self) {
        drop(self.search.take());
        self.suspects.shrink();
        self.waiting.borrow_mut().shrink_to_fit();
        self.due.borrow_mut().shrink_to_fit();
    }

    /// To be run when the collections that are dropping values are done with that.
    pub(super) fn add_due(&self, ties: Ties) {
        if let Some(due) = Due::new(ties) {
            self.due.borrow_mut().push(due);
        }
    }
}

/// Tells the collector that its thread ends.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        this_thread(Collector::end);
    }
}
