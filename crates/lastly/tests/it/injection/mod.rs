//! A panic in every function of the user's that the collector runs, on every way to it. Each time
//! everything else happens as if there had been none: nothing is lost, nothing happens twice, the
//! panic is reported or reaches who is there to take it, and the collector works afterwards.

mod around;
mod by_count;
mod paths;
mod several;

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug};
use std::panic::panic_any;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use lastly::{Gc, Outcome, Trace, Tracer, collector, finalize, report};

use crate::{Log, Reports};

/// Where the panic comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// Where the search begins.
    TraceOfASuspect,
    /// Where the search gets from there.
    TraceOfWhatItHolds,
    /// The second time in one collection, that is, of something that lives.
    TraceOnceMore,
    Drop,
    DropOfAField,
    Callback,
    DropOfTheFunction,
    DropOfTheArgument,
    DropOfTheResult,
    DebugOfTheError,
}

use Place::*;

const PLACES: [Place; 10] = [
    TraceOfASuspect,
    TraceOfWhatItHolds,
    TraceOnceMore,
    Drop,
    DropOfAField,
    Callback,
    DropOfTheFunction,
    DropOfTheArgument,
    DropOfTheResult,
    DebugOfTheError,
];

/// What it carries.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Payload {
    Text,
    /// Something whose drop panics as well.
    Nasty,
}

const PAYLOADS: [Payload; 2] = [Payload::Text, Payload::Nasty];

#[derive(Clone, Copy, Debug)]
struct Fault {
    place: Place,
    payload: Payload,
}

struct Nasty;

impl std::ops::Drop for Nasty {
    fn drop(&mut self) {
        panic_any("the drop of the payload");
    }
}

thread_local! {
    /// What is to panic on this thread. Without a destructor: also at the end of a thread.
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// How often something did. One at a time: the tests here take turns.
static RAISED: AtomicU32 = AtomicU32::new(0);

/// Here it panics, if it is to; once.
fn trip(place: Place) {
    let Some(fault) = FAULT.get().filter(|fault| fault.place == place) else { return };
    RAISED.fetch_add(1, SeqCst);
    // Shown again and again, an error fails each time.
    if place != DebugOfTheError {
        FAULT.set(None);
    }
    match fault.payload {
        Payload::Text => panic_any("tripped"),
        Payload::Nasty => panic_any(Nasty),
    }
}

/// Something whose drop trips.
struct Tripwire(Place);

impl std::ops::Drop for Tripwire {
    fn drop(&mut self) {
        trip(self.0);
    }
}

/// An error that trips when it is shown.
struct Unspeakable;

impl Debug for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        trip(DebugOfTheError);
        Ok(())
    }
}

impl Outcome for Tripwire {}

/// The ring's parts are numbered from 0; this one lives.
const LIVING: usize = 4;

/// The part of which everything but `Trace` trips.
const FAULTY: usize = 1;

/// One object, which holds others on both sides of what may trip.
#[derive(Trace)]
struct Part {
    index: usize,
    before: RefCell<Vec<Gc<Part>>>,
    trap: Trap,
    after: RefCell<Vec<Gc<Part>>>,
    #[trace(skip)]
    log: Log,
    #[trace(skip)]
    _field: Tripwire,
}

struct Trap {
    index: usize,
    /// How many collections there had been when it was last looked at.
    looked: Cell<Option<u64>>,
}

// SAFETY: finds nothing.
unsafe impl Trace for Trap {
    fn trace(&self, _: &mut Tracer) {
        let collections = collector::statistics().collections;
        let again = self.looked.replace(Some(collections)) == Some(collections);
        match self.index {
            0 => trip(TraceOfASuspect),
            FAULTY => trip(TraceOfWhatItHolds),
            LIVING if again => trip(TraceOnceMore),
            _ => {}
        }
    }
}

impl std::ops::Drop for Part {
    fn drop(&mut self) {
        self.log.add(format!("drop {}", self.index));
        if self.index == FAULTY {
            trip(Drop);
        }
    }
}

impl Part {
    fn new(log: &Log, index: usize) -> Gc<Self> {
        // Of the others, nothing trips.
        let place = if index == FAULTY { DropOfAField } else { TraceOnceMore };
        Gc::new(Self {
            index,
            before: RefCell::default(),
            trap: Trap { index, looked: Cell::new(None) },
            after: RefCell::default(),
            log: log.clone(),
            _field: Tripwire(place),
        })
    }
}

fn watch(log: &Log, part: &Gc<Part>) {
    let (index, log) = (part.index, log.clone());
    finalize(part, move |()| log.add(format!("callback {index}")), ());
}

/// Ties a callback that trips there, if it is a place in a callback.
fn watch_with_a_fault(part: &Gc<Part>, place: Place) {
    match place {
        Callback => _ = finalize(part, |()| trip(Callback), ()),
        DropOfTheFunction => {
            let tripwire = Tripwire(place);
            finalize(part, move |()| _ = &tripwire, ());
        }
        DropOfTheArgument => _ = finalize(part, drop, Tripwire(place)),
        DropOfTheResult => _ = finalize(part, |()| Tripwire(DropOfTheResult), ()),
        DebugOfTheError => _ = finalize(part, |()| Err::<(), _>(Unspeakable), ()),
        _ => {}
    }
}

/// A ring of four parts, of which the first holds `living` too. Each has a finalizer that is older,
/// and one that is newer, than the one that trips.
fn ring(log: &Log, living: &Gc<Part>, place: Place) -> Vec<Gc<Part>> {
    let parts: Vec<_> = (0..4).map(|index| Part::new(log, index)).collect();
    for (part, next) in parts.iter().zip(parts.iter().cycle().skip(1)) {
        part.before.borrow_mut().push(next.clone());
        part.after.borrow_mut().push(next.clone());
        watch(log, part);
    }
    parts[0].after.borrow_mut().push(living.clone());
    watch_with_a_fault(&parts[FAULTY], place);
    parts.iter().for_each(|part| watch(log, part));
    parts
}

/// The lines of each part, so often; whatever the order.
fn assert_each_once(mut lines: Vec<String>, what: &str) {
    let mut expected = vec![format!("drop {LIVING}")];
    for index in 0..4 {
        expected.push(format!("drop {index}"));
        expected.extend([format!("callback {index}"), format!("callback {index}")]);
    }
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected, "{what}");
}

/// The reports of parts. There is one hook per process, so tests that need it take turns.
struct PartReports {
    log: Log,
    _turn: Reports,
}

impl PartReports {
    fn record() -> Self {
        let turn = Reports::record();
        let log = Log::default();
        let to = log.clone();
        report::set_hook(move |report| {
            if report.object.contains("it::injection::") || report.object == "an object" {
                to.add(format!("({}): {}", report.cause, report.problem));
            }
        });
        Self { log, _turn: turn }
    }

    fn assert_one(&self, payload: Payload, what: &str) {
        let problem = match payload {
            Payload::Text => "(object died): panicked: tripped",
            Payload::Nasty => "(object died): panicked: (a panic without a message)",
        };
        assert_eq!(self.log.take(), [problem], "{what}");
    }
}
