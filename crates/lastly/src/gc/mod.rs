//! [`Gc`]: a shared pointer whose reference cycles die too.
//!
//! How collections work is told in [`collector`](crate::collector). Here is what does it:
//!
//! | | |
//! |---|---|
//! | this file, `weak`, `value`, `slice`, `unsize` | the pointers |
//! | `header` | the memory of an object |
//! | `death` | what happens when the last pointer goes |
//! | `suspects`, `search`, `collection` | whom to look at; what is garbage; what becomes of it |
//! | `thread` | the collector of a thread: when it collects |

mod collection;
mod death;
mod header;
mod search;
mod slice;
mod suspects;
mod thread;
mod unsize;
mod value;
mod weak;

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::process::abort;
use std::ptr::{self, NonNull};

use crate::trace::{Trace, Tracer};

pub(crate) use header::Header;
pub(crate) use search::Finds;
pub(crate) use thread::{Collector, this_thread};
pub use weak::Weak;

/// A shared pointer to an object of this thread, like [`Rc`](std::rc::Rc), whose reference cycles
/// die too.
///
/// When the last pointer goes, the object dies at once. Objects that only hold each other die when
/// they are [collected](crate::collector): by themselves sooner or later, by [`collect`](crate::collect) now, or when
/// the thread ends. Either way the value is dropped, then its [finalizers](crate::finalize) run.
///
/// ```
/// use lastly::{Gc, Trace, finalize};
/// use std::cell::RefCell;
///
/// #[derive(Trace)]
/// struct Server {
///     clients: RefCell<Vec<Gc<Client>>>,
/// }
///
/// #[derive(Trace)]
/// struct Client {
///     server: Gc<Server>, // a cycle: with `Rc`, neither would ever die
/// }
///
/// let server = Gc::new(Server { clients: RefCell::default() });
/// let client = Gc::new(Client { server: server.clone() });
/// server.clients.borrow_mut().push(client);
///
/// let closed = finalize(&server, |name| println!("{name} closed"), "server");
/// drop(server);
/// lastly::collect(); // server closed
/// assert!(!closed.is_alive());
/// ```
///
/// What can be in one implements [`Trace`]: derive it. `Drop` is allowed. `Gc` has what `Rc` has, as associated
/// functions: `Gc::downgrade(&object)`. For `Gc<dyn Trait>` see [`unsize!`](crate::unsize); `Gc<[T]>` and `Gc<str>`
/// are made with `From`.
///
/// A callback is `Send`, and a `Gc` is not: so a callback that captures its own object, and would keep
/// it alive, does not compile.
///
/// # Dead objects
///
/// Only one thing is different from `Rc`: when a collection finds garbage, all of it dies at once, cycles and
/// what only they hold. (But not *leaves*, that own no `Gc` themselves: they die by count.) So the
/// `Drop` of one object may follow a `Gc` to another that is dead as well. To dereference that panics: ask
/// [`is_alive`](Self::is_alive), or use [`try_deref`](Self::try_deref). A dead `Gc` can be cloned, compared by
/// [`ptr_eq`](Self::ptr_eq), and dropped. A pointer that was followed from anywhere but a `Drop` is never dead, unless
/// a `Drop` has kept it.
///
/// More than four billion pointers to one object abort the program, as more than `usize::MAX` do with
/// `Rc`.
pub struct Gc<T: ?Sized> {
    /// The value, behind a header, in memory that this pointer may use as a whole.
    value: NonNull<T>,
    owns: PhantomData<T>,
}

impl<T: Trace + 'static> Gc<T> {
    /// Makes an object of `value`.
    #[inline]
    #[must_use]
    pub fn new(value: T) -> Self {
        let place = header::allocate::<T>();
        // SAFETY: new, and of this type.
        unsafe { place.write(value) };
        // SAFETY: the value is there now.
        unsafe { Self::first(place) }
    }

    /// Makes an object that holds a weak reference to itself. While `make` runs, that upgrades to
    /// `None`.
    ///
    /// ```
    /// use lastly::{Gc, Trace, Weak};
    ///
    /// #[derive(Trace)]
    /// struct Gadget {
    ///     me: Weak<Gadget>,
    /// }
    ///
    /// let gadget = Gc::new_cyclic(|me| Gadget { me: me.clone() });
    /// assert!(Gc::ptr_eq(&gadget, &gadget.me.upgrade().unwrap()));
    /// ```
    pub fn new_cyclic(make: impl FnOnce(&Weak<T>) -> T) -> Self {
        // The hold of the `Gc`s; if `make` panics, it is given up as any `Weak` is.
        let hold = Weak::of(header::allocate::<T>());
        let value = make(&hold);
        let place = ManuallyDrop::new(hold).place();
        // SAFETY: new, and of this type.
        unsafe { place.write(value) };
        // SAFETY: the value is there now.
        unsafe { Self::first(place) }
    }

    /// Takes the value out, if this is the only `Gc`. To its finalizers this is the object's death:
    /// they run now. Otherwise gives the pointer back.
    ///
    /// ```
    /// use lastly::Gc;
    ///
    /// let name = Gc::new("a".to_owned());
    /// let other = name.clone();
    /// let name = Gc::try_unwrap(name).unwrap_err();
    /// drop(other);
    /// assert_eq!(Gc::try_unwrap(name), Ok("a".to_owned()));
    /// ```
    pub fn try_unwrap(this: Self) -> Result<T, Self> {
        if !Self::is_only(&this) {
            return Err(this);
        }
        let this = ManuallyDrop::new(this);
        this.header().strong.set(0);
        this.header().forget_suspicion();
        // SAFETY: alive, and this was the only way to it.
        let value = unsafe { this.value.read() };
        // SAFETY: its value is gone, and so is the last `Gc`.
        unsafe { death::end(this.header_pointer()) };
        Ok(value)
    }

    /// Takes the value out, if this is the last `Gc`; otherwise drops the pointer.
    pub fn into_inner(this: Self) -> Option<T> {
        Self::try_unwrap(this).ok()
    }

    /// Takes the value out, if this is the only `Gc`; otherwise clones it.
    ///
    /// # Panics
    ///
    /// If the object [is dead](Self::is_alive).
    pub fn unwrap_or_clone(this: Self) -> T
    where
        T: Clone,
    {
        Self::try_unwrap(this).unwrap_or_else(|this| T::clone(&this))
    }

    /// The value, to be changed; cloned into a new object before, if other `Gc`s or `Weak`s see it.
    ///
    /// # Panics
    ///
    /// If the object [is dead](Self::is_alive).
    pub fn make_mut(this: &mut Self) -> &mut T
    where
        T: Clone,
    {
        if !Self::is_only(this) || this.header().weak.get() != 1 {
            *this = Self::new(T::clone(this));
        }
        // SAFETY: nobody else has it.
        unsafe { Self::exclusive(this) }
    }
}

impl<T: ?Sized> Gc<T> {
    /// The first pointer to a new object.
    ///
    /// # Safety
    ///
    /// The memory is new, of one of the functions that allocate, and the value is in it.
    #[inline]
    unsafe fn first(value: NonNull<T>) -> Self {
        let this = Self { value, owns: PhantomData };
        debug_assert_eq!(this.header().strong.get(), 0, "no other is the first");
        this.header().strong.set(1);
        this
    }

    /// A pointer that is one of those counted.
    ///
    /// # Safety
    ///
    /// It was counted, and is no longer used otherwise; the value is that of the same object.
    #[inline]
    unsafe fn counted(value: NonNull<T>) -> Self {
        Self { value, owns: PhantomData }
    }

    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: this pointer holds the memory.
        unsafe { self.header_pointer().as_ref() }
    }

    #[inline]
    fn header_pointer(&self) -> NonNull<Header> {
        // SAFETY: every `Gc` points to a value that was allocated behind a header.
        unsafe { header::header_of(self.value) }
    }

    /// Whether the value can be reached. False if it died in a collection: that is seen from the
    /// `Drop` of another object that died in the same, and from what such a `Drop` kept.
    ///
    /// ```
    /// use lastly::{Gc, Trace};
    /// use std::cell::RefCell;
    ///
    /// #[derive(Trace)]
    /// struct Node(RefCell<Option<Gc<Node>>>);
    ///
    /// impl Drop for Node {
    ///     fn drop(&mut self) {
    ///         let other = self.0.get_mut().take().unwrap();
    ///         assert!(!Gc::is_alive(&other)); // its value is dropped, or will be next
    ///         assert!(Gc::try_deref(&other).is_none());
    ///     }
    /// }
    ///
    /// let node = Gc::new(Node(RefCell::default()));
    /// let other = Gc::new(Node(RefCell::new(Some(node.clone()))));
    /// *node.0.borrow_mut() = Some(other.clone());
    /// drop((node, other));
    /// assert_eq!(lastly::collect().objects, 2);
    /// ```
    #[inline]
    #[must_use]
    pub fn is_alive(this: &Self) -> bool {
        !this.header().is_dead()
    }

    /// The value, or `None` if it [is dead](Self::is_alive).
    #[inline]
    #[must_use]
    pub fn try_deref(this: &Self) -> Option<&T> {
        if !Self::is_alive(this) {
            return None;
        }
        // SAFETY: alive. While this pointer is borrowed it cannot be dropped, so the object does not
        // die by count; nor in a collection, as this pointer counts: it is held from outside, or by
        // an object that is, or by one that is being dropped, which no search looks into.
        Some(unsafe { this.value.as_ref() })
    }

    /// Whether two pointers point to the same object.
    #[inline]
    #[must_use]
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        ptr::addr_eq(this.value.as_ptr(), other.value.as_ptr())
    }

    /// Where the value is.
    #[must_use]
    pub fn as_ptr(this: &Self) -> *const T {
        this.value.as_ptr()
    }

    /// How many `Gc`s point to the object.
    #[must_use]
    pub fn strong_count(this: &Self) -> usize {
        this.header().strong.get() as usize
    }

    /// How many [`Weak`]s point to the object, those of its [finalizers' handles](crate::Finalizer)
    /// included. Of a [dead](Self::is_alive) object, none.
    #[must_use]
    pub fn weak_count(this: &Self) -> usize {
        if this.header().is_dead() { 0 } else { this.header().weak.get() as usize - 1 }
    }

    /// A weak reference.
    #[inline]
    #[must_use]
    pub fn downgrade(this: &Self) -> Weak<T> {
        this.header().retain();
        Weak::of(this.value)
    }

    /// # Safety
    ///
    /// This is the only pointer to an object that is alive, and no `Weak` is left.
    unsafe fn exclusive(this: &mut Self) -> &mut T {
        // A collection may come while the value is borrowed, and must not look into it.
        this.header().forget_suspicion();
        // SAFETY: nobody else has it, and the collector cannot find it: this pointer is borrowed,
        // so it lies where `Trace` does not look, and the object is no suspect.
        unsafe { this.value.as_mut() }
    }

    /// Whether no other `Gc` points to the object, and it is alive; and no search may be looking at it
    /// just now (to be asked by a panic hook, in a panic of somebody's `Trace`).
    fn is_only(this: &Self) -> bool {
        this.header().strong.get() == 1
            && Self::is_alive(this)
            && !this_thread(|collector| collector.searching.get())
    }
}

// `'static`, as a pointer to a value that lives shorter can be had (it is taken for one where it does): what
// is written by that might be looked at by a drop that had to wait.
impl<T: ?Sized + 'static> Gc<T> {
    /// The value, to be changed, if no other `Gc` or `Weak` sees it.
    ///
    /// ```
    /// use lastly::Gc;
    ///
    /// let mut number = Gc::new(1);
    /// *Gc::get_mut(&mut number).unwrap() = 2;
    /// let other = number.clone();
    /// assert!(Gc::get_mut(&mut number).is_none());
    /// # drop(other);
    /// ```
    #[inline]
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        let is_exclusive = Self::is_only(this) && this.header().weak.get() == 1;
        // SAFETY: nobody else has it.
        is_exclusive.then(|| unsafe { Self::exclusive(this) })
    }
}

impl Header {
    /// One more hold on the memory.
    #[inline]
    fn retain(&self) {
        // Reached only by forgetting `Weak`s in a loop. An overflow would free what is in use.
        let Some(weak) = self.weak.get().checked_add(1) else { abort() };
        self.weak.set(weak);
    }

    /// No longer a suspect: nobody but the caller can reach the object.
    #[inline]
    fn forget_suspicion(&self) {
        if self.mark.get() == header::Mark::SUSPECT {
            this_thread(|collector| collector.acquit(self));
        }
    }
}

// Moving the pointer does not move the value.
impl<T: ?Sized> Unpin for Gc<T> {}

impl<T: ?Sized> Clone for Gc<T> {
    /// One more pointer to the same object.
    #[inline]
    fn clone(&self) -> Self {
        let strong = &self.header().strong;
        // As for `Rc`: reached only by forgetting pointers in a loop, and then there is no way on.
        // (The greatest number is taken: see `search`.)
        if strong.get() >= u32::MAX - 1 {
            abort();
        }
        strong.set(strong.get() + 1);
        // SAFETY: counted just now.
        unsafe { Self::counted(self.value) }
    }
}

impl<T: ?Sized> Drop for Gc<T> {
    #[inline]
    fn drop(&mut self) {
        let header = self.header();
        let strong = header.strong.get() - 1;
        header.strong.set(strong);
        if strong == 0 {
            // If the collection has yet to drop the value, it ends the object then.
            if header.mark.get() != header::Mark::DEAD {
                // SAFETY: this was the last `Gc`, and is not used after this.
                unsafe { death::last_gone(self.value) };
            }
        } else if header.mark.get().can_be_suspected() {
            // SAFETY: other `Gc`s hold the object.
            unsafe { thread::suspect(self.header_pointer()) };
        }
    }
}

impl<T: ?Sized> Deref for Gc<T> {
    type Target = T;

    /// The value.
    ///
    /// # Panics
    ///
    /// If the object [is dead](Gc::is_alive).
    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        match Self::try_deref(self) {
            Some(value) => value,
            None => dead(self.header().name()),
        }
    }
}

#[cold]
#[track_caller]
fn dead(name: &str) -> ! {
    panic!(
        "lastly: this `Gc<{name}>` is dead: its object died in the same collection as the one that \
         still points to it; ask `Gc::is_alive`, or use `Gc::try_deref`"
    )
}

// SAFETY: a `Gc` owns itself, and nothing else.
unsafe impl<T: ?Sized> Trace for Gc<T> {
    #[inline]
    fn trace(&self, tracer: &mut Tracer) {
        tracer.finds.add(self.header_pointer());
    }
}
