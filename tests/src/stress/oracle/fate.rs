//! What became of a process, as far as it can be told from outside.

use crate::history::Process;
use crate::system::Status;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It ended in order. `since`: what was registered before that is to be cleaned. `cut`: the end may
    /// have been cut short.
    Drained { since: usize, dead: usize, cut: bool },
    /// Its drain has never begun.
    Undrained,
    /// Nobody can tell how far its drain has come.
    Torn,
    /// It should not have ended like that.
    Wrong,
}

/// The ways to end that run the drain.
const IN_ORDER: [&str; 4] = ["return", "exit", "panic", "drain"];

impl Fate {
    pub(super) fn of(process: &Process<'_>) -> Self {
        let Some((_, status)) = process.ended else { return Fate::Wrong };
        if process.is_shut && !matches!(Self::of_open(process, status), Fate::Wrong) {
            return Fate::Torn;
        }
        Self::of_open(process, status)
    }

    fn of_open(process: &Process<'_>, status: Status) -> Self {
        let ending = process.ending.as_ref();
        let in_order = ending.is_some_and(|it| IN_ORDER.contains(&it.way));
        let asked: Vec<_> =
            process.signals.iter().filter(|it| it.number != libc::SIGKILL).collect();
        let all_taken = asked.iter().all(|it| process.is_taken(it) == Some(true));
        let none_taken = asked.iter().all(|it| process.is_taken(it) == Some(false));
        // A drain by hand that is cut short is a failure.
        let by_hand = ending.is_some_and(|it| it.way == "drain");
        let was_cut = by_hand && process.has_budget && status == Status::Exited(1);
        if ending.is_some_and(|it| it.status == status) || was_cut {
            return match in_order {
                true => Self::drained(process),
                false if none_taken => Fate::Undrained,
                false => Fate::Torn,
            };
        }
        let was_sent = |signal| process.signals.iter().any(|it| it.number == signal);
        match status {
            Status::Killed(signal) if !was_sent(signal) => Fate::Wrong,
            Status::Exited(_) => Fate::Wrong,
            Status::Killed(libc::SIGKILL) if asked.is_empty() && !in_order => Fate::Undrained,
            Status::Killed(libc::SIGKILL) => Fate::Torn,
            // A program that is executed knows of nothing.
            _ if ending.is_some_and(|it| it.way == "exec") && !none_taken => Fate::Torn,
            _ if none_taken && !in_order => Fate::Undrained,
            _ if all_taken => Self::drained(process),
            _ => Fate::Torn,
        }
    }

    fn drained(process: &Process<'_>) -> Self {
        let ending = process.ending.iter().map(|it| (it.at, it.dead));
        let asked = process.signals.iter().filter(|it| process.is_taken(it) != Some(false));
        let asked: Vec<_> = asked.map(|it| (it.at, it.dead)).collect();
        let cut = process.has_budget || asked.len() > 1;
        let (since, dead) = ending.chain(asked).min().expect("something has ended it");
        Fate::Drained { since, dead, cut }
    }
}
