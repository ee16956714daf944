//! What owns what is in it, and shows it.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::io::{BufReader, BufWriter, Cursor, LineWriter, Write};
use std::num::{Saturating, Wrapping};
use std::ops::{Bound, ControlFlow, Range, RangeFrom, RangeInclusive, RangeTo, RangeToInclusive};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::Poll;

use super::may_own;
use crate::Watched;
use crate::trace::{Trace, Tracer};

/// Contents in place: they are all that the type owns, and each pattern names each of them once.
macro_rules! in_place {
    ($({$($parameter:ident),*} $ty:ty { $($pattern:pat => [$($part:expr),*]),+ $(,)? })*) => {$(
        // SAFETY: each part that is owned is visited once.
        unsafe impl<$($parameter: Trace),*> Trace for $ty {
            #[inline]
            fn trace(&self, _tracer: &mut Tracer) {
                match self {
                    $($pattern => { $($part.trace(_tracer);)* })+
                }
            }

            #[inline]
            fn is_leaf() -> bool {
                true $(&& $parameter::is_leaf())*
            }
        }
    )*};
}

in_place! {
    {T} Option<T> { Some(value) => [value], None => [] }
    {T, E} Result<T, E> { Ok(value) => [value], Err(error) => [error] }
    {T} Poll<T> { Poll::Ready(value) => [value], Poll::Pending => [] }
    {B, C} ControlFlow<B, C> {
        ControlFlow::Break(value) => [value],
        ControlFlow::Continue(value) => [value],
    }
    {T} Bound<T> {
        Bound::Included(value) => [value],
        Bound::Excluded(value) => [value],
        Bound::Unbounded => [],
    }
    {T} Range<T> { Range { start, end } => [start, end] }
    {T} RangeFrom<T> { RangeFrom { start } => [start] }
    {T} RangeTo<T> { RangeTo { end } => [end] }
    {T} RangeToInclusive<T> { RangeToInclusive { end } => [end] }
    {T} RangeInclusive<T> { range => [range.start(), range.end()] }
    {T} Reverse<T> { Reverse(value) => [value] }
    {T} Wrapping<T> { Wrapping(value) => [value] }
    {T} Saturating<T> { Saturating(value) => [value] }
    {T} AssertUnwindSafe<T> { AssertUnwindSafe(value) => [value] }
    {T} Cursor<T> { cursor => [cursor.get_ref()] }
}

macro_rules! tuples {
    ($($part:ident)*;) => {
        #[allow(non_snake_case, reason = "the names of the types are those of the values")]
        const _: () = {
            in_place! { {$($part),*} ($($part,)*) { ($($part,)*) => [$($part),*] } }
        };
    };
    ($($part:ident)*; $next:ident $($more:ident)*) => {
        tuples!($($part)*;);
        tuples!($($part)* $next; $($more)*);
    };
}

tuples!(; A B C D E F G H I J K L);

/// Contents that are gone through one by one.
macro_rules! collections {
    ($({$($parameter:ident),* $(; $other:ident)?} $ty:ty { $item:pat => [$($part:expr),*] })*) => {$(
        // SAFETY: an iteration comes to each content once; else `iter_mut` would be unsound.
        unsafe impl<$($parameter: Trace),* $(, $other)?> Trace for $ty {
            #[inline]
            fn trace(&self, tracer: &mut Tracer) {
                if !Self::is_leaf() {
                    for $item in self {
                        $($part.trace(tracer);)*
                    }
                }
            }

            #[inline]
            fn is_leaf() -> bool {
                !($(may_own::<$parameter>())||*) $(&& !may_own::<$other>())?
            }
        }
    )*};
}

collections! {
    {T} Vec<T> { item => [item] }
    {T} VecDeque<T> { item => [item] }
    {T} LinkedList<T> { item => [item] }
    {T} BinaryHeap<T> { item => [item] }
    {T} BTreeSet<T> { item => [item] }
    {K, V} BTreeMap<K, V> { (key, value) => [key, value] }
    {T; S} HashSet<T, S> { item => [item] }
    {K, V; S} HashMap<K, V, S> { (key, value) => [key, value] }
}

// SAFETY: each item is visited once.
unsafe impl<T: Trace> Trace for [T] {
    #[inline]
    fn trace(&self, tracer: &mut Tracer) {
        if !T::is_leaf() {
            for item in self {
                item.trace(tracer);
            }
        }
    }
}

// SAFETY: as a slice.
unsafe impl<T: Trace, const N: usize> Trace for [T; N] {
    #[inline]
    fn trace(&self, tracer: &mut Tracer) {
        self.as_slice().trace(tracer);
    }

    #[inline]
    fn is_leaf() -> bool {
        T::is_leaf()
    }
}

// SAFETY: what is borrowed is not owned.
unsafe impl<B: ToOwned<Owned: Trace> + ?Sized> Trace for Cow<'_, B> {
    #[inline]
    fn trace(&self, tracer: &mut Tracer) {
        if let Cow::Owned(value) = self {
            value.trace(tracer);
        }
    }

    #[inline]
    fn is_leaf() -> bool {
        B::Owned::is_leaf()
    }
}

/// One content that may be unsized. No `Deref` in the way is the user's.
macro_rules! one {
    ($($({$($bounds:tt)*})? $ty:ty { $this:ident => $content:expr })*) => {$(
        // SAFETY: the content is owned, and all that is.
        unsafe impl<T: Trace + ?Sized $($($bounds)*)?> Trace for $ty {
            #[inline]
            fn trace(&self, tracer: &mut Tracer) {
                let $this = self;
                $content.trace(tracer);
            }

            #[inline]
            fn is_leaf() -> bool {
                !may_own::<T>()
            }
        }
    )*};
}

one! {
    Box<T> { this => **this }
    Pin<Box<T>> { this => **this }
    Watched<T> { this => **this }
    BufReader<T> { this => this.get_ref() }
    {+ Write} BufWriter<T> { this => this.get_ref() }
    {+ Write} LineWriter<T> { this => this.get_ref() }
}
