//! [`Pressure`]: a bound on what objects hold outside of memory.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use crate::finalizer::{Finalizer, tie};
use crate::keeper::Keeper;
use crate::object::Object;
use crate::outcome::Outcome;
use crate::{collect, exit};

/// Keeps objects that died in cycles from holding too much that the collector does not see: open files,
/// temporary files, memory of a graphics card.
///
/// The collector counts objects, and a few hundred of them are no reason for it to look. If each holds a
/// file, they are. Finalizers made by a pressure *weigh*, 1 each if you say nothing else, from
/// their registration until their callback is taken out: because the object dies, by a call, or by
/// detaching. When one more would be more than the [bound](Self::bound), first the garbage of this thread is
/// [collected](crate::collect), and its callbacks run.
///
/// ```
/// use lastly::{Gc, Pressure, Trace};
/// use std::cell::RefCell;
///
/// #[derive(Trace)]
/// struct Segment {
///     next: RefCell<Option<Gc<Segment>>>,
/// }
///
/// let files = Pressure::new(10);
/// for number in 0..1000 {
///     let segment = Gc::new(Segment { next: RefCell::default() });
///     *segment.next.borrow_mut() = Some(segment.clone()); // a cycle: no count gets to zero
///     files.finalize(&segment, |number| println!("removing {number}.ts"), number);
///     assert!(files.held() <= 10);
/// }
/// ```
///
/// # The bound
///
/// It is `limit`, or twice the least that was held since the last collection began, if that is more. So
/// objects that are really alive are not collected in vain at each registration: what a collection looks at is
/// paid for by as many registrations, and the cost of one stays constant however many objects live. When
/// they die, the bound falls again.
///
/// A pressure refuses nothing: what is alive is alive.
///
/// # Sharing
///
/// By reference, or in a `static` (a [`LazyLock`](std::sync::LazyLock)): all threads may register with
/// one. Finalizers that it made go on without it.
///
/// # Limitations
///
/// - A collection is that of the `Gc`s of the **thread that registers**. Garbage of other threads is not
///   found; they find it when they register past the bound themselves, or as they would without this.
/// - What dies by its count (in an `Rc`, an `Arc`, by value, or a `Gc` in no cycle) needs no collection, and only weighs.
/// - Callbacks of what is collected run inside that registration: foreign code, on your stack. Also where
///   [`collector::pause`](crate::collector::pause) keeps collections from beginning by themselves: this is a call.
/// - In a [pause](crate::paused) callbacks wait, and weigh. The bound then doubles with each collection.
/// - The weight goes when the callback begins, not when it has ended.
/// - What is weighed is one number: two kinds of things that run short are two pressures.
pub struct Pressure(Arc<Shared>);

struct Shared {
    limit: usize,
    held: AtomicUsize,
    /// The least that was held since the last collection began.
    least: AtomicUsize,
    collections: AtomicUsize,
}

impl Pressure {
    /// A pressure under which collections begin when more than `limit` would be held.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Shared {
            limit,
            held: AtomicUsize::new(0),
            least: AtomicUsize::new(0),
            collections: AtomicUsize::new(0),
        }))
    }

    /// As [`finalize`](crate::finalize()), with a weight of 1. Past the [bound](Self::bound), it collects first.
    #[track_caller]
    pub fn finalize<O, F, A, R>(
        &self,
        object: &O,
        function: F,
        arguments: A,
    ) -> Finalizer<O::Reach, A, F>
    where
        O: Object + ?Sized,
        F: FnOnce(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Outcome,
    {
        self.finalize_sized(1, object, function, arguments)
    }

    /// As [`finalize`](Self::finalize), with a weight of `size`: in bytes, say. The sum of all that is
    /// held ends at `usize::MAX`.
    ///
    /// ```
    /// use lastly::{Pressure, Watched};
    ///
    /// let textures = Pressure::new(1 << 30);
    /// let texture = Watched::new("a large one");
    /// let cleanup = textures.finalize_sized(64 << 20, &texture, |()| (), ());
    /// assert_eq!(textures.held(), 64 << 20);
    /// cleanup.call();
    /// assert_eq!(textures.held(), 0);
    /// ```
    #[track_caller]
    pub fn finalize_sized<O, F, A, R>(
        &self,
        size: usize,
        object: &O,
        function: F,
        arguments: A,
    ) -> Finalizer<O::Reach, A, F>
    where
        O: Object + ?Sized,
        F: FnOnce(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Outcome,
    {
        exit::install();
        // Before anything of the new one is there: this runs foreign code.
        self.make_room(size);
        // From here on, none.
        tie(object, function, arguments, Keeper::Weight(Weight::new(&self.0, size)))
    }

    /// How much is held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.held.load(SeqCst)
    }

    /// As it was made.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// How much may be held now without a collection: the limit, or twice the least that was held since the
    /// last one began.
    #[must_use]
    pub fn bound(&self) -> usize {
        self.0.limit.max(self.0.least.load(SeqCst).saturating_mul(2))
    }

    /// How many collections it has begun, on all threads.
    #[must_use]
    pub fn collections(&self) -> usize {
        self.0.collections.load(SeqCst)
    }

    fn make_room(&self, size: usize) {
        let Shared { held, least, collections, .. } = &*self.0;
        let now = held.load(SeqCst);
        if now.saturating_add(size) <= self.bound() {
            return;
        }
        collections.fetch_add(1, SeqCst);
        // Before the collection: what its callbacks register is no reason for another one. From here on
        // each death makes it less.
        least.store(now, SeqCst);
        // Deaths that came just before that, on other threads: each lowers `held`, then `least`.
        least.fetch_min(held.load(SeqCst), SeqCst);
        collect();
    }
}

impl Debug for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pressure")
            .field("held", &self.held())
            .field("limit", &self.limit())
            .field("bound", &self.bound())
            .finish()
    }
}

/// How much one finalizer weighs.
pub(crate) struct Weight {
    shared: Arc<Shared>,
    size: usize,
}

impl Weight {
    /// Weighs from now on; so much less than `size`, as the sum would be too great.
    fn new(shared: &Arc<Shared>, size: usize) -> Self {
        let add = |held: usize| Some(held.saturating_add(size));
        let (Ok(held) | Err(held)) = shared.held.fetch_update(SeqCst, SeqCst, add);
        Self { shared: Arc::clone(shared), size: size.min(usize::MAX - held) }
    }

    /// Weighs no more. Called once.
    pub(crate) fn lift(&self) {
        let before = self.shared.held.fetch_sub(self.size, SeqCst);
        debug_assert!(before >= self.size, "lifted once");
        self.shared.least.fetch_min(before - self.size, SeqCst);
    }
}
