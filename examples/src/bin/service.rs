//! A service: a socket that clients find by its path, in a directory of its own.
//!
//! Services are ended by SIGTERM, which by default leaves everything behind; and some fork and go
//! on as the child.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use lastly::{Watched, finalize};

/// What clients connect to. Its directory goes with it.
struct Service {
    listener: Watched<UnixListener>,
}

impl Service {
    fn new(directory: &Path) -> io::Result<Self> {
        std::fs::create_dir(directory)?;
        let listener = Watched::new(UnixListener::bind(directory.join("socket"))?);
        finalize(&listener, std::fs::remove_dir_all, directory.to_owned());
        Ok(Self { listener })
    }

    /// Until the end of the program.
    fn run(&self) -> io::Result<()> {
        println!("{}", std::process::id());
        for client in self.listener.incoming() {
            io::copy(&mut client?, &mut io::sink())?;
        }
        Ok(())
    }
}

/// The child goes on, and the parent ends at once: whoever started it has its prompt back.
fn become_daemon() -> io::Result<()> {
    // SAFETY: this program has no thread of its own whose locks the child could miss.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(()),
        // SAFETY: ends the process. What it has created, the child cleans up.
        _ => unsafe { libc::_exit(0) },
    }
}

fn serve(how: &str, directory: &Path) -> io::Result<()> {
    if how != "by default" {
        lastly::signals::install()?;
    }
    let service = Service::new(directory)?;
    if how == "as a daemon" {
        become_daemon()?;
    }
    service.run()
}

/// A service that somebody has started.
struct Running {
    starter: Child,
    output: BufReader<ChildStdout>,
    process: String,
}

impl Running {
    fn start(how: &str, directory: &Path) -> io::Result<Self> {
        let mut starter = Command::new(std::env::current_exe()?)
            .arg(how)
            .arg(directory)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(starter.stdout.take().expect("piped"));
        let mut process = String::new();
        output.read_line(&mut process)?; // it is ready
        Ok(Self { starter, output, process })
    }

    /// Sends it SIGTERM, and waits for its end.
    fn terminate(mut self) -> io::Result<ExitStatus> {
        Command::new("kill").arg(self.process.trim()).status()?;
        self.output.read_to_string(&mut String::new())?;
        self.starter.wait()
    }
}

fn left(directory: &Path) -> &'static str {
    if directory.exists() { "the socket is there" } else { "the socket is gone" }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, how, directory] = &arguments[..] {
        return serve(how, Path::new(directory));
    }
    let directory = std::env::temp_dir().join("service");
    for how in ["by default", "with signals"] {
        let status = Running::start(how, &directory)?.terminate()?;
        println!("{how}: {}, {status}", left(&directory));
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
    }
    let mut daemon = Running::start("as a daemon", &directory)?;
    let status = daemon.starter.wait()?;
    println!("as a daemon, when its starter has ended: {}, {status}", left(&directory));
    daemon.terminate()?;
    println!("as a daemon, when it has ended: {}", left(&directory));
    Ok(())
}
