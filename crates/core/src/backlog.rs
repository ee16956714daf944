//! What waits for a cleaner's thread, and how far that has come. Guarded by the cleaner's lock.

use std::collections::VecDeque;
use std::mem;
use std::ptr::NonNull;

use crate::node::Node;
use crate::sync::thread_number;

/// What is to be done, and how far it has come.
pub(crate) struct Backlog {
    /// In order of death. Each with a hold.
    pub(crate) waiting: VecDeque<NonNull<Node>>,
    /// What waited in a parent when it forked this process. Each with a hold, which is to be given up.
    pub(crate) inherited: VecDeque<NonNull<Node>>,
    /// How many were ever put there.
    pub(crate) handed: u64,
    /// Which of them, by that count, the thread is running; the outermost, if one runs inside another.
    pub(crate) running: Option<u64>,
    /// The thread.
    pub(crate) worker: Worker,
    /// It has nothing to do, and waits.
    pub(crate) idle: bool,
    /// How many wait for room.
    pub(crate) blocked: u32,
    /// How many wait for what was handed over before.
    pub(crate) barriers: u32,
    pub(crate) closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worker {
    None,
    /// Started, but not there yet.
    Starting,
    Thread(u32),
}

// SAFETY: what is in it may be released, and run, on any thread; so it is with all nodes.
unsafe impl Send for Backlog {}

impl Backlog {
    pub(crate) const fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            inherited: VecDeque::new(),
            handed: 0,
            running: None,
            worker: Worker::None,
            idle: false,
            blocked: 0,
            barriers: 0,
            closed: false,
        }
    }

    /// How many were taken from it.
    pub(crate) fn taken(&self) -> u64 {
        self.handed - self.waiting.len() as u64
    }

    /// Up to which everything has run.
    pub(crate) fn done(&self) -> u64 {
        self.running.map_or(self.taken(), |running| running - 1)
    }

    pub(crate) fn is_worker(&self) -> bool {
        self.worker == Worker::Thread(thread_number())
    }

    /// In a new child: of the threads, only this one is there, and is nobody's worker.
    pub(crate) fn forked(&mut self) {
        if self.inherited.is_empty() {
            mem::swap(&mut self.inherited, &mut self.waiting);
        }
        debug_assert!(
            self.waiting.is_empty(),
            "what is inherited goes before anything is handed over"
        );
        self.worker = Worker::None;
        (self.handed, self.running) = (0, None);
        (self.idle, self.blocked, self.barriers) = (false, 0, 0);
    }
}
