//! The crash run, as a program: all the parts that it plays itself. `cargo xtask crash` runs it.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use lastly_tests::crash::run::Report;
use lastly_tests::crash::script::Script;
use lastly_tests::crash::world::World;
use lastly_tests::crash::{actor, calls, kills, pids, puppet, run, script};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match act(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the crash run itself failed: {error}");
            ExitCode::from(2)
        }
    }
}

fn act(arguments: &[String]) -> io::Result<bool> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse().expect("a number");
    match *words {
        ["actor", folder, canaries, seed] => {
            actor::main(folder.as_ref(), canaries.as_ref(), number(seed) as u64);
        }
        ["script", folder, canaries, name, traced, end] => {
            let script = Script::of_word(name).expect("the name of a script");
            let (traced, killed) = (traced == "traced", end == "killed");
            script::main(folder.as_ref(), canaries.as_ref(), script, traced, killed);
        }
        ["pids", folder, lastly, cases] => {
            return pids(folder.as_ref(), lastly.as_ref(), number(cases));
        }
        ["puppet", folder] => puppet::main(folder.as_ref()),
        ["play", folder, lastly, part, parts, canaries, ref what @ ..] => {
            let world = World::new(folder.as_ref(), lastly.as_ref(), number(canaries))?;
            play(&world, (number(part), number(parts)), what)?;
        }
        ["run", folder, lastly, progress, .., _, _] => {
            return run(folder.as_ref(), lastly.as_ref(), progress == "loud", &arguments[4..]);
        }
        _ => {
            eprintln!("run it by `cargo xtask crash`");
            return Ok(false);
        }
    }
    Ok(true)
}

/// `CANARIES kills SEED COUNT`, or `CANARIES calls COURSE STRIDE`.
fn run(folder: &Path, lastly: &Path, progress: bool, words: &[String]) -> io::Result<bool> {
    let begin = Instant::now();
    let tally = run::run(folder, lastly, words, progress)?;
    println!("{}: {tally}, in {:.1?}", words[1..].join(" "), begin.elapsed());
    Ok(tally.is_well())
}

fn play(world: &World, part: (usize, usize), what: &[&str]) -> io::Result<()> {
    let number = |word: &str| word.parse().expect("a number");
    let mut report = Report::default();
    match *what {
        ["kills", seed, count] => {
            kills::play(world, number(seed) as u64, part, number(count), &mut report)
        }
        ["calls", course, stride] => {
            let found = calls::COURSES.iter().find(|(name, _)| *name == course);
            let (_, course) = found.expect("the name of a course");
            calls::play(world, *course, part, number(stride), &mut report)
        }
        _ => panic!("nothing to play: {what:?}"),
    }
}

fn pids(folder: &Path, lastly: &Path, cases: usize) -> io::Result<bool> {
    if let Some(is_well) = pids::enter()? {
        return Ok(is_well);
    }
    let world = World::new(folder, lastly, 100)?;
    let mut report = Report::silent();
    pids::play(&world, cases, &mut report)?;
    println!("pids: {}", report.tally);
    Ok(report.tally.is_well())
}
