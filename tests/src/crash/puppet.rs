//! A program that does what it is told, line by line: how tests get processes into the states in which they
//! then die. It answers each line by one of its own.

use std::fs::{self, File};
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::thread;

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, Uid, alarm, fork, pause, seteuid, setuid};

use super::door::{self, DONE, Door};
use super::resource::{Kind, Resource, place};
use super::system::{adopt_orphans, kill_this};

/// Nothing takes long, but machines may be slow. In seconds.
const PATIENCE: u32 = 120;

struct Puppet {
    folder: PathBuf,
    door: Door,
    /// What it has opened: kept open.
    opened: Vec<File>,
}

/// What the program `crash puppet` does.
pub fn main(folder: &Path) {
    // A hang must not take the time of the suite: who waits for an answer hears that it has ended.
    alarm::set(PATIENCE);
    let mut puppet = Puppet { folder: folder.to_owned(), door: Door::default(), opened: vec![] };
    answer("ready");
    let mut line = String::new();
    loop {
        line.clear();
        if io::stdin().lock().read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match puppet.obey(&words) {
            Some(text) => answer(&text),
            None => return,
        }
    }
}

fn answer(text: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).expect("somebody listens");
}

impl Puppet {
    /// `None`: it is to end.
    fn obey(&mut self, words: &[&str]) -> Option<String> {
        match *words {
            ["declare", it] => self.door.declare(resource(it), &self.folder, None, false),
            ["sync", it] => self.door.declare(resource(it), &self.folder, None, true),
            ["make", it] => self.make(resource(it)),
            ["confirm", it] => return Some(self.door.confirm(resource(it))),
            ["keep", it] => self.door.keep(resource(it)),
            ["call", it] => self.door.call(resource(it)),
            ["drop", it] => self.door.drop(resource(it)),
            ["temporary", above] => {
                return Some(self.door.make_temporary(Path::new(above)).display().to_string());
            }
            ["fork", what, it] => return Some(self.fork(what, resource(it)).to_string()),
            ["sweep-and-fork", first] => return Some(self.sweep_and_fork(Path::new(first))),
            ["fork-raw"] => return Some(fork_raw().to_string()),
            ["exec"] => {
                let mut command = Command::new("/proc/self/exe");
                let error = command.arg("puppet").arg(&self.folder).exec();
                panic!("exec: {error}");
            }
            ["close-all"] => close_all(),
            ["hide"] => hide(&self.folder),
            ["act-as", user] => {
                let user = Uid::from_raw(user.parse().expect("a number"));
                seteuid(user).expect("it has the right");
            }
            ["protection"] => return Some(door::protection()),
            ["wait"] => return Some(wait_for_all().to_owned()),
            ["adopt"] => adopt_orphans().expect("it is allowed"),
            ["be-root"] => setuid(Uid::from_raw(0)).expect("it has the right"),
            ["open", path] => self.open(Path::new(path)),
            ["exit"] => return None,
            _ => panic!("nothing to obey: {words:?}"),
        }
        Some(DONE.to_owned())
    }

    fn make(&self, resource: Resource) {
        resource.make(&self.folder, &self.folder).expect("there is none yet");
    }

    /// Forks a child. Those that end are waited for.
    fn fork(&mut self, what: &str, resource: Resource) -> i32 {
        // SAFETY: this program has one thread, so the child is whole.
        let child = match unsafe { fork() }.expect("the system has room for a process") {
            ForkResult::Parent { child } => child,
            ForkResult::Child => self.be_a_child(what, resource),
        };
        if what != "live" && what != "own" {
            waitpid(child, None).expect("it is a child");
        } else if what == "own" {
            // It says so when it has declared.
            let own = self.folder.join("own");
            while !own.exists() {
                thread::yield_now();
            }
        }
        child.as_raw()
    }

    /// Declares something on another thread, which so begins to sweep; and forks when this is gone.
    fn sweep_and_fork(&mut self, first: &Path) -> String {
        let folder = self.folder.clone();
        let resource = Resource { number: 0, kind: Kind::Tree };
        thread::spawn(move || {
            let mut door = Door::default();
            door.declare(resource, &folder, None, false);
            // Until this is killed.
            loop {
                thread::park();
            }
        });
        while first.exists() {
            thread::yield_now();
        }
        self.fork("live", resource).to_string()
    }

    fn be_a_child(&mut self, what: &str, resource: Resource) -> ! {
        match what {
            "exit" => exit(0),
            "call" => self.door.call(resource),
            "drop" => self.door.drop(resource),
            "kill" => kill_this(),
            "own" => {
                self.door.declare(resource, &self.folder, None, false);
                self.make(resource);
                fs::write(self.folder.join("own"), "").expect("there is room");
            }
            _ => {}
        }
        if what != "live" && what != "own" {
            exit(0);
        }
        loop {
            pause();
        }
    }

    /// A file or directory, again and again: until every number that was closed is one of these.
    fn open(&mut self, path: &Path) {
        let mut options = File::options();
        options.read(true).write(!path.is_dir());
        self.opened.extend((0..32).map(|_| options.open(path).expect("it is there")));
    }
}

/// What a word means: the number of a tree, or of something else, `2-file`.
fn resource(word: &str) -> Resource {
    let (number, kind) = word.split_once('-').unwrap_or((word, "tree"));
    let kind = Kind::of_word(kind).expect("a kind");
    Resource { number: number.parse().expect("a number"), kind }
}

/// Has the resources be where this program does not see them, and others do.
fn hide(folder: &Path) {
    unshare(CloneFlags::CLONE_NEWNS).expect("it has the right");
    let (none, private) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
    mount(none, "/", none, private, none).expect("it has the right");
    let place = place(folder);
    mount(Some("none"), &place, Some("tmpfs"), MsFlags::empty(), none).expect("it has the right");
}

/// A child past the C library: nobody closes anything in it.
fn fork_raw() -> i32 {
    // SAFETY: a fork, with a copy of all memory; the child only waits.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    if child == 0 {
        loop {
            pause();
        }
    }
    Pid::from_raw(i32::try_from(child).expect("the number of a process")).as_raw()
}

/// As the first process of a container does, and who runs tests: until there is nobody to wait for. Does not wait
/// for who would not end.
fn wait_for_all() -> &'static str {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return "nobody",
            Ok(WaitStatus::StillAlive) => return "somebody",
            _ => {}
        }
    }
}

/// As daemons do.
fn close_all() {
    // SAFETY: this is what is tested.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}
