//! Temporary directories and files.

use std::fs;
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lastly::actions::{NamedTemporaryFile, TemporaryDirectory};

use crate::{NOTHING, Reports, directory, file, tree, written};

fn mode(path: &Path) -> u32 {
    path.metadata().expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_directory_goes_with_its_value() {
    let reports = Reports::record();
    let temporary = TemporaryDirectory::new().unwrap();
    let path = temporary.path().to_owned();
    assert!(path.is_absolute() && path.is_dir() && path.starts_with(std::env::temp_dir()));
    assert_eq!(mode(&path), 0o700);
    assert_eq!(written(&path), ["remove_tree: known, unguessable"]);
    fs::create_dir(path.join("inside")).unwrap();
    drop(temporary);
    assert!(!path.exists());
    assert_eq!(written(&path), NOTHING);
    assert_eq!(reports.take(), NOTHING);
}

#[test]
fn a_file_goes_with_its_value() {
    let mut temporary = NamedTemporaryFile::new().unwrap();
    let path = temporary.path().to_owned();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(written(&path), ["remove_file: known, unguessable"]);
    temporary.write_all(b"content").unwrap();
    temporary.flush().unwrap();
    temporary.rewind().unwrap();
    let mut text = String::new();
    temporary.read_to_string(&mut text).unwrap();
    assert_eq!(
        (text.as_str(), fs::read_to_string(&temporary).unwrap().as_str()),
        ("content", "content")
    );
    drop(temporary);
    assert!(!path.exists());
    assert_eq!(written(&path), NOTHING);
}

#[test]
fn they_are_made_as_is_asked_for() {
    let inside = tree("for temporaries");
    let builder = TemporaryDirectory::builder().prefix("build-").suffix(".d").inside(&inside);
    let (one, another) = (builder.clone().build().unwrap(), builder.synced(true).build().unwrap());
    assert_ne!(one.path(), another.path());
    for path in [one.path(), another.path()] {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("build-") && name.ends_with(".d") && name.len() >= 24, "{name}");
        assert_eq!(path.parent(), Some(inside.as_path()));
    }
    assert_eq!(written(another.path()), ["remove_tree: known, synced, unguessable"]);
    let file = NamedTemporaryFile::builder().suffix(".txt").inside(&inside).synced(true).build();
    let file = file.unwrap();
    assert!(file.path().extension().is_some_and(|ending| ending == "txt"));
    assert_eq!(written(file.path()), ["remove_file: known, synced, unguessable"]);
}

#[test]
fn closing_tells() {
    let temporary = TemporaryDirectory::new().unwrap();
    let path = temporary.path().to_owned();
    temporary.close().unwrap();
    assert!(!path.exists());
    // Gone already: that is fine.
    let temporary = NamedTemporaryFile::new().unwrap();
    fs::remove_file(&temporary).unwrap();
    temporary.close().unwrap();
}

#[test]
fn what_is_kept_is_nobodys_to_remove() {
    let directory = TemporaryDirectory::builder().inside(directory()).build().unwrap().keep();
    assert!(directory.is_dir());
    assert_eq!(written(&directory), NOTHING);
    let temporary = NamedTemporaryFile::builder().inside(&directory).build().unwrap();
    let (mut file, path) = temporary.keep();
    file.write_all(b"more").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"more");
    assert_eq!(written(&path), NOTHING);
}

#[test]
fn a_file_can_be_opened_once_more() {
    let mut temporary = NamedTemporaryFile::builder().inside(directory()).build().unwrap();
    temporary.as_file_mut().write_all(b"content").unwrap();
    let mut text = String::new();
    temporary.reopen().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "content");
    let another = file("put in its place");
    fs::rename(another, temporary.path()).unwrap();
    let error = temporary.reopen().unwrap_err();
    assert!(error.to_string().ends_with("another file is in its place"), "{error}");
    let path = temporary.path().to_owned();
    temporary.close().unwrap();
    assert!(path.exists(), "it is another");
}

#[test]
fn what_cannot_be_made_is_an_error_and_nothing_else() {
    let reports = Reports::record();
    for bad in ["a/b", "a\0b"] {
        let error = TemporaryDirectory::builder().prefix(bad).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("say by `inside`"), "{error}");
        let error = NamedTemporaryFile::builder().suffix(bad).build().unwrap_err();
        assert!(error.to_string().starts_with("the suffix"), "{error}");
    }
    let nowhere = directory().join("not there");
    let error = TemporaryDirectory::builder().inside(&nowhere).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("not there"), "{error}");
    let long = "x".repeat(300);
    NamedTemporaryFile::builder().prefix(long).build().unwrap_err();
    assert_eq!(reports.take(), NOTHING);
}
