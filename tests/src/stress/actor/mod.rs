//! The actors: each thread of each process does what its random numbers say, then the process ends
//! in some way. What it does it writes into the ledger.

mod ending;
mod process;
mod resource;
mod waiting;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use lastly::Watched;

use process::{Process, ROUND, Round, current, end_forks_at_exit, fork, round};
use resource::{Object, Objects, a_handle, act_on, kill_one, kill_sent};
use waiting::{Paused, barrier, close, take_cleaner};

use crate::ledger::{self, note};
use crate::random::Random;
use crate::system::{self, Thread};

/// What a process does first.
pub(crate) fn main(folder: PathBuf, seed: u64) -> ExitCode {
    ledger::open(&folder).expect("the folder of the round is there");
    let processes = system::shared_number();
    assert!(ROUND.set(Round { folder, seed, processes }).is_ok(), "set once");
    // It takes a lock, that another thread may have when a child is forked.
    std::panic::set_hook(Box::new(|_| ()));
    end_forks_at_exit();
    Process::begin_root();
    let mut actor = Actor::new("0", true);
    // The exit hook is not to be registered while another thread forks: the C library has a lock for it.
    actor.objects.push(Object::create(&mut actor.random));
    actor.set_up();
    actor.live()
}

/// One thread.
struct Actor {
    random: Random,
    steps: usize,
    objects: Objects,
    /// What it has copies of: the parent's.
    inherited: Objects,
    /// When its steps are done, the process ends.
    leads: bool,
    is_main_thread: bool,
    /// Those that this thread is in. Last: what dies with it dies in them.
    pauses: Vec<Paused>,
}

#[derive(Clone, Copy)]
enum Step {
    Create,
    Hang,
    Die,
    Call,
    Detach,
    Peek,
    Leak,
    Share,
    CallShared,
    DetachShared,
    Spawn,
    Fork,
    Daemonize,
    ForkAndExec,
    TakeSignals,
    Signal,
    Touch,
    Rest,
    Barrier,
    Close,
    Pause,
    Unpause,
}

const STEPS: [(usize, Step); 22] = [
    (30, Step::Create),
    (2, Step::Hang),
    (8, Step::Die),
    (4, Step::Call),
    (3, Step::Detach),
    (4, Step::Peek),
    (12, Step::Leak),
    (8, Step::Share),
    (5, Step::CallShared),
    (1, Step::DetachShared),
    (6, Step::Spawn),
    (8, Step::Fork),
    (2, Step::Daemonize),
    (1, Step::ForkAndExec),
    (1, Step::TakeSignals),
    (1, Step::Signal),
    (2, Step::Touch),
    (6, Step::Rest),
    (3, Step::Barrier),
    (2, Step::Close),
    (4, Step::Pause),
    (6, Step::Unpause),
];

impl Actor {
    fn new(name: &str, is_main_thread: bool) -> Self {
        let mut random = Random::new(round().seed, name);
        let steps = 2 + random.below(25);
        let (objects, inherited, pauses) = Default::default();
        Self { random, steps, objects, inherited, leads: is_main_thread, is_main_thread, pauses }
    }

    /// How the program is set up, for all its processes.
    fn set_up(&mut self) {
        if self.random.percent(50) {
            current().take_reports();
        }
        if self.random.percent(40) {
            current().take_signals();
        }
        if self.random.percent(15) {
            note!("budget {}", current().path);
            let budget = Duration::from_millis(10 + self.random.below(60) as u64);
            lastly::exit::set_budget(Some(budget));
            current().has_budget.store(true, SeqCst);
        }
    }

    /// The status, where the process ends by return.
    fn live(mut self) -> ExitCode {
        while self.steps > 0 {
            self.steps -= 1;
            let step = self.random.weighed(&STEPS);
            self.take(step);
        }
        self.inherited.leak();
        if self.random.percent(50) {
            self.objects.leak();
        }
        if !self.leads {
            current().threads.fetch_sub(1, SeqCst);
            return ExitCode::SUCCESS;
        }
        ending::end(&mut self.random, self.is_main_thread)
    }

    fn take(&mut self, step: Step) {
        let here = current();
        match step {
            Step::Create => self.objects.push(Object::create(&mut self.random)),
            Step::Hang if self.can_hang() => Object::create_hanging().leak(),
            Step::Peek => drop(self.objects.last().map(Object::peek)),
            Step::Die | Step::Call | Step::Detach | Step::Leak | Step::Share => {
                if let Some(object) = self.objects.take(&mut self.random) {
                    self.take_with(step, object);
                }
            }
            Step::CallShared => {
                let Some((name, handle)) = a_handle() else { return };
                act_on(&name, "call", || handle.call().is_some());
            }
            Step::DetachShared => {
                let Some((name, handle)) = a_handle() else { return };
                act_on(&name, "detach", || handle.detach());
            }
            Step::Spawn if here.threads.load(SeqCst) < 3 => self.spawn(),
            Step::Fork => {
                self.fork();
            }
            Step::Daemonize => self.daemonize(),
            Step::ForkAndExec => self.fork_and_exec(),
            Step::TakeSignals => here.take_signals(),
            // Sent to all threads: another may be the one that takes it.
            Step::Signal => here.send_itself(ending::a_signal(&mut self.random)),
            Step::Touch => {
                if let Some(object) = self.inherited.take(&mut self.random) {
                    object.die();
                }
            }
            Step::Rest => {
                thread::sleep(Duration::from_micros(self.random.below(2000) as u64));
            }
            Step::Barrier => {
                let timeout = Duration::from_micros(self.random.below(3000) as u64);
                let timeout = self.random.percent(40).then_some(timeout);
                barrier(&mut self.random, timeout);
            }
            Step::Close => {
                // Or it is let go of: its finalizers have it.
                let is_closed = self.random.percent(60);
                for _ in 0..self.random.below(4) {
                    kill_one(&mut self.random);
                }
                take_cleaner().iter().filter(|_| is_closed).for_each(close);
            }
            Step::Pause => self.pauses.push(Paused::begin()),
            Step::Unpause => self.end_pause(),
            _ => {}
        }
    }

    /// Ends the last.
    fn end_pause(&mut self) {
        let Some(pause) = self.pauses.pop() else { return };
        match self.random.below(20) {
            0 => pause.forget(),
            1 | 2 => pause.unwind(),
            _ => drop(pause),
        }
    }

    fn take_with(&mut self, step: Step, object: Object) {
        match step {
            Step::Die => object.die(),
            Step::Call => {
                act_on(&object.name, "call", || object.handle.call().is_some());
                self.objects.push(object);
            }
            Step::Detach => {
                act_on(&object.name, "detach", || object.handle.detach());
                object.leak();
            }
            Step::Share => {
                if let Ok(mut handles) = current().handles.try_lock() {
                    handles.push((object.name.clone(), object.handle.clone()));
                }
                self.objects.push(object);
            }
            _ => object.leak(),
        }
    }

    /// Whether something ends a callback that never returns.
    fn can_hang(&self) -> bool {
        current().has_taken_signals() || current().has_budget.load(SeqCst)
    }

    fn spawn(&mut self) {
        let here = current();
        let count = here.threads.fetch_add(1, SeqCst) + 1;
        let name = format!("{} thread {count} {}", here.path, self.random.number());
        let sent: Vec<(String, Box<Watched<u8>>)> =
            if self.random.percent(30) { self.objects.take_sendable() } else { vec![] };
        let thread = move || {
            sent.into_iter().for_each(kill_sent);
            _ = Actor::new(&name, false).live();
        };
        let thread = Thread::spawn(thread);
        if self.random.percent(20) {
            thread.join();
        }
    }

    /// The child goes on as this actor, with numbers and steps of its own.
    fn fork(&mut self) -> Option<i32> {
        let child = fork()?;
        if child == 0 {
            self.be_reborn();
        } else if self.random.percent(20) {
            ending::wait_until(|| system::has_ended(child));
        }
        Some(child)
    }

    fn fork_and_exec(&mut self) {
        if self.fork() == Some(0) {
            ending::exec();
        }
    }

    fn be_reborn(&mut self) {
        let is_main_thread = self.is_main_thread;
        let own = std::mem::take(&mut self.objects);
        self.inherited.leak();
        self.inherited = own;
        let again = Self::new(&current().path, is_main_thread);
        let before = std::mem::replace(self, Self { leads: true, ..again });
        self.inherited = before.inherited;
        // Its thread is still paused.
        self.pauses = before.pauses;
    }

    /// Twice, as daemons do; both parents end at once.
    fn daemonize(&mut self) {
        for _ in 0..2 {
            match fork() {
                Some(0) => self.be_reborn(),
                // Another thread has begun to end the process: this one is as good as over.
                Some(_) if !current().begin_to_end() => return,
                Some(_) => ending::at_once(0),
                None => return,
            }
        }
    }
}
