//! Each figure is taken in a process of its own: nobody measures what another has left behind, each
//! starts from its defaults, and who overflows the stack does not end the run.

use std::hint::black_box;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::contenders::{self, Contender};
use super::heap::{Finalized, Heap};
use super::{birth, component, curve, cycle, deep, finalizers, graph, memory};

/// Several of them trace by recursion. They shall be measured, not fail, where the table is not
/// about that.
const STACK: libc::rlim_t = 16 << 30;

/// What a child process is to measure: a name, and numbers that its function knows.
pub(crate) struct Job<'a> {
    what: &'a str,
    numbers: &'a [u64],
}

// None of these is inlined: the code around a loop has no say in how fast it is.
impl Job<'_> {
    pub(crate) fn run<H: Heap + Finalized<Heap = H>>(&self) -> Vec<f64> {
        match (self.what, self.numbers) {
            ("leaf", &[budget]) => vec![birth::leaf::<H>(budget)],
            ("node", &[budget]) => vec![birth::node::<H>(budget)],
            ("clone", &[budget]) => vec![birth::clone::<H>(budget)],
            ("cycle", &[budget, live, per]) => vec![cycle::plain::<H>(budget, live, per)],
            ("hooked", &[budget, per]) => vec![finalizers::hooked::<H>(budget, per)],
            ("graph", &[pool, operations, every]) => graph::run::<H>(pool, operations, every),
            ("component", &[nodes, shuffled, inner]) => {
                vec![component::run::<H>(nodes, shuffled != 0, inner != 0)]
            }
            ("suspects", &[budget, suspects]) => vec![curve::suspects::<H>(budget, suspects)],
            ("ring", &[nodes]) => deep::ring::<H>(nodes),
            ("list", &[nodes]) => deep::list::<H>(nodes),
            ("memory", &[count]) => memory::run::<H>(count),
            _ => self.finalized::<H>(),
        }
    }

    pub(crate) fn finalized<F: Finalized>(&self) -> Vec<f64> {
        match (self.what, self.numbers) {
            ("finalized", &[budget, per]) => vec![finalizers::finalized::<F>(budget, per)],
            (what, numbers) => panic!("cannot measure {what} of {numbers:?}"),
        }
    }
}

/// What a child process measures of a contender; nothing if it crashes.
pub(crate) fn ask(contender: &Contender, what: &str, numbers: &[u64]) -> Option<Vec<f64>> {
    let program = std::env::current_exe().expect("a program knows its file");
    let mut command = Command::new(program);
    command.args(["gc-child", contender.key, what]).args(numbers.iter().map(u64::to_string));
    // SAFETY: between fork and exec it only calls what is safe there.
    unsafe { command.pre_exec(allow_deep_stack) };
    let output = command.output().expect("it starts");
    if !output.status.success() {
        return None;
    }
    let figures = String::from_utf8(output.stdout).expect("it prints numbers");
    Some(figures.split_whitespace().map(|figure| figure.parse().expect("a number")).collect())
}

/// The first figure of those; not a number if there is none.
pub(crate) fn figure(contender: &Contender, what: &str, numbers: &[u64]) -> f64 {
    ask(contender, what, numbers).map_or(f64::NAN, |figures| figures[0])
}

fn allow_deep_stack() -> std::io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes to the given place.
    unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) };
    limit.rlim_cur = STACK.min(limit.rlim_max);
    // SAFETY: it reads the given place.
    unsafe { libc::setrlimit(libc::RLIMIT_STACK, &limit) };
    Ok(())
}

/// In the child: measures, and prints.
pub(crate) fn child(key: &str, what: &str, numbers: &[&str]) {
    let numbers: Vec<u64> =
        numbers.iter().map(|number| number.parse().expect("a number")).collect();
    let figures = contenders::run(key, &Job { what, numbers: &numbers });
    println!("{}", figures.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
    // Without the collections of a thread that ends, which take long and are another matter.
    // SAFETY: nothing is left to be done at exit.
    unsafe { libc::_exit(0) };
}

/// Nanoseconds for one `batch`, repeated for at least `budget` milliseconds after having been
/// repeated, for a part of that, without being measured.
pub(crate) fn time(budget: u64, mut batch: impl FnMut()) -> f64 {
    let budget = budget as f64 * 1e6;
    let mut count = 1_u64;
    loop {
        let begin = processor_time();
        for _ in 0..count {
            batch();
        }
        let took = processor_time() - begin;
        if took >= budget && count > 1 {
            return took / count as f64;
        }
        let wanted = 1.1 * budget / (took / count as f64).max(1.0);
        count = (wanted as u64).clamp(2, 8 * count);
    }
}

/// Nanoseconds that this process has run: a busy machine may stop us at any moment.
pub(crate) fn processor_time() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to the given place.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// `count` live objects, in chains of ten, that no suspect reaches.
pub(crate) fn live<H: Heap>(count: u64) -> Vec<H::Node> {
    let mut chains = Vec::with_capacity(count.div_ceil(10) as usize);
    for _ in 0..count.div_ceil(10) {
        let mut head = H::node();
        for _ in 1..count.min(10) {
            let next = std::mem::replace(&mut head, H::node());
            H::point(&head, Some(next));
        }
        chains.push(head);
    }
    black_box(chains)
}
