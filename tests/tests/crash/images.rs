//! The file system of containers: what comes from the image is copied there when it is first written to, and is
//! another file from then on, to all that can be seen of it. To who declared it, it is the same.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use lastly_tests::crash::resource::{Kind, Resource, place};
use nix::mount::{MsFlags, mount, umount};

use crate::fixture::{Fixture, in_mounts_of_its_own, lastly};

/// From the image: a tree, and a file.
const OF_IMAGE: [Resource; 2] =
    [Resource { number: 0, kind: Kind::Tree }, Resource { number: 2, kind: Kind::File }];
/// Made by the program, in a directory of the image.
const OWN: Resource = Resource { number: 4, kind: Kind::Tree };

/// Where the image is, what is changed of it, and a place for work.
fn parts(fixture: &Fixture) -> [PathBuf; 3] {
    ["lower", "upper", "work"].map(|name| fixture.folder.join(name))
}

/// Makes an image of the resources.
fn make_image(fixture: &Fixture) {
    let [lower, upper, work] = parts(fixture);
    let place = place(&fixture.folder);
    for resource in OF_IMAGE {
        resource.make(&fixture.folder, &fixture.folder).expect("there is room");
    }
    fs::rename(&place, &lower).expect("ours");
    for directory in [&place, &upper, &work] {
        fs::create_dir(directory).expect("there is room");
    }
}

/// Puts it where the resources are.
fn mount_image(fixture: &Fixture) {
    let ([lower, upper, work], place) = (parts(fixture), place(&fixture.folder));
    let text = |path: &PathBuf| path.display().to_string();
    let (lower, upper, work) = (text(&lower), text(&upper), text(&work));
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    let none = MsFlags::empty();
    mount(Some("overlay"), &place, Some("overlay"), none, Some(&*options)).expect("overlayfs");
}

/// As a container is started again: the file system has another number.
fn mount_anew(fixture: &Fixture) {
    let place = place(&fixture.folder);
    let device = || fs::metadata(&place).expect("it is there").dev();
    let before = device();
    umount(&place).expect("nobody uses it");
    let none = None::<&str>;
    // It takes the number that is free now.
    mount(Some("none"), &place, Some("tmpfs"), MsFlags::empty(), none).expect("it is allowed here");
    mount_image(fixture);
    assert_ne!(device(), before);
}

/// What the program does with what it declared.
fn write_to_all(fixture: &Fixture) {
    let [tree, file] = OF_IMAGE.map(|resource| resource.path(&fixture.folder));
    fs::write(tree.join("new"), "").expect("there is room");
    let mut file = OpenOptions::new().append(true).open(file).expect("ours");
    file.write_all(b"more").expect("there is room");
}

#[test]
fn what_is_copied_from_it_is_what_was_declared() {
    if !in_mounts_of_its_own("images::what_is_copied_from_it_is_what_was_declared") {
        return;
    }
    let guard = lastly().to_str().expect("text");
    for (end, guard) in [("call", guard), ("drop", guard), ("kill", guard), ("kill", "0")] {
        let fixture = Fixture::new("image");
        make_image(&fixture);
        mount_image(&fixture);
        let mut owner = fixture.puppet_with(guard);
        // In this order: that it is made changes the directory in which it is.
        for word in ["declare 4", "make 4", "declare 0", "declare 2-file"] {
            owner.tell(word);
        }
        write_to_all(&fixture);
        for resource in ["4", "2-file", "0"] {
            if end != "kill" {
                owner.tell(&format!("{end} {resource}"));
            }
        }
        let is_left = || [OWN, OF_IMAGE[0], OF_IMAGE[1]].map(|it| it.is_there(&fixture.folder));
        if end != "kill" {
            assert_eq!(is_left(), [false; 3], "{end}");
        }
        owner.kill();
        if guard == "0" {
            mount_anew(&fixture);
            fixture.sweep(&[]);
        }
        fixture.await_end();
        assert_eq!(is_left(), [false; 3], "{end}, with the guard {guard}");
        while umount(&place(&fixture.folder)).is_ok() {}
        fixture.clear();
    }
}
