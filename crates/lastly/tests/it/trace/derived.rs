//! What `#[derive(Trace)]` makes of all kinds of types.

use std::marker::PhantomData;

use super::*;

#[derive(Trace)]
struct Named {
    tracer: Gc<Node>,
    r#type: Gc<Node>,
    __0: Gc<Node>,
}

#[derive(Trace)]
struct Tuple(u8, Gc<Node>, #[trace(skip)] Box<dyn Fn(u8) -> u8>);

#[derive(Trace)]
struct Unit;

#[derive(Trace)]
struct Empty {}

#[derive(Trace)]
enum Void {}

#[derive(Trace)]
enum Kinds<'a, T, const N: usize = 2>
where
    T: 'a,
{
    None,
    Tuple(u8, T),
    Named {
        first: [T; N],
        #[trace(skip)]
        second: Option<T>,
    },
    #[trace(skip)]
    Skipped(T, Box<dyn Fn()>),
    Borrowed(&'a T),
}

#[test]
fn every_shape() {
    dies(|gc| Named { tracer: gc.clone(), r#type: gc.clone(), __0: gc });
    dies(|gc| Tuple(0, gc, Box::new(|number| number + 1)));
    dies(|gc| Kinds::<_>::Tuple(1, gc));
    dies(|gc| Kinds::Named { first: [gc.clone(), gc], second: None });
    dies(|gc| (Kinds::<Gc<Node>>::None, gc));
    leaks(|gc| Kinds::<_>::Skipped(gc, Box::new(|| ())));
    leaks(|gc| Kinds::Named { first: [None, None], second: Some(Some(gc)) });
    dies(|gc| (Kinds::<u8>::Borrowed(&1), gc));
    let skipped: [Kinds<'_, u8>; 2] =
        [Kinds::Skipped(1, Box::new(|| ())), Kinds::Named { first: [1, 1], second: Some(1) }];
    for kind in skipped {
        match kind {
            Kinds::Skipped(number, function) => (function(), assert_eq!(number, 1)).0,
            Kinds::Named { second, .. } => assert_eq!(second, Some(1)),
            _ => unreachable!(),
        }
    }
    let tuple = Tuple(0, Gc::default(), Box::new(|number| number + 1));
    assert_eq!((tuple.2)(1), 2);
    assert!(Unit::is_leaf() && Empty::is_leaf() && Void::is_leaf());
    assert!(!Named::is_leaf() && !Tuple::is_leaf() && !Kinds::<Gc<u8>, 1>::is_leaf());
    assert!(Kinds::<String, 1>::is_leaf() && Kinds::<Rc<Gc<u8>>, 1>::is_leaf());
}

/// The last field may have no size.
#[derive(Trace)]
struct Tail<T: ?Sized> {
    first: Gc<Node>,
    last: T,
}

#[derive(Trace)]
struct Slice(u8, [Gc<Node>]);

#[derive(Trace)]
struct Place(std::path::Path);

fn can_be_traced<T: Trace + ?Sized>() {}

#[test]
fn unsized_fields() {
    dies(|gc| Tail { first: gc.clone(), last: gc });
    dies(|gc| Box::new(Tail { first: gc.clone(), last: [gc] }) as Box<Tail<[Gc<Node>]>>);
    dies(|gc| Box::new(Tail { first: gc.clone(), last: gc }) as Box<Tail<dyn Trace>>);
    dies(|gc| Box::new(Tail { first: gc, last: 1 }) as Box<Tail<dyn Trace>>);
    can_be_traced::<Slice>();
    can_be_traced::<Place>();
}

/// No field is a `T`.
#[derive(Trace)]
#[trace(bound = "")]
struct Unbound<T: ?Sized> {
    content: Option<Gc<Node>>,
    other: RefCell<Option<Gc<Unbound<T>>>>,
    marker: PhantomData<T>,
    function: fn(&T) -> &T,
}

#[derive(Trace)]
#[trace(bound = "T: Family, T::Member: Trace")]
struct Bound<T: Family>(T::Member);

trait Family {
    type Member;
}

struct Nodes;

impl Family for Nodes {
    type Member = Gc<Node>;
}

fn unbound<T: ?Sized>(content: Option<Gc<Node>>) -> Unbound<T> {
    Unbound { content, other: RefCell::default(), marker: PhantomData, function: |it| it }
}

#[test]
fn bounds_can_be_replaced() {
    dies(|gc| unbound::<dyn Fn()>(Some(gc)));
    dies(Bound::<Nodes>);
    assert_eq!((unbound(None).function)(&1), &1);
}

trait Shape: Trace {
    fn name(&self) -> &'static str;
}

impl Shape for Named {
    fn name(&self) -> &'static str {
        "named"
    }
}

#[test]
fn trait_objects() {
    let named = |gc: Gc<Node>| Named { tracer: gc.clone(), r#type: gc.clone(), __0: gc };
    dies(|gc| {
        let shape: Box<dyn Shape> = Box::new(named(gc));
        assert_eq!(shape.name(), "named");
        vec![shape]
    });
    let cycle = ring(|gc| unsize!(Gc::new(named(gc)) => dyn Shape));
    drop(cycle);
    assert_eq!(collect().objects, 2);
}

macro_rules! inside_of_a_macro {
    ($name:ident { $($field:ident: $ty:ty),* }) => {
        #[derive(Trace)]
        struct $name {
            $($field: $ty,)*
            more: $crate::trace::Rc<u8>,
        }
    };
}

inside_of_a_macro!(Made { made: Gc<Node>, list: Vec<Gc<Node>>, function: fn(&Node) });

#[test]
fn types_made_by_macros() {
    dies(|gc| Made { made: gc.clone(), list: vec![gc], more: Rc::new(1), function: |_| () });
    let made = Made { made: Gc::default(), list: vec![], more: Rc::new(1), function: |_| () };
    (made.function)(&made.made);
}

#[test]
fn a_type_inside_of_a_function() {
    #[derive(Trace)]
    struct Local<T>(T);
    dies(Local);
}
