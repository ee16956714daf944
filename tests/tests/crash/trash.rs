//! The names that things have while they are removed: who sees one cannot be in the way of the next.

use std::fs;
use std::os::unix::fs::chown;

use lastly_journal::{Directory, sweep};
use lastly_tests::crash::resource::place;

use crate::fixture::{Fixture, is_root};

#[test]
fn from_the_name_of_one_that_of_another_is_not_known() {
    let fixture = Fixture::new("trash");
    let mut owner = fixture.puppet_with("0");
    let trees = [0, 2, 4, 6];
    trees.iter().for_each(|number| owner.have(*number));
    owner.kill();
    // Somebody sees the name of each while it is removed, and takes those that he makes of it.
    let place = place(&fixture.folder);
    let mut taken = vec![];
    for seen in names(&fixture) {
        for step in 1..=16 {
            let near = [seen.wrapping_add(step), seen.wrapping_sub(step), seen ^ step];
            let far = near.map(|it| it.rotate_left(64));
            taken.extend(near.iter().chain(&far).map(|it| format!(".lastly-{it:032x}")));
        }
        taken.extend((0..16).map(|entry| format!(".lastly-{seen:032x}-{entry:x}")));
    }
    taken.sort();
    taken.dedup();
    for name in &taken {
        fs::create_dir(place.join(name)).expect("nobody else has it");
        if is_root() {
            chown(place.join(name), Some(4_321), None).expect("root may");
        }
    }
    let told = fixture.sweep(&[]);
    assert_eq!(told.last().expect("some"), "4 done, 0 left, 0 failed.", "{told:?}");
    assert!(!trees.iter().any(|number| fixture.is_there(*number)));
    // Nor is what others have put there touched.
    assert!(taken.iter().all(|name| place.join(name).exists()));
    fixture.clear();
}

/// The numbers in the names that what is declared is to have while it is removed.
fn names(fixture: &Fixture) -> Vec<u128> {
    let directory = Directory::open(&fixture.journals()).expect("it is trusted");
    let found = sweep::look(&directory).expect("it is readable");
    let journals = found.into_iter().map(|found| found.state.expect("it is readable"));
    journals.flat_map(|journal| journal.entries).map(|entry| entry.trash).collect()
}
