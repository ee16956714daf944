//! A pointer in the place of its value: shown, compared, hashed, made from it.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::*;

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn shown_as_the_value() {
    let shown = as_with_rc!(|P, W| {
        let number = P::new(5);
        let text: P<str> = "a\tb".into();
        let nested = P::new(P::new(Some(1.5)));
        [
            format!("{number}|{number:?}|{number:04}|{number:#?}"),
            format!("{text}|{text:?}|{text:>5}"),
            format!("{nested:?}"),
        ]
    });
    assert_eq!(shown, ["5|5|0005|5", "a\tb|\"a\\tb\"|  a\tb", "Some(1.5)"]);
}

#[test]
fn compared_by_value() {
    let seen = as_with_rc!(|P, W| {
        let (one, same, two) = (P::new(1.0), P::new(1.0), P::new(2.0));
        let nan = P::new(f64::NAN);
        let ordered = [P::new(2), P::new(3), P::new(1)];
        (
            [one == same, one != same, one == two, nan == nan, nan != nan],
            [one < two, one <= same, one > two, two >= one, nan < one, nan >= one],
            one.partial_cmp(&nan),
            [ordered[0].cmp(&ordered[1]), ordered[1].cmp(&ordered[2])],
            ordered.iter().max().map(|most| **most),
        )
    });
    assert_eq!(seen.0, [true, false, false, false, true]);
    assert_eq!(seen.1, [true, true, false, true, false, false]);
    assert_eq!(seen.2, None);
    assert_eq!(seen.3, [Ordering::Less, Ordering::Greater]);
    assert_eq!(seen.4, Some(3));
}

#[test]
fn hashed_by_value() {
    let hashes = as_with_rc!(|P, W| {
        let text: P<str> = "key".into();
        [hash_of(&P::new(5_u8)), hash_of(&text), hash_of(&P::new((1, 'a')))]
    });
    assert_eq!(hashes, [hash_of(&5_u8), hash_of(&"key"), hash_of(&(1, 'a'))]);
}

#[test]
fn the_key_of_a_map() {
    let found = as_with_rc!(|P, W| {
        let mut ages: HashMap<P<str>, u8> = HashMap::new();
        ages.insert("Anna".into(), 1);
        ages.insert("Ben".into(), 2);
        ages.insert("Anna".into(), 3);
        let mut sorted: BTreeMap<P<Vec<u8>>, u8> = BTreeMap::new();
        sorted.insert(P::new(vec![2]), 2);
        sorted.insert(P::new(vec![1]), 1);
        let set: HashSet<P<u8>> = [1, 1, 2].into_iter().map(P::new).collect();
        let borrowed: &str = ages.get_key_value("Ben").unwrap().0.borrow();
        let values: Vec<u8> = sorted.values().copied().collect();
        (ages.len(), ages["Anna"], borrowed.len(), sorted[&vec![2]], values, set.len())
    });
    assert_eq!(found, (2, 3, 3, 2, vec![1, 2], 2));
}

#[test]
fn defaults() {
    let seen = as_with_rc!(|P, W| {
        let (number, value): (P<u8>, P<Mortal>) = Default::default();
        let (text, slice): (P<str>, P<[u16]>) = Default::default();
        (*number, value.0, text.len(), slice.len())
    });
    assert_eq!(seen, (0, 0, 0, 0));
}

#[test]
fn made_from_values() {
    let seen = as_with_rc!(|P, W| {
        DROPS.set(0);
        let value = P::from(Mortal(1));
        let array: P<[Mortal]> = P::from([Mortal(2), Mortal(3)]);
        let vector: P<[Mortal]> = vec![Mortal(4)].into();
        let boxed: P<[Mortal]> = vec![Mortal(5)].into_boxed_slice().into();
        let collected: P<[Mortal]> = (6..9).map(Mortal).collect();
        let (text, string): (P<str>, P<str>) = ("äöü".into(), "äöü".to_owned().into());
        let slices = [&array, &vector, &boxed, &collected];
        let numbers: Vec<u8> =
            slices.iter().flat_map(|slice| slice.iter().map(|it| it.0)).collect();
        let before = DROPS.get();
        let texts = (text == string, text.len(), string.chars().count());
        drop((value, array, vector, boxed, collected));
        (before, numbers, texts, DROPS.get())
    });
    assert_eq!(seen, (0, vec![2, 3, 4, 5, 6, 7, 8], (true, 6, 3), 8));
}

/// A function that takes what borrows or refers to a value takes a pointer.
#[test]
fn passed_where_a_reference_would_do() {
    fn by_as_ref(text: impl AsRef<str>) -> usize {
        text.as_ref().len()
    }
    fn by_borrow(value: impl Borrow<[u8]>) -> usize {
        value.borrow().len()
    }
    let lengths = as_with_rc!(|P, W| {
        let (text, bytes): (P<str>, P<[u8]>) = ("abc".into(), P::from([1, 2]));
        (by_as_ref(text.clone()), by_borrow(bytes.clone()))
    });
    assert_eq!(lengths, (3, 2));
}
