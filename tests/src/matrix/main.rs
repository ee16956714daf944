//! A program that ends as its first argument says, while it is in the state that its second one says.
//! `tests/matrix.json` tells what it prints, how it dies and what it leaves behind. For its second table: `declared`.

mod declared;
mod endings;
mod states;

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{LazyLock, Mutex};
use std::thread;

use endings::Ending;
use lastly::{Cleaner, Watched, finalize};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (ending, state) = match &arguments[..] {
        [ending, state] => (ending, state),
        [_, ending, which_process] => return declared::play(ending, which_process),
        _ => panic!("an ending and a state"),
    };
    let ending = Ending::named(ending);
    endings::begin(ending);
    HANDED_OVER.store(state == "backlog", SeqCst);
    // In the process that it happens in.
    if state == "child" {
        make(None, "")
    } else {
        make(Some(ending), "")
    }
    states::named(state)(ending);
}

/// Two temporary directories; between them what hangs, if there is to be a second signal.
fn make(ending: Option<Ending>, whose: &str) {
    tie(format!("{whose}older"));
    if ending == Some(Ending::SecondSignal) {
        watch(hangs, ());
    }
    tie(format!("{whose}newer"));
}

/// Whether it is a cleaner that is to run what objects have when they die.
static HANDED_OVER: AtomicBool = AtomicBool::new(false);
static CLEANER: LazyLock<Cleaner> = LazyLock::new(|| Cleaner::new(1_000));

/// The objects. They live to the end of the program, unless they are dropped.
static KEPT: Mutex<Vec<Watched<i32>>> = Mutex::new(Vec::new());

/// Ties a callback to an object.
fn watch<A: Send + 'static>(function: impl FnOnce(A) + Send + 'static, arguments: A) {
    let object = Watched::new(0);
    if HANDED_OVER.load(SeqCst) {
        CLEANER.finalize(&object, function, arguments);
    } else {
        finalize(&object, function, arguments);
    }
    KEPT.lock().expect("no panic").push(object);
}

/// Drops all objects, the newest first.
fn drop_all() {
    let mut kept = std::mem::take(&mut *KEPT.lock().expect("no panic"));
    while kept.pop().is_some() {}
}

/// Ties a directory to an object that lives to the end of the program.
fn tie(directory: String) {
    fs::create_dir(&directory).expect("the program began in an empty directory");
    watch(remove, directory);
}

fn leak(value: i32) -> &'static Watched<i32> {
    Box::leak(Box::new(Watched::new(value)))
}

fn remove(directory: String) {
    say(&format!("{} removes {directory}", who()));
    fs::remove_dir(directory).expect("made by `tie`");
}

fn hangs((): ()) {
    say(&format!("{} hangs", who()));
    hang();
}

fn hang() -> ! {
    loop {
        thread::park();
    }
}

/// What kind of thread this is. The system knows, also where thread-locals are gone.
fn who() -> &'static str {
    // SAFETY: it only tells a number.
    let thread = unsafe { libc::gettid() };
    if thread.unsigned_abs() == std::process::id() {
        return "main";
    }
    let name = fs::read_to_string("/proc/thread-self/comm").expect("this thread's name");
    if name.starts_with("lastly") { "lastly" } else { "thread" }
}

/// One line to stdout, whole: by one write, without a buffer that an end could lose.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).expect("the parent listens");
    out.flush().expect("the parent listens");
}
