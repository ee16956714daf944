//! Pointers to what has no size, a strange size, or a strange place: traits, slices, text, nothing.

use std::any::Any;
use std::fmt::Debug;

use lastly::unsize;

use super::*;

trait Shape: Trace {
    fn area(&self) -> u32;
    fn links(&self) -> &RefCell<Vec<Gc<dyn Shape>>>;
}

#[derive(Trace)]
struct Square(u32, RefCell<Vec<Gc<dyn Shape>>>, Mortal);

impl Shape for Square {
    fn area(&self) -> u32 {
        self.0 * self.0
    }
    fn links(&self) -> &RefCell<Vec<Gc<dyn Shape>>> {
        &self.1
    }
}

#[derive(Trace)]
#[repr(align(256))]
struct Wide(RefCell<Vec<Gc<dyn Shape>>>, Mortal);

impl Shape for Wide {
    fn area(&self) -> u32 {
        256
    }
    fn links(&self) -> &RefCell<Vec<Gc<dyn Shape>>> {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Trace)]
#[repr(align(256))]
struct Far(u8);

fn is_at_a_multiple_of<T: ?Sized>(gc: &Gc<T>, of: usize) -> bool {
    Gc::as_ptr(gc).cast::<u8>().addr() % of == 0
}

fn square(side: u32) -> Gc<dyn Shape> {
    unsize!(Gc::new(Square(side, RefCell::default(), Mortal::default())) => dyn Shape)
}

fn wide() -> Gc<dyn Shape> {
    unsize!(Gc::new(Wide(RefCell::default(), Mortal::default())) => dyn Shape)
}

#[test]
fn an_object_as_what_it_can_do() {
    DROPS.set(0);
    let square = Gc::new(Square(3, RefCell::default(), Mortal::default()));
    let weak = Gc::downgrade(&square);
    let shape = unsize!(square.clone() => dyn Shape);
    assert_eq!((shape.area(), Gc::strong_count(&shape)), (9, 2));
    assert!(std::ptr::addr_eq(Gc::as_ptr(&shape), Gc::as_ptr(&square)));
    let (other, weak_shape) = (shape.clone(), Gc::downgrade(&shape));
    assert!(Gc::ptr_eq(&shape, &other));
    drop((square, shape));
    assert_eq!(weak_shape.upgrade().unwrap().area(), 9);
    assert!(weak.upgrade().is_some(), "one object, by any name");
    drop(other);
    assert!(weak_shape.upgrade().is_none() && weak.upgrade().is_none());
    assert_eq!(DROPS.get(), 1);
}

/// A cycle of several types, each known only by what it can do.
#[test]
fn a_cycle_through_trait_objects() {
    alone(|| {
        DROPS.set(0);
        let shapes = [square(2), wide(), square(3), wide()];
        for (index, shape) in shapes.iter().enumerate() {
            shape.links().borrow_mut().push(shapes[(index + 1) % 4].clone());
        }
        assert!(is_at_a_multiple_of(&shapes[1], 256) && is_at_a_multiple_of(&shapes[3], 256));
        let weak = Gc::downgrade(&shapes[3]);
        drop(shapes);
        assert_eq!((DROPS.get(), weak.upgrade().unwrap().area()), (0, 256));
        assert_eq!(collect().objects, 4);
        assert_eq!(DROPS.get(), 4);
        assert!(weak.upgrade().is_none());
    });
}

#[test]
fn a_cycle_through_slices() {
    #[derive(Trace)]
    struct Cell(Mortal, RefCell<Option<Gc<[Cell]>>>);
    alone(|| {
        DROPS.set(0);
        let row: Gc<[Cell]> = (0..3).map(|n| Cell(Mortal(n), RefCell::default())).collect();
        *row[2].1.borrow_mut() = Some(row.clone());
        let other: Gc<[Cell]> = unsize!(Gc::new([Cell(Mortal(9), RefCell::default())]) => [Cell]);
        *other[0].1.borrow_mut() = Some(row.clone());
        *row[0].1.borrow_mut() = Some(other.clone());
        assert_eq!((row.len(), other.len()), (3, 1));
        drop((row, other));
        assert_eq!(collect().objects, 2);
        assert_eq!(DROPS.get(), 4);
    });
}

#[test]
fn any_object_finds_back_to_its_type() {
    DROPS.set(0);
    let gc = Gc::new(Mortal(5));
    let weak = Gc::downgrade(&gc);
    let any = unsize!(gc => dyn Any);
    let any = any.downcast::<u8>().expect_err("it is none");
    assert_eq!(Gc::strong_count(&any), 1);
    let gc = any.downcast::<Mortal>().expect("it is one");
    assert_eq!((gc.0, Gc::strong_count(&gc)), (5, 1));
    assert!(Gc::ptr_eq(&weak.upgrade().unwrap(), &gc));
    assert_eq!(DROPS.get(), 0);
    drop(gc);
    assert_eq!(DROPS.get(), 1);
}

#[test]
fn values_of_no_size_are_objects() {
    #[derive(Trace)]
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPS.set(DROPS.get() + 1);
        }
    }
    DROPS.set(0);
    let (one, other) = (Gc::new(Nothing), Gc::new(Nothing));
    assert!(!Gc::ptr_eq(&one, &other), "each its own");
    let any = unsize!(one.clone() => dyn Any);
    drop((one, other));
    assert_eq!(DROPS.get(), 1);
    assert!(any.downcast::<Nothing>().is_ok());
    assert_eq!(DROPS.get(), 2);
    let many: Gc<[Nothing]> = (0..1000).map(|_| Nothing).collect();
    assert_eq!(many.len(), 1000);
    drop(many);
    assert_eq!(DROPS.get(), 1002);
    let units: Gc<[()]> = vec![(); usize::MAX].into();
    assert_eq!(units.len(), usize::MAX);
}

#[test]
fn slices_of_any_length_and_alignment() {
    for length in [0, 1, 2, 3, 7, 8, 9, 100] {
        let bytes: Gc<[u8]> = (0..length).collect();
        let words: Gc<[u64]> = (0..length).map(u64::from).collect();
        let longs: Gc<[u128]> = (0..length).map(u128::from).collect();
        let far: Gc<[Far]> = (0..length).map(Far).collect();
        assert!(bytes.iter().copied().eq(0..length));
        assert!(words.iter().copied().eq((0..length).map(u64::from)));
        assert!(longs.iter().copied().eq((0..length).map(u128::from)));
        assert!(far.iter().copied().eq((0..length).map(Far)));
        assert!(is_at_a_multiple_of(&longs, align_of::<u128>()) && is_at_a_multiple_of(&far, 256));
        let text: Gc<str> = "x".repeat(length.into()).into();
        assert_eq!((text.len(), &*text), (length.into(), &*"x".repeat(length.into())));
        let weak = Gc::downgrade(&far);
        drop(far);
        assert!(weak.upgrade().is_none());
    }
}

#[test]
fn one_far_aligned_value() {
    let far = Gc::new(Far(7));
    assert!(is_at_a_multiple_of(&far, 256));
    let shown: Gc<dyn Debug> = unsize!(far.clone() => dyn Debug);
    assert!(is_at_a_multiple_of(&shown, 256));
    assert_eq!(format!("{shown:?} {far:?}"), "Far(7) Far(7)");
    assert_eq!(Gc::try_unwrap(far).expect_err("there is another"), Gc::new(Far(7)));
}

/// Empty slices are objects like others.
#[test]
fn nothing_at_all() {
    let empty: Gc<[String]> = Gc::default();
    let (same, other): (_, Gc<[String]>) = (empty.clone(), Gc::default());
    assert!(Gc::ptr_eq(&empty, &same) && !Gc::ptr_eq(&empty, &other));
    assert_eq!((empty.len(), Gc::strong_count(&empty)), (0, 2));
    let log = Log::default();
    let text: Gc<str> = Gc::default();
    lastly::finalize(&text, log.say("empty text"), ());
    drop(text);
    assert_eq!(log.take(), ["empty text"]);
}

/// `get_mut` and the counts work on what has no size as well.
#[test]
fn unsized_values_can_be_changed() {
    let seen = as_with_rc!(|P, W| {
        let mut row: P<[u8]> = P::from([1, 2, 3]);
        P::get_mut(&mut row).unwrap()[1] = 9;
        let weak = P::downgrade(&row);
        let shared = P::get_mut(&mut row).is_none();
        let mut text: P<str> = "abc".into();
        P::get_mut(&mut text).unwrap().make_ascii_uppercase();
        (row.to_vec(), shared, text.to_string(), weak.upgrade().map(|row| row.len()))
    });
    assert_eq!(seen, (vec![1, 9, 3], true, "ABC".to_owned(), Some(3)));
}
