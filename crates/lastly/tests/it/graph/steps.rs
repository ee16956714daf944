//! What a random program consists of, and how bytes become one.

/// One step. The numbers choose among what exists, modulo.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) a: u8,
    pub(crate) b: u8,
    pub(crate) kind: Kind,
    /// What an object that is made does when it drops, a callback when it runs.
    pub(crate) acts: [Act; 2],
}

/// A step inside of a `Drop` or a callback.
#[derive(Clone, Copy)]
pub(crate) struct Act {
    pub(crate) op: Op,
    pub(crate) a: u8,
}

/// What kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Node,
    /// Its `Trace` is written by hand, and may panic.
    Rough,
    /// A node, but only its trait is known.
    Dyn,
    /// Cannot own a `Gc`.
    Leaf,
}

/// What is done. "Handles" are the `Gc`s that the program holds itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Nothing,
    /// Makes an object.
    New,
    /// Makes one that holds what two handles point to.
    NewHolding,
    /// Makes one that knows itself weakly.
    NewCyclic,
    /// The same, but panics (odd `a`) or collects while doing so.
    NewCyclicBusy,
    /// Makes a ring with finalizers, and lets go of it.
    Ring,
    /// Makes a list that is longer than deaths nest.
    Chain,
    Clone,
    DropHandle,
    DropAll,
    /// Object `a` gets a pointer to `b`.
    Link,
    /// The same, in a field that is not traced.
    LinkHidden,
    /// The same, and the handle to `b` moves there.
    Give,
    /// Object `a` loses one.
    Unlink,
    /// The same, within a mutable borrow.
    UnlinkBorrowed,
    UnlinkAll,
    /// One of object `a`'s moves to `b`.
    Move,
    /// A handle to what object `a` points to.
    Follow,
    Upgrade,
    DropWeak,
    Downgrade,
    Finalize,
    Call,
    Detach,
    DropFinalizer,
    Collect,
    /// A collection while object `a` is mutably borrowed.
    CollectBorrowed,
    Threshold,
    Pause,
    GoOn,
    GetMut,
    TryUnwrap,
    /// Drops what was unwrapped.
    DropUnwrapped,
    /// The `Trace` of object `a` panics from now on, or no longer.
    Spoil,
    /// It panics once, after `b` times.
    SpoilOnce,
    /// In a `Drop`: a handle to what the object points to.
    CloneSibling,
    /// The same, and it no longer does.
    TakeSibling,
    /// In a `Drop` or a callback, when all else is done.
    Panic,
}

/// By weight.
const OPS: &[Op] = {
    use Op::*;
    &[
        Nothing,
        New,
        New,
        New,
        New,
        NewHolding,
        NewHolding,
        NewCyclic,
        NewCyclicBusy,
        Ring,
        Ring,
        Chain,
        Clone,
        Clone,
        DropHandle,
        DropHandle,
        DropHandle,
        DropHandle,
        DropAll,
        Link,
        Link,
        Link,
        Link,
        Link,
        LinkHidden,
        Give,
        Give,
        Unlink,
        Unlink,
        UnlinkBorrowed,
        UnlinkAll,
        Move,
        Follow,
        Follow,
        Upgrade,
        Upgrade,
        DropWeak,
        Downgrade,
        Finalize,
        Finalize,
        Finalize,
        Finalize,
        Finalize,
        Call,
        Detach,
        DropFinalizer,
        Collect,
        Collect,
        Collect,
        CollectBorrowed,
        Threshold,
        Threshold,
        Pause,
        GoOn,
        GetMut,
        TryUnwrap,
        DropUnwrapped,
        Spoil,
        SpoilOnce,
    ]
};

/// In a `Drop` or a callback. Half of them do nothing.
const ACTS: &[Op] = {
    use Op::*;
    &[
        Nothing,
        New,
        Ring,
        Ring,
        Clone,
        DropHandle,
        DropHandle,
        Link,
        Give,
        Unlink,
        Move,
        Follow,
        Upgrade,
        DropWeak,
        Finalize,
        Finalize,
        Call,
        Call,
        Detach,
        Collect,
        Collect,
        Threshold,
        GetMut,
        TryUnwrap,
        DropUnwrapped,
        CloneSibling,
        CloneSibling,
        TakeSibling,
        TakeSibling,
        Panic,
        Panic,
        Spoil,
    ]
};

/// As many bytes as make a step.
pub(crate) const STEP: usize = 8;

impl Step {
    pub(crate) fn of(bytes: [u8; STEP]) -> Self {
        let [op, a, b, kind, first, of_first, second, of_second] = bytes;
        let kind = match kind % 8 {
            0..4 => Kind::Node,
            4 => Kind::Rough,
            5 => Kind::Dyn,
            6 => Kind::Leaf,
            _ => Kind::Rough,
        };
        let acts = [Act::of(first, of_first), Act::of(second, of_second)];
        Self { op: OPS[usize::from(op) % OPS.len()], a, b, kind, acts }
    }

    /// The whole program. Bytes that do not make a step are left out.
    pub(crate) fn all_of(bytes: &[u8]) -> Vec<Self> {
        bytes.chunks_exact(STEP).map(|chunk| Self::of(chunk.try_into().expect("exact"))).collect()
    }
}

impl Act {
    pub(crate) const NOTHING: Self = Self { op: Op::Nothing, a: 0 };

    fn of(op: u8, a: u8) -> Self {
        let op = if op % 2 == 0 { Op::Nothing } else { ACTS[usize::from(op / 2) % ACTS.len()] };
        Self { op, a }
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}({}, {}, {:?}", self.op, self.a, self.b, self.kind)?;
        for act in self.acts.iter().filter(|act| act.op != Op::Nothing) {
            write!(f, ", {:?}({})", act.op, act.a)?;
        }
        write!(f, ")")
    }
}
