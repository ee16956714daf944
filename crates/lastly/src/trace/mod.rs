//! [`Trace`]: how the collector finds what a value owns.

mod impls;
#[cfg(doctest)]
mod refused;

use std::fmt::{self, Debug};

use crate::gc::Finds;

/// A value whose [`Gc`](crate::Gc)s the collector can find. Derive it:
///
/// ```
/// use lastly::{Gc, Trace};
/// use std::cell::RefCell;
///
/// #[derive(Trace)]
/// struct Person {
///     name: String,
///     friends: RefCell<Vec<Gc<Person>>>,
/// }
///
/// let anna = Gc::new(Person { name: "Anna".into(), friends: RefCell::default() });
/// anna.friends.borrow_mut().push(anna.clone());
/// drop(anna);
/// assert_eq!(lastly::collect().objects, 1);
/// ```
///
/// A derived implementation is always sound, whatever the code around it does. A field that cannot
/// own a `Gc`, and which type does not implement this trait, is passed over with `#[trace(skip)]`.
/// Whatever is not found is taken to be held from outside: to skip a field that *does* own a `Gc`
/// costs a leak if that is part of a cycle, and nothing worse.
///
/// It is implemented for the standard library's values, containers, cells and boxes. **Not looked
/// into** are `Rc`, `Arc`, references and raw pointers (what they point to may be somebody else's
/// too), channels and lazy cells (they do not show what they hold), a `RefCell` that is mutably
/// borrowed at that moment, and a lock that is taken.
///
/// # Safety
///
/// [`trace`](Self::trace) must find **no `Gc` that the value does not own, and none twice**: the
/// collector takes each for one of the counted references to its object, and frees an object
/// when it has found as many as were counted. It need not find all.
///
/// *To own* is meant as in: dropping the value drops the `Gc`. Nothing that a `&self` method with a
/// borrow still alive may be changing can be looked into (as `RefCell` does, ask first).
///
/// Within one collection, it must find the same each time. It must not create, clone, or drop a
/// `Gc`, nor change anything that might be looked into just then: a [`Cell`](std::cell::Cell) is looked into where it
/// lies.
///
/// It should not panic. If it does, that is contained and [reported](crate::report), and for this time the object
/// is taken to own nothing. But the program's panic hook runs in the middle of the search: who lets
/// `trace` panic, or catches a panic in it, answers for a hook that does to a `Gc`, or to anything that is looked
/// into, what `trace` itself must not. (A derived `trace` does not panic.)
///
/// [`is_leaf`](Self::is_leaf) must always say the same. Where it says `true` of what does own a
/// `Gc`, cycles leak, and nothing worse.
#[diagnostic::on_unimplemented(
    message = "the collector cannot look into `{Self}`",
    label = "`{Self}` does not implement `Trace`",
    note = "derive it: `#[derive(lastly::Trace)]`; or, on a field that owns no `Gc`, write `#[trace(skip)]`"
)]
pub unsafe trait Trace {
    /// Calls `trace` on everything that the value owns and that may own a `Gc`.
    fn trace(&self, tracer: &mut Tracer);

    /// Whether no value of this type can ever own a `Gc`. Such *leaves* cost the collector nothing:
    /// they are never suspects, and never looked into. `false` is always right.
    #[must_use]
    fn is_leaf() -> bool
    where
        Self: Sized,
    {
        false
    }
}

/// What [`Trace`] tells the collector: the objects that a value holds. To be passed on.
pub struct Tracer {
    pub(crate) finds: Finds,
}

impl Tracer {
    /// For a search only: what a `Trace` finds changes marks.
    pub(crate) fn new() -> Self {
        Self { finds: Finds::default() }
    }
}

impl Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
}
