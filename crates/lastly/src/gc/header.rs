//! The memory of an object: one allocation, the value last.
//!
//! ```text
//!   length     of a slice only
//!   Header     table, ties, counts, mark
//!   value      what a `Gc` points to
//! ```
//!
//! The header ends where the value begins, whatever the type, so that a pointer to one is a pointer
//! to the other, also where the type is no longer known (`Gc<dyn Trait>`) or not yet (a `Gc` that
//! was found by tracing).

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::any::type_name;
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use crate::ties::Ties;
use crate::trace::{Trace, Tracer};

/// What the collector knows of an object.
#[repr(C)]
pub(crate) struct Header {
    table: &'static Table,
    /// Its finalizers.
    ties: Ties,
    /// How many `Gc`s there are. At 0 the value is dropped, or about to be.
    pub(super) strong: Cell<u32>,
    /// How many hold the memory: each `Weak`, and one for all `Gc`s together.
    pub(super) weak: Cell<u32>,
    pub(super) mark: Cell<Mark>,
    /// Of a suspect, its place among the suspects; within a collection, how many references to the
    /// object were not found yet.
    pub(super) number: Cell<u32>,
}

/// What an object is to the collector. A small number is that of the last search that visited it;
/// there may be more than four billion of them, and the numbers start anew. A search that meets
/// an object that was last visited exactly so long ago takes it for one that it visited itself: it
/// does not look into it, so that what that holds stays; and does not have it in its list, so that it
/// stays as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark(u32);

impl Mark {
    /// Not visited so far.
    pub(super) const NEW: Self = Self(0);
    /// A count fell to other than zero: part of a cycle that nobody else holds, perhaps.
    pub(super) const SUSPECT: Self = Self(u32::MAX - 4);
    /// Its `Trace` panicked in this search.
    pub(super) const PASSED_OVER: Self = Self(u32::MAX - 3);
    /// Of a type that owns no `Gc`: in no cycle. Or one of too many whose `Trace` panicked.
    pub(super) const LEAF: Self = Self(u32::MAX - 2);
    /// Found to be garbage by a collection, which has yet to drop its value.
    pub(super) const DEAD: Self = Self(u32::MAX - 1);
    /// Dead, and its value is dropped: `Gc`s that were kept by a `Drop` hold its memory.
    pub(super) const BURIED: Self = Self(u32::MAX);

    /// The mark of the search after the one with this mark.
    pub(super) fn next(self) -> Self {
        if self.0 + 1 < Self::SUSPECT.0 { Self(self.0 + 1) } else { Self(1) }
    }

    /// To be visited when it is reached, unless this search did so before.
    #[inline]
    pub(super) fn can_be_visited(self) -> bool {
        self <= Self::SUSPECT
    }

    /// To be made a suspect when a reference to it goes.
    #[inline]
    pub(super) fn can_be_suspected(self) -> bool {
        self < Self::SUSPECT
    }

    #[inline]
    pub(super) fn is_dead(self) -> bool {
        self >= Self::DEAD
    }
}

/// The functions that know the type of an object.
pub(super) struct Table {
    /// Shows to the tracer what the value owns.
    ///
    /// Safety: the value is alive.
    trace: unsafe fn(NonNull<Header>, &mut Tracer),
    /// Drops the value.
    ///
    /// Safety: the value is alive, and not used after this.
    drop_value: unsafe fn(NonNull<Header>),
    memory: Memory,
    name: fn() -> &'static str,
}

/// How much memory an object has.
enum Memory {
    /// Always this.
    Sized(Plan),
    /// That of a slice of such items, behind its length.
    Slice(Layout),
}

impl Memory {
    /// # Safety
    ///
    /// The header is that of an object with such memory.
    #[inline]
    unsafe fn plan(&self, header: NonNull<Header>) -> Plan {
        match self {
            Self::Sized(plan) => *plan,
            Self::Slice(item) => {
                // SAFETY: this function's contract.
                let length = unsafe { length_of(header) };
                Plan::of_slice(*item, length).expect("it was allocated")
            }
        }
    }
}

/// How the memory of an object is laid out.
#[derive(Clone, Copy)]
struct Plan {
    layout: Layout,
    /// Where the header begins.
    header: usize,
}

impl Plan {
    /// `None` if that is more than memory can have.
    const fn new(prefix: usize, value: Layout) -> Option<Self> {
        let before = prefix + size_of::<Header>();
        let align =
            if value.align() > align_of::<Header>() { value.align() } else { align_of::<Header>() };
        let Some(at) = before.checked_next_multiple_of(value.align()) else { return None };
        let Some(size) = at.checked_add(value.size()) else { return None };
        match Layout::from_size_align(size, align) {
            Ok(layout) => Some(Self { layout, header: at - size_of::<Header>() }),
            Err(_) => None,
        }
    }

    const fn of<T>() -> Self {
        match Self::new(0, Layout::new::<T>()) {
            Some(plan) => plan,
            None => panic!("no type is as large as memory"),
        }
    }

    /// Of a slice of so many such items, which number is kept before the header.
    fn of_slice(item: Layout, length: usize) -> Option<Self> {
        let size = item.size().checked_mul(length)?;
        Self::new(size_of::<usize>(), Layout::from_size_align(size, item.align()).ok()?)
    }

    /// Memory for a header, not written to so far.
    #[inline]
    fn allocate(self) -> NonNull<Header> {
        // SAFETY: the layout has a size, as a header is not empty.
        let memory = unsafe { alloc(self.layout) };
        if memory.is_null() {
            handle_alloc_error(self.layout);
        }
        // SAFETY: the header lies in the memory.
        let header = unsafe { memory.add(self.header) };
        // SAFETY: not null, as the memory is not.
        unsafe { NonNull::new_unchecked(header.cast()) }
    }

    /// # Safety
    ///
    /// Allocated with this plan, and not used after this.
    #[inline]
    unsafe fn free(self, header: NonNull<Header>) {
        // SAFETY: this function's contract.
        let memory = unsafe { header.as_ptr().cast::<u8>().sub(self.header) };
        // SAFETY: this function's contract.
        unsafe { dealloc(memory, self.layout) };
    }
}

impl Header {
    fn new(table: &'static Table, is_leaf: bool) -> Self {
        Self {
            table,
            ties: Ties::new(),
            strong: Cell::new(0),
            weak: Cell::new(1),
            mark: Cell::new(if is_leaf { Mark::LEAF } else { Mark::NEW }),
            number: Cell::new(0),
        }
    }

    #[inline]
    pub(crate) fn ties(&self) -> &Ties {
        &self.ties
    }

    #[inline]
    pub(super) fn is_dead(&self) -> bool {
        self.mark.get().is_dead()
    }

    pub(super) fn name(&self) -> &'static str {
        (self.table.name)()
    }
}

/// Memory for an object, with a header, and without a value. No `Gc` counts so far, but all of
/// them together hold the memory.
#[inline]
pub(super) fn allocate<T: Trace + 'static>() -> NonNull<T> {
    let is_leaf = T::is_leaf(); // Foreign code: before there is memory to lose.
    let header = const { Plan::of::<T>() }.allocate();
    // SAFETY: just allocated.
    unsafe { header.write(Header::new(&One::<T>::TABLE, is_leaf)) };
    // SAFETY: the value lies behind the header.
    unsafe { value_of(header) }
}

/// The same for a slice.
///
/// # Panics
///
/// If memory cannot hold it.
pub(super) fn allocate_slice<T: Trace + 'static>(length: usize) -> NonNull<[T]> {
    let header = allocate_behind_length::<T>(length, &Slice::<T>::TABLE, T::is_leaf());
    // SAFETY: the value lies behind the header.
    NonNull::slice_from_raw_parts(unsafe { value_of(header) }, length)
}

/// The same for a `str`, as the bytes that it is.
pub(super) fn allocate_str(length: usize) -> NonNull<[u8]> {
    let header = allocate_behind_length::<u8>(length, &STR, true);
    // SAFETY: the value lies behind the header.
    NonNull::slice_from_raw_parts(unsafe { value_of(header) }, length)
}

fn allocate_behind_length<T>(
    length: usize,
    table: &'static Table,
    is_leaf: bool,
) -> NonNull<Header> {
    let plan = Plan::of_slice(Layout::new::<T>(), length);
    let header = plan.expect("a slice that fits into memory").allocate();
    // SAFETY: the plan of a slice has room for a length before the header.
    let before = unsafe { header.cast::<usize>().sub(1) };
    // SAFETY: as above.
    unsafe { before.write(length) };
    // SAFETY: just allocated.
    unsafe { header.write(Header::new(table, is_leaf)) };
    header
}

/// The header of a value.
///
/// # Safety
///
/// The value is one that `allocate` and its like made room for, and the memory is held.
#[inline]
pub(super) unsafe fn header_of<T: ?Sized>(value: NonNull<T>) -> NonNull<Header> {
    // SAFETY: a header lies before the value (this function's contract).
    unsafe { value.cast::<Header>().sub(1) }
}

/// The value behind a header.
///
/// # Safety
///
/// It is of this type, or the first of several.
#[inline]
unsafe fn value_of<T>(header: NonNull<Header>) -> NonNull<T> {
    // SAFETY: every plan puts the value where the header ends.
    let value = unsafe { header.add(1) }.cast::<T>();
    debug_assert!(value.is_aligned(), "every plan aligns the value");
    value
}

/// # Safety
///
/// The object is a slice.
unsafe fn length_of(header: NonNull<Header>) -> usize {
    // SAFETY: the length of a slice lies before the header.
    let length = unsafe { header.cast::<usize>().sub(1) };
    // SAFETY: as above.
    unsafe { length.read() }
}

/// # Safety
///
/// The object is a slice of this type.
unsafe fn slice_of<T>(header: NonNull<Header>) -> NonNull<[T]> {
    // SAFETY: this function's contract.
    let items = unsafe { value_of::<T>(header) };
    // SAFETY: this function's contract.
    NonNull::slice_from_raw_parts(items, unsafe { length_of(header) })
}

/// # Safety
///
/// The object's value is alive.
#[inline]
pub(super) unsafe fn trace(header: NonNull<Header>, tracer: &mut Tracer) {
    // SAFETY: this function's contract.
    let trace = unsafe { header.as_ref() }.table.trace;
    // SAFETY: this function's contract.
    unsafe { trace(header, tracer) };
}

/// # Safety
///
/// The object's value is alive, and not used after this.
#[inline]
pub(super) unsafe fn drop_value(header: NonNull<Header>) {
    // SAFETY: this function's contract.
    let drop_value = unsafe { header.as_ref() }.table.drop_value;
    // SAFETY: this function's contract.
    unsafe { drop_value(header) };
}

/// Lets go of the memory, on behalf of a `Weak`, or of all `Gc`s; the last to do so frees it.
///
/// # Safety
///
/// The caller has such a hold.
#[inline]
pub(super) unsafe fn release(header: NonNull<Header>) {
    // SAFETY: the table is that of the object's type.
    let plan = |header_ref: &Header| unsafe { header_ref.table.memory.plan(header) };
    // SAFETY: this function's contract.
    unsafe { release_as(header, plan) };
}

/// The same where the type is known, as far as it is.
///
/// # Safety
///
/// As for [`release`]; and the value needs no drop.
#[inline]
pub(super) unsafe fn release_plain<T: ?Sized>(value: NonNull<T>) {
    // SAFETY: this function's contract.
    let header = unsafe { header_of(value) };
    let is_thin = size_of::<NonNull<T>>() == size_of::<usize>();
    if !is_thin {
        // SAFETY: this function's contract.
        return unsafe { release(header) };
    }
    // Of a sized type this is known to the compiler.
    // SAFETY: the value needs no drop, so it is whole.
    let layout = Layout::for_value(unsafe { value.as_ref() });
    let plan = |_: &Header| Plan::new(0, layout).expect("it was allocated");
    // SAFETY: this function's contract.
    unsafe { release_as(header, plan) };
}

/// # Safety
///
/// As for [`release`], with the plan by which the object was allocated.
#[inline]
unsafe fn release_as(header: NonNull<Header>, plan: impl FnOnce(&Header) -> Plan) {
    // SAFETY: this function's contract.
    let header_ref = unsafe { header.as_ref() };
    let weak = header_ref.weak.get();
    debug_assert_ne!(weak, 0, "nobody lets go twice");
    if weak > 1 {
        header_ref.weak.set(weak - 1);
        return;
    }
    let plan = plan(header_ref);
    // SAFETY: nobody holds the memory any more, and this is its plan.
    unsafe { plan.free(header) };
}

/// The objects of one sized type.
struct One<T>(PhantomData<T>);

impl<T: Trace + 'static> One<T> {
    const TABLE: Table = Table {
        trace: Self::trace,
        drop_value: Self::drop_value,
        memory: Memory::Sized(Plan::of::<T>()),
        name: type_name::<T>,
    };

    unsafe fn trace(header: NonNull<Header>, tracer: &mut Tracer) {
        // SAFETY: the table is that of the object's type.
        let value = unsafe { value_of::<T>(header) };
        // SAFETY: alive (the contract of the table).
        unsafe { value.as_ref() }.trace(tracer);
    }

    unsafe fn drop_value(header: NonNull<Header>) {
        // SAFETY: the table is that of the object's type.
        let value = unsafe { value_of::<T>(header) };
        // SAFETY: alive, and not used after this (the contract of the table).
        unsafe { value.drop_in_place() };
    }
}

/// The objects that are slices of one type.
struct Slice<T>(PhantomData<T>);

impl<T: Trace + 'static> Slice<T> {
    const TABLE: Table = Table {
        trace: Self::trace,
        drop_value: Self::drop_value,
        memory: Memory::Slice(Layout::new::<T>()),
        name: type_name::<[T]>,
    };

    unsafe fn trace(header: NonNull<Header>, tracer: &mut Tracer) {
        // SAFETY: the table is that of the object's type.
        let value = unsafe { slice_of::<T>(header) };
        // SAFETY: alive (the contract of the table).
        unsafe { value.as_ref() }.trace(tracer);
    }

    unsafe fn drop_value(header: NonNull<Header>) {
        // SAFETY: the table is that of the object's type.
        let value = unsafe { slice_of::<T>(header) };
        // SAFETY: alive, and not used after this (the contract of the table).
        unsafe { value.drop_in_place() };
    }
}

/// Of a `str`: bytes, by another name.
static STR: Table = Table {
    trace: |_, _| (),
    drop_value: |_| (),
    memory: Memory::Slice(Layout::new::<u8>()),
    name: type_name::<str>,
};

/// Writes a value's bytes behind a header.
///
/// # Safety
///
/// `from` is not used after this; `to` is new, and has room for as many.
pub(super) unsafe fn move_into<T>(from: *const T, to: NonNull<[T]>) {
    // SAFETY: this function's contract.
    unsafe { ptr::copy_nonoverlapping(from, to.as_ptr().cast::<T>(), to.len()) };
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn a_header_is_four_words() {
        assert_eq!(size_of::<Header>(), 32);
    }

    #[test]
    fn marks_start_anew_before_they_run_out() {
        let last = Mark(Mark::SUSPECT.0 - 1);
        assert!(last.can_be_suspected());
        assert_eq!(last.next(), Mark(1));
        assert_eq!(Mark::NEW.next(), Mark(1));
    }

    #[test]
    fn the_value_is_aligned_behind_the_header() {
        #[repr(align(256))]
        struct Wide;
        let plan = Plan::of::<Wide>();
        assert_eq!((plan.header + size_of::<Header>()) % 256, 0);
        assert_eq!(plan.layout.align(), 256);
    }
}
