//! The suspects: objects whose count fell, but not to zero. Whatever died in a cycle can be reached
//! from one of them, so a collection has no need to look elsewhere.

use std::cell::UnsafeCell;
use std::ptr::NonNull;

use super::header::{Header, Mark};

/// The suspects of one thread. Each knows its place in the list, to leave it at once.
pub(crate) struct Suspects(UnsafeCell<Vec<NonNull<Header>>>);

impl Suspects {
    pub(super) const fn new() -> Self {
        Self(UnsafeCell::new(Vec::new()))
    }

    /// Runs no foreign code in `change`.
    #[inline]
    fn with<R>(&self, change: impl FnOnce(&mut Vec<NonNull<Header>>) -> R) -> R {
        // SAFETY: `Suspects` is not `Sync`, and nothing that runs in here calls this again.
        change(unsafe { &mut *self.0.get() })
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.with(|list| list.len())
    }

    /// Makes a suspect of one that is none, and says how many there are.
    ///
    /// # Safety
    ///
    /// The object is alive, and leaves the list before its memory goes: by [`remove`](Self::remove)
    /// if it is marked as a suspect, and if a search has marked it otherwise, at its end.
    #[inline]
    pub(super) unsafe fn add(&self, object: NonNull<Header>) -> usize {
        // SAFETY: this function's contract.
        let header = unsafe { object.as_ref() };
        debug_assert_ne!(header.mark.get(), Mark::SUSPECT, "in the list once");
        header.mark.set(Mark::SUSPECT);
        self.with(|list| {
            // That many would fill 128 gigabytes.
            header.number.set(u32::try_from(list.len()).expect("fewer than four billion suspects"));
            list.push(object);
            list.len()
        })
    }

    #[inline(never)]
    pub(super) fn remove(&self, header: &Header) {
        debug_assert_eq!(header.mark.get(), Mark::SUSPECT, "in the list");
        header.mark.set(Mark::NEW);
        let place = header.number.get() as usize;
        self.with(|list| {
            list.swap_remove(place);
            if let Some(moved) = list.get(place) {
                // SAFETY: suspects are alive (the contract of `add`).
                unsafe { moved.as_ref() }.number.set(place as u32);
            }
        });
    }

    /// The suspect at a place below [`len`](Self::len).
    #[inline]
    pub(super) fn get(&self, place: usize) -> NonNull<Header> {
        self.with(|list| list[place])
    }

    /// Suspects nobody any more. Whoever calls this has changed the marks of all.
    pub(super) fn clear(&self) {
        self.with(Vec::clear);
    }

    /// Makes suspects again of those that a search has visited, but for those that it passes over.
    /// Meanwhile some may have been added again, and some may have died, but not gone.
    #[cold]
    pub(super) fn restore(&self) {
        // SAFETY: the memory of those that died is still there (the contract of `add`).
        let header = |object: &NonNull<Header>| unsafe { object.as_ref() };
        self.with(|list| {
            list.retain(|object| header(object).mark.get() != Mark::PASSED_OVER);
            list.iter().for_each(|object| header(object).mark.set(Mark::NEW));
            let mut place = 0;
            list.retain(|object| {
                let header = header(object);
                if header.strong.get() == 0 || header.mark.get() == Mark::SUSPECT {
                    return false;
                }
                header.mark.set(Mark::SUSPECT);
                header.number.set(place);
                place += 1;
                true
            });
        });
    }

    /// Gives up memory that is not in use.
    pub(super) fn shrink(&self) {
        self.with(Vec::shrink_to_fit);
    }
}
