//! A declared action beside the same callback, not declared.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lastly::{Finalizer, Watched, actions, finalize};

use super::quantile;
use crate::Effort;
use crate::measure::ratio;

type Object = Watched<u64>;

struct Contender {
    name: &'static str,
    register: fn(&Object, PathBuf) -> Finalizer,
    make: fn(&Path),
}

/// By twos: the second is what the first is compared with.
const CONTENDERS: [Contender; 4] = [
    Contender {
        name: "**lastly** `actions::remove_file`",
        register: |object, path| finalize(object, actions::remove_file, path).erase(),
        make: make_file,
    },
    Contender {
        name: "`fs::remove_file`, not declared",
        register: |object, path| finalize(object, fs::remove_file, path).erase(),
        make: make_file,
    },
    Contender {
        name: "**lastly** `actions::remove_tree`",
        register: |object, path| finalize(object, actions::remove_tree, path).erase(),
        make: make_tree,
    },
    Contender {
        name: "`fs::remove_dir_all`, not declared",
        register: |object, path| finalize(object, fs::remove_dir_all, path).erase(),
        make: make_tree,
    },
];

fn make_file(path: &Path) {
    fs::write(path, "x").expect("there is room");
}

fn make_tree(path: &Path) {
    fs::create_dir(path).expect("there is room");
    make_file(&path.join("file"));
}

/// Microseconds, of each single one.
#[derive(Default)]
struct Times {
    register: Vec<f64>,
    cancel: Vec<f64>,
    run: Vec<f64>,
}

pub(super) fn table(effort: &Effort, memory: &Path) {
    println!(
        "### Rust: a declared action of what is there, and the same callback, not declared (µs)\n"
    );
    println!(
        "| | register, p50 | p99 | cancel, p50 | p99 | run, p50 | p99 | register and cancel × | register and run × |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut times: [Times; 4] = Default::default();
    for round in 0..=effort.rounds {
        for (contender, times) in CONTENDERS.iter().zip(&mut times) {
            contender.take_turn(effort.declared, memory, times);
            if round == 0 {
                *times = Times::default();
            }
        }
    }
    let p50 = |times: &mut Times| {
        let Times { register, cancel, run } = times;
        let register = quantile(register, 0.5);
        [register + quantile(cancel, 0.5), register + quantile(run, 0.5)]
    };
    for (index, Contender { name, .. }) in CONTENDERS.iter().enumerate() {
        let base = p50(&mut times[index | 1]);
        let own = p50(&mut times[index]);
        let Times { register, cancel, run } = &mut times[index];
        print!("| {name} |");
        for figures in [register, cancel, run] {
            print!(" {:.2} | {:.1} |", quantile(figures, 0.5), quantile(figures, 0.99));
        }
        println!(" {} | {} |", ratio(own[0], base[0]), ratio(own[1], base[1]));
    }
    println!();
}

impl Contender {
    fn take_turn(&self, count: u32, memory: &Path, times: &mut Times) {
        let object = Watched::new(0);
        let stays = memory.join("stays");
        (self.make)(&stays);
        for _ in 0..count {
            let path = stays.clone();
            let begin = Instant::now();
            let finalizer = black_box((self.register)(&object, path));
            let registered = Instant::now();
            finalizer.detach();
            times.cancel.push(micros(registered));
            times.register.push((registered - begin).as_secs_f64() * 1e6);
        }
        // Fewer: they have to be made first.
        let paths: Vec<PathBuf> =
            (0..count / 10).map(|n| memory.join(format!("goes-{n}"))).collect();
        paths.iter().for_each(|path| (self.make)(path));
        for path in paths {
            let finalizer = (self.register)(&object, path.clone());
            let begin = Instant::now();
            _ = finalizer.call();
            times.run.push(micros(begin));
            debug_assert!(!path.exists(), "removed");
        }
        _ = fs::remove_dir_all(&stays).or_else(|_| fs::remove_file(&stays));
    }
}

pub(super) fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}
