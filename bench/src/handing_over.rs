//! Callbacks that run on another thread than the one that drops the object.

use std::hint::black_box;
use std::sync::mpsc;
use std::sync::{Arc, Barrier, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use lastly::{Cleaner, Watched, WhenFull};

use crate::Effort;
use crate::measure::{median, ratio, rounds};

/// How many may wait.
const LIMIT: usize = 1024;

struct Contender {
    name: &'static str,
    /// Makes an object with this number, and lets it die.
    once: fn(u64),
    /// Waits until the callbacks of all that died so far have run.
    finish: fn(),
    /// The same with a callback that tells for how long the object is dead.
    tell: fn(mpsc::Sender<Duration>),
}

const CONTENDERS: [Contender; 2] = [
    Contender {
        name: "**lastly** `Cleaner`",
        once: lastly_cleaner,
        finish: || assert!(CLEANER.drain(None)),
        tell: |to| {
            let object = Arc::new(Watched::new([0; 2]));
            CLEANER.finalize(&object, move |died| told(&to, &died), Instant::now());
            drop(object);
        },
    },
    Contender {
        name: "closure in an `Arc`, sent by `Drop`: crossbeam-channel (no exit)",
        once: by_hand,
        finish: finish_by_hand,
        tell: |to| {
            let died = Instant::now();
            drop(Sends::new([0; 2], Box::new(move || told(&to, &died))));
        },
    },
];

fn told(to: &mpsc::Sender<Duration>, died: &Instant) {
    to.send(died.elapsed()).expect("somebody waits for it");
}

pub(crate) fn table(effort: &Effort) {
    println!("### Callbacks on another thread: object's birth to callback's end (ns)\n");
    println!(
        "| | one thread drops | × by hand | two do | × by hand | to the callback, from sleep | × by hand |"
    );
    println!("|---|---|---|---|---|---|---|");
    let all = |measure: fn(&Contender, &Effort) -> f64| {
        rounds(effort.rounds, &CONTENDERS, |contender| measure(contender, effort))
            .iter()
            .map(|figures| median(figures))
            .collect::<Vec<_>>()
    };
    let columns = [
        all(|contender, effort| contender.throughput(1, effort.operations)),
        all(|contender, effort| contender.throughput(2, effort.operations)),
        all(|contender, effort| contender.latency(effort.operations / 1_000)),
    ];
    for (index, Contender { name, .. }) in CONTENDERS.iter().enumerate() {
        print!("| {name} |");
        for figures in &columns {
            print!(" {:.0} | {} |", figures[index], ratio(figures[index], figures[1]));
        }
        println!();
    }
    println!();
}

impl Contender {
    /// Nanoseconds for each, where so many threads drop as fast as they can.
    fn throughput(&self, threads: usize, count: u32) -> f64 {
        let start = Barrier::new(threads + 1);
        let begin = thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    start.wait();
                    (0..count).for_each(|n| (self.once)(u64::from(n)));
                });
            }
            start.wait();
            Instant::now()
        });
        (self.finish)();
        begin.elapsed().as_nanos() as f64 / (threads as f64 * f64::from(count))
    }

    /// Nanoseconds from the death to the callback, where the other thread has nothing else to do.
    fn latency(&self, count: u32) -> f64 {
        let times = (0..count.max(3)).map(|_| {
            (self.finish)();
            // Long enough for the other thread to fall asleep.
            thread::sleep(Duration::from_micros(200));
            let (to, from) = mpsc::channel();
            (self.tell)(to);
            from.recv().expect("it runs").as_nanos() as f64
        });
        median(&times.collect::<Vec<_>>())
    }
}

static CLEANER: LazyLock<Cleaner> =
    LazyLock::new(|| Cleaner::builder(LIMIT).when_full(WhenFull::Block).build());

fn lastly_cleaner(n: u64) {
    let object = Arc::new(Watched::new([n, n]));
    CLEANER.finalize(&object, |n| _ = black_box(n), black_box(n));
    black_box(&object);
}

type Callback = Box<dyn FnOnce() + Send + Sync>;

/// What one writes without a library: no early call, no exit, nothing for what waits in the channel then.
static CHANNEL: LazyLock<Sender<Callback>> = LazyLock::new(|| {
    let (sender, receiver) = bounded::<Callback>(LIMIT);
    thread::spawn(move || receiver.iter().for_each(|callback| callback()));
    sender
});

struct Sends {
    object: [u64; 2],
    /// In a lock, so that the `Arc` may be shared.
    callback: Mutex<Option<Callback>>,
}

impl Sends {
    fn new(object: [u64; 2], callback: Callback) -> Arc<Self> {
        Arc::new(Self { object, callback: Mutex::new(Some(callback)) })
    }
}

impl Drop for Sends {
    fn drop(&mut self) {
        if let Ok(Some(callback)) = self.callback.get_mut().map(Option::take) {
            CHANNEL.send(callback).expect("the other thread never ends");
        }
    }
}

fn by_hand(n: u64) {
    let own = black_box(n);
    let object = Sends::new([n, n], Box::new(move || _ = black_box(own)));
    black_box(&object.object);
}

fn finish_by_hand() {
    let (done, wait) = mpsc::channel();
    let last: Callback = Box::new(move || done.send(()).expect("somebody waits for it"));
    CHANNEL.send(last).expect("the other thread never ends");
    wait.recv().expect("it runs");
}
