//! Resources: a directory each, an object, and the finalizer that removes the one with the other.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lastly::{Cleaner, Deferred, Finalizer, Gc, Trace, Watched, collect, defer, finalize};

use super::ending;
use super::process::{Handle, current, fork, round};
use super::waiting::{self, Paused, barrier, is_cleaners, thread_name};
use crate::ledger::note;
use crate::random::Random;
use crate::system::Identity;

/// What a callback does beside removing its directory.
#[derive(Clone, Copy, PartialEq)]
enum Also {
    Nothing,
    Rest,
    Fail,
    Panic,
    Create,
    /// Has another object die.
    Kill,
    KillInPause,
    Barrier,
    CallAnother,
    Fork,
    Exit,
    /// Never returns.
    Hang,
}

/// The arguments of a callback.
pub(crate) struct Task {
    name: String,
    /// By path, and as the system knows it.
    owner: (&'static str, Identity),
    also: Also,
}

type Clean = fn(Task) -> Result<(), &'static str>;

thread_local! {
    /// Why callbacks that run on this thread do, if not in a drain, or on a cleaner's thread as it is
    /// their turn.
    static CAUSE: Cell<Option<&'static str>> = const { Cell::new(None) };
    /// How many callbacks are running on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Does this, as the cause of what runs meanwhile.
pub(crate) fn as_cause<R>(cause: &'static str, act: impl FnOnce() -> R) -> R {
    struct Restore(Option<&'static str>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CAUSE.set(self.0);
        }
    }
    let _restore = Restore(CAUSE.replace(Some(cause)));
    act()
}

/// Where the resources are.
pub(crate) fn place_of(name: &str) -> PathBuf {
    crate::places(&round().folder).join(name)
}

/// The callback.
fn clean(task: Task) -> Result<(), &'static str> {
    let here = current();
    let Task { name, owner: (path, identity), also } = task;
    let owner = match path == here.path {
        true => "own",
        false if here.is_dead(identity) => "dead",
        false => "alive",
    };
    let place = place_of(&name);
    let is_there = if place.is_dir() { "there" } else { "gone" };
    let cause = CAUSE.get().unwrap_or(if is_cleaners() { "turn" } else { "drain" });
    let thread = thread_name();
    note!("running {name} {} {cause} {owner} {is_there} {thread}", here.path);
    DEPTH.set(DEPTH.get() + 1);
    as_cause(cause, || {
        do_also(also, &name);
        // What a copy of its object has removed is gone: the ledger says so.
        _ = fs::remove_dir(place);
        note!("done {name} {}", here.path);
        DEPTH.set(DEPTH.get() - 1);
        match also {
            Also::Fail => Err("no luck"),
            Also::Panic => panic!("no luck"),
            Also::Exit if may_exit() => {
                CAUSE.set(Some("drain"));
                ending::exit(6)
            }
            _ => Ok(()),
        }
    })
}

/// Whether a callback that is through may end the process. Not if that cuts another callback short, or
/// another thread's drain would wait for this one; and there is no `exit` inside an `exit`.
fn may_exit() -> bool {
    let here = current();
    DEPTH.get() == 0 && here.takes_no_signals() && here.may_exit && here.begin_to_end()
}

fn do_also(also: Also, name: &str) {
    let here = current();
    let random = || Random::new(round().seed, &format!("{} {name}", here.path));
    match also {
        Also::Rest => thread::sleep(Duration::from_micros(500)),
        Also::Create => {
            Object::create(&mut random()).leak();
        }
        Also::Kill => kill_one(&mut random()),
        Also::KillInPause => {
            let _pause = Paused::begin();
            kill_one(&mut random());
        }
        Also::Barrier => barrier(&mut random(), Some(A_WHILE)),
        Also::CallAnother => {
            if let Some((name, handle)) = a_handle() {
                act_on(&name, "call", || handle.call().is_some());
            }
        }
        Also::Fork => fork_and_end(&mut random()),
        Also::Hang => loop {
            // Another signal ends that, or the budget.
            if here.has_taken_signals() {
                here.send_itself(libc::SIGTERM);
            }
            thread::sleep(Duration::from_millis(20));
        },
        _ => {}
    }
}

/// The child of a callback must not get out of it.
fn fork_and_end(random: &mut Random) {
    if fork() != Some(0) {
        return;
    }
    if random.percent(50) {
        kill_one(random);
        barrier(random, Some(A_WHILE));
    }
    ending::at_once(0);
}

/// What a callback waits for.
const A_WHILE: Duration = Duration::from_millis(20);

/// Has an object die whose callback does nothing else.
pub(crate) fn kill_one(random: &mut Random) {
    let keeper = Some(()).filter(|()| random.percent(70)).and_then(|()| waiting::a_cleaner(random));
    Object::create_with(current().name_resource(), Also::Nothing, 0, keeper).die();
}

/// A finalizer, made by this cleaner if there is one.
fn tie<O: lastly::Object + ?Sized>(keeper: Option<Cleaner>, object: &O, task: Task) -> Finalizer {
    match keeper {
        Some(cleaner) => cleaner.finalize(object, clean, task).erase(),
        None => finalize(object, clean, task).erase(),
    }
}

/// One of those that are for every thread, if it can be had at once.
pub(crate) fn a_handle() -> Option<Handle> {
    current().handles.try_lock().ok()?.pop()
}

/// Does something to a finalizer. `act` says whether it was for it to do.
pub(crate) fn act_on(name: &str, act: &'static str, work: impl FnOnce() -> bool) {
    // The process may be another afterwards: a callback must not fork and return.
    let path = &current().path;
    note!("begin {name} {path} {act} {}", thread_name());
    // A panic of a callback is the caller's.
    let work = std::panic::AssertUnwindSafe(|| as_cause(act, work));
    let result = std::panic::catch_unwind(work).unwrap_or(true);
    note!("end {name} {path} {act} {}", if result { "won" } else { "lost" });
}

/// A kind of object: what is watched is a guard.
const GUARD: usize = 4;

/// What is watched.
enum Watch {
    Boxed(Box<Watched<u8>>),
    Shared(Arc<Watched<u8>>),
    Counted(Gc<u8>),
    /// Garbage, when it is dropped.
    Circle(Gc<Circle>),
    Guard(Deferred<Task, Clean>),
}

#[derive(Trace)]
struct Circle(std::cell::RefCell<Option<Gc<Circle>>>);

/// An object, and the resource that it holds.
pub(crate) struct Object {
    pub(crate) name: String,
    watch: Watch,
    pub(crate) handle: Finalizer,
}

impl Object {
    /// A resource of this process, and an object with a finalizer that removes it.
    pub(crate) fn create(random: &mut Random) -> Self {
        let also = random.weighed(&[
            (50, Also::Nothing),
            (10, Also::Rest),
            (5, Also::Fail),
            (5, Also::Panic),
            (5, Also::Create),
            (3, Also::Kill),
            (2, Also::KillInPause),
            (2, Also::Barrier),
            (5, Also::CallAnother),
            (2, Also::Fork),
            (1, Also::Exit),
        ]);
        let kind = random.below(5);
        let is_off = random.percent(8);
        // A guard has no cleaner.
        let is_kept = kind != GUARD && random.percent(25);
        let keeper = is_kept.then(|| waiting::a_cleaner(random)).flatten();
        let name = current().name_resource();
        if is_off {
            // Before it is there: who is killed between the two had meant to.
            note!("unwanted {name}");
        }
        let object = Self::create_with(name, also, kind, keeper);
        if is_off {
            object.handle.set_at_exit(false);
            note!("off {}", object.name);
        }
        object
    }

    /// One whose callback never returns. To be left to the end of a program that can bear it.
    pub(crate) fn create_hanging() -> Self {
        Self::create_with(current().name_resource(), Also::Hang, 0, None)
    }

    fn create_with(name: String, also: Also, kind: usize, keeper: Option<Cleaner>) -> Self {
        let here = current();
        fs::create_dir(place_of(&name)).expect("a new name");
        if also == Also::Hang {
            note!("hangs {name}");
        }
        if let Some(keeper) = &keeper {
            note!("kept {name} {}", keeper.name());
        }
        if kind == GUARD {
            note!("guard {name}");
        }
        note!("created {name} {}", here.path);
        let task = Task { name: name.clone(), owner: (&here.path, here.identity), also };
        let (watch, handle) = match kind {
            0 => {
                let object = Box::new(Watched::new(0));
                let handle = tie(keeper, &*object, task);
                (Watch::Boxed(object), handle)
            }
            1 => {
                let object = Arc::new(Watched::new(0));
                let handle = tie(keeper, &object, task);
                (Watch::Shared(object), handle)
            }
            2 => {
                let object = Gc::new(0);
                let handle = tie(keeper, &object, task);
                (Watch::Counted(object), handle)
            }
            3 => {
                let object = Gc::new(Circle(None.into()));
                *object.0.borrow_mut() = Some(object.clone());
                let handle = tie(keeper, &object, task);
                (Watch::Circle(object), handle)
            }
            _ => {
                let guard = defer(clean as Clean, task);
                let handle = (*guard).clone().erase();
                (Watch::Guard(guard), handle)
            }
        };
        let when = if CAUSE.get() == Some("drain") { "drain" } else { "now" };
        note!("registered {name} {} {when}", here.path);
        Self { name, watch, handle }
    }

    /// Looks at the callback, where that can be.
    pub(crate) fn peek(&self) {
        let Watch::Guard(guard) = &self.watch else { return };
        let look = || guard.peek(|_, _, _| thread::yield_now()).is_some();
        act_on(&self.name, "peek", look);
    }

    pub(crate) fn die(self) {
        let Self { name, watch, handle: _ } = self;
        act_on(&name, "drop", || {
            match watch {
                Watch::Boxed(object) => drop(object),
                Watch::Shared(object) => drop(object),
                Watch::Counted(object) => drop(object),
                Watch::Guard(object) => drop(object),
                Watch::Circle(object) => {
                    drop(object);
                    collect();
                }
            }
            true
        });
    }

    /// Leaves it to the end of the program.
    pub(crate) fn leak(self) {
        std::mem::forget(self.watch);
    }
}

/// The objects of one thread. They die with it, unless they were leaked.
#[derive(Default)]
pub(crate) struct Objects(Vec<Object>);

impl Objects {
    pub(crate) fn push(&mut self, object: Object) {
        self.0.push(object);
    }

    /// Any of them.
    pub(crate) fn take(&mut self, random: &mut Random) -> Option<Object> {
        let count = self.0.len();
        (count > 0).then(|| self.0.swap_remove(random.below(count)))
    }

    pub(crate) fn last(&self) -> Option<&Object> {
        self.0.last()
    }

    /// Those that another thread may have.
    pub(crate) fn take_sendable(&mut self) -> Vec<(String, Box<Watched<u8>>)> {
        let mut sendable = Vec::new();
        for object in std::mem::take(&mut self.0) {
            match object.watch {
                Watch::Boxed(watched) => sendable.push((object.name, watched)),
                watch => self.0.push(Object { watch, ..object }),
            }
        }
        sendable
    }

    pub(crate) fn leak(&mut self) {
        self.0.drain(..).for_each(Object::leak);
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Object::die);
    }
}

/// Kills an object that another thread has made.
pub(crate) fn kill_sent((name, object): (String, Box<Watched<u8>>)) {
    act_on(&name, "drop", || {
        drop(object);
        true
    });
}
