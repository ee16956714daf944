//! A long ring and a long list on a small stack.

use std::thread;

use super::Effort;
use super::child::{ask, processor_time};
use super::contenders::{ALL, Contender};
use super::heap::{Heap, alive};
use crate::measure::median;

const STACK: usize = 256 << 10;

pub(crate) fn table(effort: &Effort) {
    println!(
        "### `Gc`: {} objects in a row die on a thread with a stack of {} KiB (ms)\n",
        effort.most,
        STACK >> 10
    );
    println!("| | ring, collected | list, its head dropped |\n|---|---|---|");
    for contender in &ALL {
        let cells = ["ring", "list"].map(|shape| outcome(effort, contender, shape));
        println!("| {} | {} |", contender.label, cells.join(" | "));
    }
    println!();
}

fn outcome(effort: &Effort, contender: &Contender, shape: &str) -> String {
    let mut times = Vec::new();
    for _ in 0..effort.few {
        match ask(contender, shape, &[effort.most]).as_deref() {
            Some(&[time, 0.0]) => times.push(time),
            Some(&[_, left]) => return format!("{left} are left"),
            _ => return "stack overflow".to_owned(),
        }
    }
    format!("{:.0}", median(&times))
}

pub(crate) fn ring<H: Heap>(nodes: u64) -> Vec<f64> {
    on_small_stack::<H>(nodes, true)
}

pub(crate) fn list<H: Heap>(nodes: u64) -> Vec<f64> {
    on_small_stack::<H>(nodes, false)
}

/// Milliseconds from the drop of the last pointer to the end of a collection, and how many objects
/// there are after it.
fn on_small_stack<H: Heap>(nodes: u64, ring: bool) -> Vec<f64> {
    let work = move || {
        H::only_when_told();
        let last = H::vertex();
        let mut head = last.clone();
        for _ in 1..nodes {
            let next = std::mem::replace(&mut head, H::vertex());
            H::edges(&head, |edges| edges.push(next));
        }
        if ring {
            let first = head.clone();
            H::edges(&last, |edges| edges.push(first));
        }
        drop(last);
        let begin = processor_time();
        drop(head);
        H::collect();
        vec![(processor_time() - begin) / 1e6, alive() as f64]
    };
    let thread = thread::Builder::new().stack_size(STACK).spawn(work).expect("it starts");
    thread.join().expect("no panic")
}
