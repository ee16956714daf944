//! A program that has no `unsafe`, and is warned of nothing: what the macros write does not count.
//! And one with names of its own that are those of the macros.
#![cfg(not(loom))]
#![forbid(unsafe_code)]
#![deny(warnings)]

use std::cell::{Cell, RefCell};

use lastly::{Gc, Trace, Weak, collect, finalize, unsize};

trait Animal: Trace {
    fn legs(&self) -> u8;
}

#[derive(Trace)]
struct Dog {
    owner: RefCell<Option<Gc<Person>>>,
}

impl Animal for Dog {
    fn legs(&self) -> u8 {
        4
    }
}

#[derive(Trace)]
struct Person {
    me: Weak<Person>,
    pets: RefCell<Vec<Gc<dyn Animal>>>,
    luck: Cell<Luck<u8>>,
}

#[derive(Trace, Default)]
enum Luck<T> {
    #[default]
    None,
    Some(T),
    #[trace(skip)]
    Foretold(Box<dyn Fn() -> T>),
}

#[test]
fn a_program_without_unsafe() {
    let person = Gc::new_cyclic(|me| Person {
        me: me.clone(),
        pets: RefCell::default(),
        luck: Cell::default(),
    });
    let dog = Gc::new(Dog { owner: RefCell::new(Some(person.clone())) });
    person.pets.borrow_mut().push(unsize!(dog.clone() => dyn Animal));
    assert_eq!(person.pets.borrow()[0].legs(), 4);
    person.luck.set(Luck::Some(7));
    assert!(matches!(person.luck.take(), Luck::Some(7)));
    person.luck.set(Luck::Foretold(Box::new(|| 8)));
    assert!(matches!(person.luck.take(), Luck::Foretold(luck) if luck() == 8));

    let closed = finalize(&dog, |()| (), ());
    let weak = person.me.clone();
    drop(person);
    assert_eq!(collect().objects, 0);
    drop(dog);
    let collected = collect();
    assert_eq!((collected.objects, collected.callbacks), (2, 1));
    assert!(weak.upgrade().is_none() && !closed.is_alive());
}

#[derive(Trace)]
#[deprecated]
struct Old {
    #[deprecated]
    never: u8,
}

#[deprecated]
trait OldKind {}

#[expect(deprecated, reason = "as below")]
impl OldKind for u8 {}

#[derive(Trace)]
#[expect(deprecated, reason = "as below")]
struct UsesOldKind<T: OldKind>(T);

#[derive(Trace)]
struct UsesOld {
    #[expect(deprecated, reason = "the derive is not to be warned of it as well")]
    old: Option<Gc<Old>>,
}

#[test]
fn deprecated_types() {
    assert!(UsesOld { old: None }.old.is_none());
    assert_eq!(UsesOldKind(1).0, 1);
}

/// Everything that the derive could mean, there means something else.
#[expect(non_camel_case_types, non_upper_case_globals, reason = "that is what hostile means")]
#[expect(dead_code, reason = "it is there to be in the way")]
mod hostile {
    use ::std::ops::Deref;

    use real::{Gc, collect};

    mod real {
        pub(super) use ::lastly::{Gc, Trace as Derive, collect};
    }

    mod lastly {}
    mod core {}
    mod std {}
    struct bool;
    struct u32;
    struct Tracer;
    const tracer: () = ();
    static place: () = ();
    trait Sized {}
    trait Clone {}

    /// Another trait of the same name, that everything implements.
    trait Trace {
        fn trace(&self, _: &mut Tracer) -> ! {
            unreachable!("another `trace`")
        }

        fn is_leaf_within(_: u32) -> ! {
            unreachable!("another `is_leaf_within`")
        }
    }

    impl<T: ?::core::marker::Sized> Trace for T {}

    #[derive(real::Derive)]
    struct Node<F> {
        r#match: F,
        self_: Wrapper,
        __tracer: Option<Gc<Self>>,
        __depth: ::std::cell::RefCell<Option<Gc<Self>>>,
    }

    /// What it leads to would be found twice, if its methods were asked.
    #[derive(real::Derive)]
    struct Wrapper(Option<Gc<Node<u8>>>);

    impl Deref for Wrapper {
        type Target = Option<Gc<Node<u8>>>;

        fn deref(&self) -> &Self::Target {
            unreachable!("a `Deref`")
        }
    }

    impl Wrapper {
        fn trace(&self, _: &mut ::lastly::Tracer) {
            unreachable!("an inherent `trace`")
        }

        fn is_leaf_within(_: ::core::primitive::u32) -> ::core::primitive::bool {
            unreachable!("an inherent `is_leaf_within`")
        }
    }

    #[derive(real::Derive)]
    enum Option<T> {
        Some(T),
        None,
    }

    #[test]
    fn other_things_of_the_same_names() {
        use ::core::option::Option as Std;

        let inner = Gc::new(Node {
            r#match: 1,
            self_: Wrapper(Option::None),
            __tracer: Option::None,
            __depth: ::std::cell::RefCell::new(Option::None),
        });
        let outer = Gc::new(Node {
            r#match: inner.clone(),
            self_: Wrapper(Option::Some(inner.clone())),
            __tracer: Option::None,
            __depth: ::std::cell::RefCell::new(Option::None),
        });
        *outer.__depth.borrow_mut() = Option::Some(outer.clone());
        *inner.__depth.borrow_mut() = Option::Some(inner.clone());
        drop(inner.clone());
        drop(outer.clone());
        assert_eq!(collect().objects, 0);
        let weak = Gc::downgrade(&inner);
        drop(inner);
        drop(outer);
        assert_eq!(collect().objects, 2);
        assert!(matches!(weak.upgrade(), Std::None));
    }
}
