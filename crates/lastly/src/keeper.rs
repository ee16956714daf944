//! What a finalizer carries besides function and arguments, if it was made by a
//! [`Cleaner`](crate::Cleaner) or a [`Pressure`](crate::Pressure): who keeps it.
//!
//! It lives as long as the memory of the finalizer, which others may be looking at until then.

use lastly_core::Cleaner;

use crate::entry::RustDoor;
use crate::pressure::Weight;

pub(crate) enum Keeper {
    /// The callback runs on its thread when the object dies.
    Cleaner(Cleaner<RustDoor>),
    /// It weighs on a pressure, as long as the callback is there.
    Weight(Weight),
}

impl Keeper {
    #[inline]
    pub(crate) fn cleaner(&self) -> Option<&Cleaner<RustDoor>> {
        match self {
            Keeper::Cleaner(cleaner) => Some(cleaner),
            Keeper::Weight(_) => None,
        }
    }

    /// The callback is taken out, to be run or given back. Called once, by the claimer, before that.
    pub(crate) fn taken(&self) {
        if let Keeper::Weight(weight) = self {
            weight.lift();
        }
    }
}

/// What there is besides function and arguments: a [`Keeper`], or `()`, which is nothing.
pub(crate) trait Extra: Send + Sync + 'static {
    const KEEPS: bool;
}

impl Extra for () {
    const KEEPS: bool = false;
}

impl Extra for Keeper {
    const KEEPS: bool = true;
}
