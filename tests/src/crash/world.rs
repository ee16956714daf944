//! What is around a case: its folder, the canaries, the program `lastly`, and the end of all that it started.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::oracle::{self, Verdict};
use super::resource::{deep_place, place, shared_prefix};
use super::system::{self, Child};

/// A case takes some milliseconds. A guard tries again for two seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is around all cases of one process.
pub struct World {
    folder: PathBuf,
    lastly: PathBuf,
    canaries: Canaries,
}

/// One case.
pub struct Case<'a> {
    world: &'a World,
    /// Where it is.
    pub folder: PathBuf,
    /// Whether its owner is to have a guard.
    pub guarded: bool,
}

/// Files that must not be touched, as they were.
struct Canaries {
    folder: PathBuf,
    were: Vec<Canary>,
}

#[derive(PartialEq, Eq)]
struct Canary {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl World {
    /// One with so many canaries. `lastly` is the program.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn new(folder: &Path, lastly: &Path, canaries: usize) -> io::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        system::adopt_orphans()?;
        let canaries = Canaries::set(folder.join("canaries"), canaries)?;
        Ok(Self { folder: folder.to_owned(), lastly: lastly.to_owned(), canaries })
    }

    /// Begins a case.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn case(&self, name: &str, guarded: bool) -> io::Result<Case<'_>> {
        let folder = self.folder.join(name);
        fs::create_dir_all(deep_place(&folder))?;
        fs::DirBuilder::new().mode(0o700).create(folder.join("journals"))?;
        // A run before this may have left it, where something was wrong.
        clear_shared_memory(&folder)?;
        Ok(Case { world: self, folder, guarded })
    }
}

impl Canaries {
    fn set(folder: PathBuf, count: usize) -> io::Result<Self> {
        fs::create_dir(&folder)?;
        for number in 0..count {
            fs::write(folder.join(number.to_string()), "canary")?;
        }
        let mut this = Self { folder, were: vec![] };
        this.were = (0..count).filter_map(|number| this.look(number)).collect();
        assert_eq!(this.were.len(), count, "they were just made");
        Ok(this)
    }

    fn look(&self, number: usize) -> Option<Canary> {
        let metadata = self.folder.join(number.to_string()).symlink_metadata().ok()?;
        Some(Canary {
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }

    fn what_is_wrong(&self) -> Vec<String> {
        let is_wrong = |(number, was): (usize, &Canary)| {
            (self.look(number).as_ref() != Some(was)).then(|| format!("canary {number}"))
        };
        self.were.iter().enumerate().filter_map(is_wrong).collect()
    }
}

impl Case<'_> {
    /// This program, as a part of the case.
    ///
    /// # Errors
    ///
    /// It cannot be found.
    pub fn crash(&self, verb: &str) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(verb).arg(&self.folder).arg(&self.world.canaries.folder);
        self.set_up(&mut command);
        Ok(command)
    }

    /// The program `lastly`.
    #[must_use]
    pub fn lastly(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.world.lastly);
        command.arg(verb);
        self.set_up(&mut command);
        command
    }

    fn set_up(&self, command: &mut Command) {
        command
            .env("LASTLY_JOURNALS", self.journals())
            .env(
                "LASTLY_GUARD",
                if self.guarded { self.world.lastly.as_os_str() } else { "0".as_ref() },
            )
            .env("LASTLY_SWEEP", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
    }

    fn journals(&self) -> PathBuf {
        self.folder.join("journals")
    }

    /// What is in the directory of the journals, but for the mark of sweeps.
    #[must_use]
    pub fn journal_names(&self) -> Vec<String> {
        let names = fs::read_dir(self.journals()).into_iter().flatten().flatten();
        let names = names.map(|it| it.file_name().to_string_lossy().into_owned());
        names.filter(|name| name != "sweep").collect()
    }

    /// Waits until all that was started in this case has ended, but for what are resources. `None`: it does
    /// not end.
    fn await_quiet(&self) -> Option<Vec<Child>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            system::reap_all();
            let children = system::descendants();
            let is_resource = |it: &Child| it.leads().or(it.is_member_of()).is_some();
            if children.iter().all(is_resource) {
                return Some(children);
            }
            if Instant::now() > deadline {
                return None;
            }
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Sweeps, as if it were a minute later: what belongs to a journal that is just being made is left alone.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    pub fn sweep(&self) -> io::Result<Output> {
        self.pass_time()?;
        let mut command = self.lastly("sweep");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).output()
    }

    /// See [`sweep`](Self::sweep).
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn pass_time(&self) -> io::Result<()> {
        for name in self.journal_names().iter().filter(|name| name.ends_with(".new")) {
            let file = fs::File::open(self.journals().join(name))?;
            file.set_modified(SystemTime::now() - Duration::from_secs(60))?;
        }
        Ok(())
    }

    /// The end of a case: everybody is done. `swept`: a guard may be dead, so there is a sweep; otherwise
    /// the guard alone has to do it, from the moment at which the first declaration was over.
    ///
    /// # Errors
    ///
    /// Something of the system fails.
    pub fn judge(&self, swept: bool) -> io::Result<Verdict> {
        let Some(mut living) = self.await_quiet() else {
            let leaks = vec![format!("there are still {:?}", system::descendants())];
            return Ok(Verdict { leaks, ..Verdict::default() });
        };
        let mut told = String::new();
        let is_guarded = self.guarded && self.ledger().contains("\ndeclared ");
        // What is no journal yet is swept in any case.
        let is_unfinished = |name: &String| name.ends_with(".new");
        if (swept || !is_guarded || self.journal_names().iter().all(is_unfinished))
            && !self.journal_names().is_empty()
        {
            let output = self.sweep()?;
            told = format!("sweep: {}", String::from_utf8_lossy(&output.stdout));
            living = self.await_quiet().unwrap_or_default();
        }
        let mut verdict = oracle::judge(&self.folder, &living);
        let deadline = Instant::now() + PATIENCE;
        // Who was killed may need a moment to be dead.
        while verdict.leaks.iter().any(|it| it.contains("Group")) && Instant::now() < deadline {
            thread::sleep(Duration::from_micros(200));
            living = self.await_quiet().unwrap_or_default();
            verdict = oracle::judge(&self.folder, &living);
        }
        verdict.wrongs.extend(self.world.canaries.what_is_wrong());
        verdict.leaks.extend(self.journal_names().into_iter().map(|it| format!("{it}; {told}")));
        Ok(verdict)
    }

    /// How far the ledger is.
    #[must_use]
    pub fn ledger_length(&self) -> u64 {
        super::ledger::path(&self.folder).metadata().map_or(0, |it| it.len())
    }

    fn ledger(&self) -> String {
        fs::read_to_string(super::ledger::path(&self.folder)).unwrap_or_default()
    }

    /// Ends what is left of the case, and removes its folder.
    ///
    /// # Errors
    ///
    /// It cannot be removed.
    pub fn clear(self) -> io::Result<()> {
        loop {
            system::reap_all();
            let children = system::descendants();
            if children.is_empty() {
                break;
            }
            children.iter().for_each(|child| system::kill_one(child.pid));
            thread::sleep(Duration::from_micros(100));
        }
        clear_shared_memory(&self.folder)?;
        debug_assert!(place(&self.folder).starts_with(&self.world.folder), "ours");
        fs::remove_dir_all(&self.folder)
    }
}

fn clear_shared_memory(folder: &Path) -> io::Result<()> {
    let prefix = shared_prefix(folder);
    for name in fs::read_dir("/dev/shm")?.flatten().map(|it| it.file_name()) {
        if name.to_string_lossy().starts_with(&prefix) {
            _ = fs::remove_file(Path::new("/dev/shm").join(name));
        }
    }
    Ok(())
}
