//! A program that ends in the way its argument says. Its parent, `tests/endings.rs`, compares
//! what it prints, how it dies and what it leaves behind with what is promised.

mod scenes;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use lastly::{Watched, finalize};

fn main() {
    let name = std::env::args().nth(1).expect("the name of a scene");
    heed_signals();
    if name == "many" {
        scenes::many(std::env::args().nth(2).and_then(|n| n.parse().ok()).expect("how many"));
        return say("main returns");
    }
    let Some(scene) = scenes::find(&name) else {
        eprintln!("no scene `{name}` in tests/src/scenes");
        std::process::exit(2);
    };
    scene();
    say("main returns");
}

/// Whoever started this may ignore them: a shell does, for what it runs in the background.
fn heed_signals() {
    for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGTERM] {
        // SAFETY: the default action is no function.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// One line to stdout, whole: by one write, without a buffer that an exit could lose.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).expect("the parent listens");
    out.flush().expect("the parent listens");
}

/// An object that lives to the end of the program, with a finalizer that says `line`.
fn leak(line: &'static str) {
    let object = Box::leak(Box::new(Watched::new(line)));
    finalize(&*object, say, line);
}

/// Waits for another thread, which says when it is where it should be.
static THERE: AtomicBool = AtomicBool::new(false);

fn arrive() {
    THERE.store(true, SeqCst);
}

fn wait_for_arrival() {
    while !THERE.load(SeqCst) {
        thread::yield_now();
    }
}

/// Never returns.
fn hang() {
    loop {
        thread::park();
    }
}
