//! A worker that cuts video: each segment is a temporary file, held by objects in a cycle.
//!
//! It has turned the collector off, as a worker does that must not be held up. With `Drop`, the files stay
//! until it is called. With a finalizer each round ends by closing its segment; and a pressure has what
//! failed rounds forget collected before it is too many files. The last of them go at exit.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use lastly::{Finalizer, Gc, Pressure, Trace, collect, collector, defer};

const ROUNDS: usize = 1000;

/// As many files as the worker may have open, say.
const LIMIT: usize = 100;

/// Knows its segment, which knows its decoder: a cycle.
#[derive(Trace)]
struct Decoder<S>(Gc<S>);

#[derive(Trace)]
struct SegmentWithDrop {
    path: PathBuf,
    decoder: RefCell<Option<Gc<Decoder<Self>>>>,
}

impl Drop for SegmentWithDrop {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[derive(Trace, Default)]
struct Segment {
    decoder: RefCell<Option<Gc<Decoder<Self>>>>,
}

struct Worker {
    disk: PathBuf,
    files: Pressure,
}

impl Worker {
    fn new(disk: PathBuf) -> Self {
        Self { disk, files: Pressure::new(LIMIT) }
    }

    fn temporary_file(&self, number: usize) -> io::Result<PathBuf> {
        let path = self.disk.join(format!("{number}.ts"));
        File::create(&path)?;
        Ok(path)
    }

    fn with_drop(&self, number: usize) -> io::Result<()> {
        let path = self.temporary_file(number)?;
        let segment = Gc::new(SegmentWithDrop { path, decoder: RefCell::default() });
        *segment.decoder.borrow_mut() = Some(Gc::new(Decoder(segment.clone())));
        Ok(())
    }

    /// The segment, and what closes it.
    fn segment(&self, number: usize) -> io::Result<(Gc<Segment>, Finalizer)> {
        let path = self.temporary_file(number)?;
        let segment = Gc::new(Segment::default());
        let close = self.files.finalize(&segment, fs::remove_file, path).erase();
        *segment.decoder.borrow_mut() = Some(Gc::new(Decoder(segment.clone())));
        Ok((segment, close))
    }
}

fn files(disk: &Path) -> io::Result<usize> {
    Ok(fs::read_dir(disk)?.count())
}

fn main() -> io::Result<()> {
    let disk = std::env::temp_dir().join("video-segments");
    fs::create_dir(&disk)?;
    // Made first, so it runs last: it needs an empty directory.
    std::mem::forget(defer(fs::remove_dir, disk.clone()));
    let worker = Worker::new(disk.clone());
    let _off = collector::pause();

    for number in 0..ROUNDS {
        worker.with_drop(number)?;
    }
    println!("Drop, the collector is off: {} files", files(&disk)?);
    collect();
    println!("when it was called: {}", files(&disk)?);

    let mut most = 0;
    for number in 0..ROUNDS {
        let (_segment, close) = worker.segment(number)?;
        most = most.max(files(&disk)?);
        close.call();
    }
    println!("finalize, closed early: {most} file at most");

    let mut most = 0;
    for number in 0..ROUNDS {
        let (_segment, close) = worker.segment(number)?;
        most = most.max(files(&disk)?);
        if number % 5 != 0 {
            close.call(); // every fifth round fails, and forgets it
        }
    }
    println!("finalize, every fifth forgotten: {most} files at most");
    println!("collections for that: {}", worker.files.collections());
    collect();
    println!("in the end: {}", files(&disk)?);
    for number in 0..10 {
        std::mem::forget(worker.segment(number)?); // at exit
    }
    Ok(())
}
