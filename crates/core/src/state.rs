//! The state word of a finalizer: what makes "exactly once" true.
//!
//! ```text
//!              claim                    finish
//!    LIVE ───────────────▶ CLAIMED ───────────────▶ DEAD
//!    │  ▲                     ▲
//!    │  │ end_peek, no cause  │ end_peek, a cause came: the peeker has claimed
//!    ▼  │                     │
//!   PEEKED ───────────────────┘
//! ```
//!
//! Whoever swaps LIVE for CLAIMED has won: it alone may take the callback out, to run it or to
//! hand it back. There is no second way to the callback, whatever threads, re-entrant calls and
//! the exit drain do.
//!
//! A look at the callback (PEEKED) is exclusive as well: a plain borrow would be a use-after-free
//! against a claim on another thread. A claim that meets a peek does not wait (the two might be
//! one thread): it leaves what it wanted in the word, as *due*, and the peeker does it.
//!
//! The drain ends by marking what it left alive as SHUT. A claim to run finds the mark, takes LIVE
//! for DEAD, and runs nothing. As it is part of the same word, no claim can slip past it, and none
//! pays for it. What was to run and did not is reported by whoever first marks it as TOLD: the drain,
//! or the claim that came too late.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use crate::report::Cause;
use crate::sync::{AtomicU8, constructor};

const LIVE: u8 = 0;
const PEEKED: u8 = 1;
const CLAIMED: u8 = 2;
const DEAD: u8 = 3;
const BASE: u8 = 0b11;
const DUE_SHIFT: u32 = 2;
const DUE: u8 = 0b11100;
const TOLD: u8 = 0b0100_0000;
const SHUT: u8 = 0b1000_0000;
const MARKS: u8 = TOLD | SHUT;

/// What a claim wants with the callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Run it.
    Run(Cause),
    /// Take it out without running it.
    Take,
}

impl Due {
    /// Of this, or of nothing: 0.
    #[inline]
    pub(crate) fn code(due: Option<Self>) -> u8 {
        match due {
            None => 0,
            Some(Due::Take) => 1,
            Some(Due::Run(Cause::Called)) => 2,
            Some(Due::Run(Cause::ObjectDied)) => 3,
            Some(Due::Run(Cause::Exit)) => 4,
            Some(Due::Run(Cause::Signal)) => 5,
        }
    }

    fn bits(self) -> u8 {
        Self::code(Some(self)) << DUE_SHIFT
    }

    fn in_word(word: u8) -> Option<Self> {
        match (word & DUE) >> DUE_SHIFT {
            0 => None,
            1 => Some(Due::Take),
            2 => Some(Due::Run(Cause::Called)),
            3 => Some(Due::Run(Cause::ObjectDied)),
            4 => Some(Due::Run(Cause::Exit)),
            _ => Some(Due::Run(Cause::Signal)),
        }
    }
}

/// What came of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The caller has won: it may take the callback out.
    Won,
    /// The caller has won, but the door is shut: it finishes, and leaves the callback untouched.
    Shut,
    /// Somebody else has won, or will do what was asked for when his peek ends.
    Lost,
}

/// What is to be done at the end of a peek.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peeked {
    /// Nothing: the finalizer is alive.
    Alive,
    /// The peeker has claimed, and does this.
    Claimed(Due),
    /// The peeker has claimed, but the door is shut: it finishes, and leaves the callback untouched.
    Shut,
}

pub(crate) struct State(AtomicU8);

impl State {
    constructor! {
        pub(crate) fn new() -> Self {
            Self(AtomicU8::new(LIVE))
        }
    }

    constructor! {
        /// Dead from the beginning.
        pub(crate) fn dead() -> Self {
            Self(AtomicU8::new(DEAD))
        }
    }

    /// Claims the callback for the caller, who says what he wants with it.
    #[inline]
    pub(crate) fn claim(&self, due: Due) -> Claimed {
        // Acquire pairs with the Release in `end_peek`: the peeker's look is over. And SeqCst, here
        // and wherever a claim is won, with the mark that a fork leaves: see `heir`.
        match self.0.compare_exchange(LIVE, CLAIMED, SeqCst, Relaxed) {
            Ok(_) => Claimed::Won,
            Err(found) => self.claim_from(found, due),
        }
    }

    #[cold]
    fn claim_from(&self, mut found: u8, due: Due) -> Claimed {
        loop {
            let shut = found & SHUT != 0;
            let (next, claimed) = match (found & BASE, due) {
                (LIVE, Due::Run(_)) if shut => (found & TOLD | DEAD, Claimed::Shut),
                // The marks stay, for a claim that is given back.
                (LIVE, _) => (found & MARKS | CLAIMED, Claimed::Won),
                (PEEKED, _) if found & DUE == 0 => (found | due.bits(), Claimed::Lost),
                _ => return Claimed::Lost,
            };
            // Release pairs with the Acquire in `end_peek`: what led to this claim, such as the
            // drop of the object's value, comes before the callback that the peeker runs.
            match self.0.compare_exchange(found, next, SeqCst, Relaxed) {
                Ok(_) => return claimed,
                Err(now) => found = now,
            }
        }
    }

    /// True for the one caller that may now look at the callback, until it calls [`end_peek`].
    ///
    /// [`end_peek`]: Self::end_peek
    #[inline]
    pub(crate) fn peek(&self) -> bool {
        let mut found = LIVE;
        loop {
            // Acquire pairs with the Release in `end_peek`: the look before this one is over.
            match self.0.compare_exchange(found, found | PEEKED, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) if now & !MARKS == LIVE => found = now,
                Err(_) => return false,
            }
        }
    }

    /// Ends a peek.
    #[inline]
    pub(crate) fn end_peek(&self) -> Peeked {
        let mut found = PEEKED;
        loop {
            let (next, peeked) = match Due::in_word(found) {
                None => (found & !PEEKED, Peeked::Alive),
                Some(_) if found & SHUT != 0 => (found & TOLD | DEAD, Peeked::Shut),
                Some(due) => (CLAIMED, Peeked::Claimed(due)),
            };
            // Release and Acquire pair with `claim`, `claim_from` and the next `peek`.
            match self.0.compare_exchange(found, next, SeqCst, Relaxed) {
                Ok(_) => return peeked,
                Err(now) => found = now,
            }
            debug_assert_eq!(found & BASE, PEEKED, "only the peeker ends its peek");
        }
    }

    /// After the callback was run or taken out, or was to be left where it is. By what it ended, stays
    /// in the word.
    #[inline]
    pub(crate) fn finish(&self, by: Option<Due>) {
        debug_assert!(self.0.load(Relaxed) & CLAIMED != 0, "finished without a claim");
        // Relaxed: nobody takes DEAD for leave to touch anything; the lists say who may free.
        self.0.store(DEAD | Due::code(by) << DUE_SHIFT, Relaxed);
    }

    /// By what a dead one ended. `None`: it found the door shut.
    pub(crate) fn ended_by(&self) -> Option<Due> {
        debug_assert!(self.is_dead(), "asked of one that has ended");
        // Relaxed: as above.
        Due::in_word(self.0.load(Relaxed))
    }

    /// Instead of `finish`: the callback was left where it is, and may be claimed again.
    pub(crate) fn give_back(&self) {
        // Release pairs with the Acquire in `claim`: what this claim looked at, it left.
        let found = self.0.fetch_and(!CLAIMED, Release);
        debug_assert_eq!(found & BASE, CLAIMED, "given back without a claim");
    }

    /// From now on a claim to run finds the door shut. A run that is due when a look ends is left
    /// due: it was claimed before.
    pub(crate) fn shut(&self) {
        let shut = |word| (run(word) != Some(Run::Due)).then_some(word | SHUT);
        // Relaxed: only the order of the changes to this one word matters.
        _ = self.0.fetch_update(Relaxed, Relaxed, shut);
    }

    /// From now on nothing runs, not even what is due.
    pub(crate) fn shut_for_good(&self) {
        // Relaxed: as above.
        self.0.fetch_or(SHUT, Relaxed);
    }

    /// True for the one caller who is to report that it did not run.
    pub(crate) fn tell(&self) -> bool {
        // Relaxed: only the order of the changes to this one word matters.
        self.0.fetch_or(TOLD, Relaxed) & TOLD == 0
    }

    /// Live, and no cause has come yet.
    #[inline]
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.0.load(Relaxed) & !MARKS, LIVE | PEEKED)
    }

    /// Nobody has a claim or a peek, and nobody will.
    #[inline]
    pub(crate) fn is_dead(&self) -> bool {
        self.0.load(Relaxed) & BASE == DEAD
    }

    /// How far a run of the callback has come, if one was claimed.
    pub(crate) fn run(&self) -> Option<Run> {
        // Relaxed: what the other thread did with the callback is no concern of who asks.
        run(self.0.load(Relaxed))
    }
}

fn run(word: u8) -> Option<Run> {
    match (word & BASE, Due::in_word(word)) {
        (CLAIMED, _) => Some(Run::Begun),
        (PEEKED, Some(Due::Run(_))) => Some(Run::Due),
        _ => None,
    }
}

/// How far a run of the callback has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Somebody runs it, or has taken it out.
    Begun,
    /// Somebody looks at it, and is to run it after that.
    Due,
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const DEATH: Due = Due::Run(Cause::ObjectDied);

    #[test]
    fn one_claim_wins() {
        let state = State::new();
        assert!(state.is_alive());
        assert_eq!(state.claim(DEATH), Claimed::Won);
        assert!(!state.is_alive());
        assert_eq!(state.claim(DEATH), Claimed::Lost);
        assert_eq!(state.claim(Due::Take), Claimed::Lost);
        assert!(!state.peek());
        state.finish(Some(DEATH));
        assert_eq!(state.claim(DEATH), Claimed::Lost);
        assert_eq!((state.run(), state.ended_by()), (None, Some(DEATH)));
        assert!(state.is_dead() && !state.is_alive() && !state.peek());
    }

    #[test]
    fn a_claim_can_be_given_back() {
        let state = State::new();
        assert_eq!(state.claim(DEATH), Claimed::Won);
        state.give_back();
        assert!(state.is_alive());
        assert_eq!(state.claim(DEATH), Claimed::Won);
        state.shut();
        state.give_back();
        assert_eq!(state.claim(Due::Take), Claimed::Won);
        state.give_back();
        assert_eq!(state.claim(DEATH), Claimed::Shut, "the door has been shut meanwhile");
    }

    #[test]
    fn the_first_cause_during_a_peek_is_due_at_its_end() {
        for first in [Due::Take, Due::Run(Cause::Called), DEATH, Due::Run(Cause::Exit)] {
            let state = State::new();
            assert!(state.peek() && state.is_alive());
            assert_eq!(state.claim(first), Claimed::Lost);
            assert!(!state.is_alive());
            assert_eq!(state.claim(DEATH), Claimed::Lost, "a second cause comes too late");
            assert_eq!(state.run(), (first != Due::Take).then_some(Run::Due));
            assert_eq!(state.end_peek(), Peeked::Claimed(first));
            assert_eq!(state.claim(DEATH), Claimed::Lost, "the peeker has claimed");
            assert_eq!(state.run(), Some(Run::Begun));
            state.finish(Some(first));
            assert_eq!(state.ended_by(), Some(first));
        }
    }

    #[test]
    fn a_peek_is_exclusive_and_leaves_no_trace() {
        let state = State::new();
        assert!(state.peek() && !state.peek());
        assert_eq!(state.run(), None, "a look is no run");
        assert_eq!(state.end_peek(), Peeked::Alive);
        assert!(state.is_alive());
        assert_eq!(state.claim(DEATH), Claimed::Won);
    }

    #[test]
    fn a_shut_door_runs_nothing_but_gives_back() {
        let run = State::new();
        run.shut();
        assert!(run.is_alive());
        assert_eq!(run.claim(DEATH), Claimed::Shut);
        assert!(!run.is_alive());
        assert_eq!(run.run(), None, "what finds the door shut does not run");

        let take = State::new();
        take.shut();
        assert_eq!(take.claim(Due::Take), Claimed::Won);

        let peeked = State::new();
        assert!(peeked.peek());
        peeked.shut();
        assert_eq!(peeked.claim(DEATH), Claimed::Lost);
        assert_eq!(peeked.end_peek(), Peeked::Shut);
        assert!(!peeked.is_alive());

        let due = State::new();
        assert!(due.peek());
        assert_eq!(due.claim(DEATH), Claimed::Lost);
        due.shut();
        assert_eq!(due.end_peek(), Peeked::Claimed(DEATH), "what was due before is owed");

        let lost = State::new();
        assert!(lost.peek());
        assert_eq!(lost.claim(DEATH), Claimed::Lost);
        lost.shut_for_good();
        assert_eq!(lost.end_peek(), Peeked::Shut);
    }
}
