//! Journals that are lost to a living process, or cannot be written: what it gave up is not done, and what it did
//! not is.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lastly_tests::crash::door::DONE;
use lastly_tests::crash::resource::{Kind, Resource};
use nix::mount::{MsFlags, mount, umount};

use crate::fixture::{Fixture, Puppet, in_mounts_of_its_own, is_root, lastly};

/// With a guard, and without.
fn guards() -> [&'static str; 2] {
    [lastly().to_str().expect("text"), "0"]
}

/// Kills the owner, and has somebody do what it left.
fn end(fixture: &Fixture, mut owner: Puppet, guard: &str) {
    owner.kill();
    if guard == "0" {
        fixture.sweep(&[]);
    }
    fixture.await_end();
}

#[test]
fn a_journal_that_somebody_has_removed_is_begun_anew() {
    for guard in guards() {
        let fixture = Fixture::new("removed");
        let mut owner = fixture.puppet_with(guard);
        for number in [0, 2, 4] {
            owner.have(number);
        }
        owner.tell("keep 4");
        fs::remove_file(journal(&fixture).expect("there is one")).expect("it is ours");
        owner.have(6);
        end(&fixture, owner, guard);
        let left = [0, 2, 4, 6].map(|number| fixture.is_there(number));
        assert_eq!(left, [false, false, true, false], "with the guard {guard}");
        fixture.clear();
    }
}

#[test]
fn on_a_full_disk_what_is_declared_is_done() {
    if !in_mounts_of_its_own("lost::on_a_full_disk_what_is_declared_is_done") {
        return;
    }
    for guard in guards() {
        let fixture = Fixture::new("full");
        mount_small(&fixture.journals());
        let mut owner = fixture.puppet_with(guard);
        let trees = || (0..20).step_by(2);
        trees().for_each(|number| owner.have(number));
        let filling = fill(&fixture.journals());
        // What is left of the journal's last page.
        let is_full = |number: u32| {
            owner.tell(&format!("declare {number}"));
            owner.tell("protection").starts_with("nothing: cannot write the journal")
        };
        assert!((100..200).step_by(2).any(is_full));
        end(&fixture, owner, guard);
        assert!(!trees().any(|number| fixture.is_there(number)), "with the guard {guard}");
        drop(filling);
        umount(&fixture.journals()).expect("nobody uses it");
        fixture.clear();
    }
}

#[test]
fn what_is_given_up_on_a_full_disk_is_not_done() {
    /// Less than that is left in the last page of the journal: not enough to write down that all of them are given up.
    const ROOM: u64 = 400;
    if !in_mounts_of_its_own("lost::what_is_given_up_on_a_full_disk_is_not_done") {
        return;
    }
    for guard in guards() {
        let fixture = Fixture::new("full-given-up");
        mount_small(&fixture.journals());
        let mut owner = fixture.puppet_with(guard);
        let (given_up, others) = (|| (0..28).step_by(2), || (28..32).step_by(2));
        given_up().chain(others()).for_each(|number| owner.have(number));
        let mut padding = (100..).step_by(2);
        while room(&journal(&fixture).expect("there is one")) >= ROOM {
            owner.tell(&format!("declare {}", padding.next().expect("a number")));
        }
        let filling = fill(&fixture.journals());
        for number in given_up() {
            owner.tell(&format!("keep {number}"));
        }
        let was_full = journal(&fixture).is_none();
        // What is declared stands in another from here on.
        owner.have(32);
        end(&fixture, owner, guard);
        assert!(given_up().all(|number| fixture.is_there(number)), "with the guard {guard}");
        let is_left = others().chain([32]).any(|number| fixture.is_there(number));
        assert!(!is_left, "with the guard {guard}");
        assert!(was_full, "it was not possible to write it down");
        drop(filling);
        umount(&fixture.journals()).expect("nobody uses it");
        fixture.clear();
    }
}

/// That it is there, could not be written down; it is when there is room.
#[test]
fn what_is_confirmed_again_after_a_full_disk_is_known() {
    if !in_mounts_of_its_own("lost::what_is_confirmed_again_after_a_full_disk_is_known") {
        return;
    }
    for guard in guards() {
        let fixture = Fixture::new("full-confirmed");
        mount_small(&fixture.journals());
        let mut owner = fixture.puppet_with(guard);
        for word in ["declare 0", "make 0"] {
            owner.tell(word);
        }
        let filling = fill(&fixture.journals());
        let is_full = |number: u32| {
            owner.tell(&format!("declare {number}"));
            owner.tell("protection").starts_with("nothing: ")
        };
        assert!((100..200).step_by(2).any(is_full));
        let said = owner.tell("confirm 0");
        assert!(said.starts_with("cannot write the journal: "), "{said}");
        drop(filling);
        assert_eq!(owner.tell("confirm 0"), DONE);
        // Another has its name now, and is not what was declared.
        let tree = Resource { number: 0, kind: Kind::Tree };
        fs::rename(tree.path(&fixture.folder), fixture.folder.join("moved")).expect("ours");
        tree.make(&fixture.folder, &fixture.folder).expect("there is room");
        end(&fixture, owner, guard);
        assert!(fixture.is_there(0), "with the guard {guard}");
        umount(&fixture.journals()).expect("nobody uses it");
        fixture.clear();
    }
}

/// As servers do to open a file with a user's rights.
#[test]
fn who_acts_as_another_user_for_a_moment_loses_nothing() {
    if !is_root() {
        return;
    }
    for guard in guards() {
        let fixture = Fixture::new("another-user");
        let mut owner = fixture.puppet_with(guard);
        // Also if it does so first of all.
        let as_another = ["act-as 65534", "declare 2-shared", "act-as 0"];
        as_another.iter().for_each(|word| drop(owner.tell(word)));
        owner.have(0);
        let before = owner.tell("protection");
        assert!(!before.starts_with("nothing"), "{before}");
        as_another.iter().for_each(|word| drop(owner.tell(word)));
        owner.have(4);
        assert_eq!(owner.tell("protection"), before);
        end(&fixture, owner, guard);
        assert!(![0, 4].into_iter().any(|number| fixture.is_there(number)), "with {guard}");
        fixture.clear();
    }
}

/// The only one, if there is one.
fn journal(fixture: &Fixture) -> Option<PathBuf> {
    let names = fixture.journal_names();
    assert!(names.len() <= 1, "{names:?}");
    Some(fixture.journals().join(names.first()?))
}

/// How much of the last page of a file is free.
fn room(file: &Path) -> u64 {
    let metadata = file.metadata().expect("it is there");
    metadata.blksize() - metadata.len() % metadata.blksize()
}

/// A file system of some pages, for the user alone.
fn mount_small(directory: &Path) {
    let (kind, options) = (Some("tmpfs"), Some("nr_blocks=16,mode=700"));
    mount(kind, directory, kind, MsFlags::empty(), options).expect("it is allowed here");
}

/// Takes all that is free, by a file without a name, as long as that is held.
fn fill(directory: &Path) -> File {
    let path = directory.join("filling");
    let mut file = File::create(&path).expect("there is room for a name");
    fs::remove_file(&path).expect("it is ours");
    while file.write_all(&[1; 1024]).is_ok() {}
    file
}
