//! The removal of large trees.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use lastly::actions;

use super::Scratch;
use crate::Effort;
use crate::measure::{median, ratio, rounds};

/// A name, and what removes a tree.
type Contender = (&'static str, fn(&Path) -> io::Result<()>);

const CONTENDERS: [Contender; 3] = [
    ("**lastly** `actions::remove_tree`", |path| actions::remove_tree(path.to_owned())),
    ("`fs::remove_dir_all`", |path| fs::remove_dir_all(path)),
    ("`rm -rf`", |path| Command::new("rm").arg("-rf").arg(path).status().map(drop)),
];

/// Has a file system of ext's kind put each tree elsewhere: it does not use a file's number again for a minute,
/// and looks long for another where many files have just been removed. Other systems need no such thing.
fn spread(directory: &Path) {
    _ = Command::new("chattr").arg("+T").arg(directory).stderr(Stdio::null()).status();
}

/// The last of them is what the others are compared with.
const BASE: usize = CONTENDERS.len() - 1;

pub(super) fn table(effort: &Effort, scratch: &Scratch) {
    println!("### Rust: a tree of {} files removed (ms)\n", effort.tree);
    spread(&scratch.disk);
    print!("| |");
    let mut columns = Vec::new();
    // On a disk it takes long to make so many, again and again.
    let places = [
        (&scratch.disk, "disk, a tenth as many", effort.tree / 10),
        (&scratch.memory, "memory", effort.tree),
    ];
    for (place, name, files) in places {
        for (directories, shape) in [(1, "flat"), (files / 100, "nested")] {
            print!(" {name}, {shape} | × |");
            columns.push(removals(effort, place, directories, files));
        }
    }
    println!("\n|---|{}", "---|---|".repeat(columns.len()));
    for (index, (name, _)) in CONTENDERS.iter().enumerate() {
        print!("| {name} |");
        for figures in &columns {
            print!(" {:.0} | {} |", figures[index], ratio(figures[index], figures[BASE]));
        }
        println!();
    }
    println!();
}

/// Milliseconds of each contender.
fn removals(effort: &Effort, place: &Path, directories: u32, files: u32) -> Vec<f64> {
    let made = Cell::new(0);
    let one = |(_, remove): &Contender| {
        made.set(made.get() + 1);
        let tree = &place.join(format!("tree-{directories}-{}", made.get()));
        make(tree, directories, files / directories);
        let begin = Instant::now();
        remove(tree).expect("it is removed");
        let taken = begin.elapsed().as_secs_f64() * 1e3;
        assert!(!tree.exists(), "all of it");
        taken
    };
    rounds(effort.trees, &CONTENDERS, one).iter().map(|figures| median(figures)).collect()
}

fn make(tree: &Path, directories: u32, files: u32) {
    let directory = |n| match directories {
        1 => tree.to_owned(),
        // Ten in each, as deep as it takes.
        _ => tree.join(n_th(n)),
    };
    for n in 0..directories {
        let directory = directory(n);
        fs::create_dir_all(&directory).expect("there is room");
        for file in 0..files {
            fs::File::create(directory.join(format!("file-{file}"))).expect("there is room");
        }
    }
}

/// 123: `1/2/3`.
fn n_th(n: u32) -> PathBuf {
    n.to_string().chars().map(|digit| format!("d{digit}")).collect()
}
