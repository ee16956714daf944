//! Random programs, run with `Rc` and with `Gc`: whatever has no cycles behaves the same, down to
//! the order of the drops, and wherever collections come in between.

use proptest::prelude::*;

use super::*;

/// Fewer where each step costs a hundred times as much.
const CASES: u32 = if cfg!(any(miri, lastly_slow)) { 8 } else { 256 };

/// How many places for pointers, and for weak ones, a program has.
const PLACES: usize = 6;

#[derive(Clone, Copy, Debug)]
enum Step {
    Make(usize),
    Clone {
        from: usize,
        to: usize,
    },
    Forget(usize),
    Downgrade {
        from: usize,
        to: usize,
    },
    Upgrade {
        from: usize,
        to: usize,
    },
    ForgetWeak(usize),
    /// Of two objects, the newer one holds the older one from now on: there are no cycles.
    Link(usize, usize),
    Unlink(usize),
    GetMut(usize),
    MakeMut(usize),
    TryUnwrap(usize),
    IntoInner(usize),
    UnwrapOrClone(usize),
    /// Nothing, with `Rc`.
    Collect,
}

fn step() -> impl Strategy<Value = Step> {
    let place = || 0..PLACES;
    let two = || (0..PLACES, 0..PLACES);
    prop_oneof![
        4 => place().prop_map(Step::Make),
        4 => two().prop_map(|(from, to)| Step::Clone { from, to }),
        3 => place().prop_map(Step::Forget),
        2 => two().prop_map(|(from, to)| Step::Downgrade { from, to }),
        2 => two().prop_map(|(from, to)| Step::Upgrade { from, to }),
        1 => place().prop_map(Step::ForgetWeak),
        4 => two().prop_map(|(one, other)| Step::Link(one, other)),
        1 => place().prop_map(Step::Unlink),
        1 => place().prop_map(Step::GetMut),
        1 => place().prop_map(Step::MakeMut),
        1 => place().prop_map(Step::TryUnwrap),
        1 => place().prop_map(Step::IntoInner),
        1 => place().prop_map(Step::UnwrapOrClone),
        1 => Just(Step::Collect),
    ]
}

/// The machine, for one of the two. What it saw is a list of lines.
macro_rules! machine {
    ($name:ident, $P:ident, $W:ident, $collect:expr) => {
        mod $name {
            use super::*;

            #[derive(Trace)]
            struct Value {
                id: u32,
                changed: u32,
                #[trace(skip)]
                log: Log,
                links: RefCell<Vec<$P<Value>>>,
            }

            impl Clone for Value {
                fn clone(&self) -> Self {
                    self.log.add(format!("clone {}", self.id));
                    let links = RefCell::new(self.links.borrow().clone());
                    Self { id: self.id, changed: self.changed, log: self.log.clone(), links }
                }
            }

            impl Drop for Value {
                fn drop(&mut self) {
                    self.log.add(format!("drop {} ({})", self.id, self.changed));
                }
            }

            #[derive(Default)]
            struct Machine {
                log: Log,
                made: u32,
                places: [Option<$P<Value>>; PLACES],
                weak: [$W<Value>; PLACES],
            }

            impl Machine {
                fn make(&mut self, at: usize) {
                    let log = self.log.clone();
                    let links = RefCell::default();
                    self.places[at] =
                        Some($P::new(Value { id: self.made, changed: 0, log, links }));
                    self.made += 1;
                }

                fn run(&mut self, step: Step) {
                    match step {
                        Step::Make(at) => self.make(at),
                        Step::Clone { from, to } => self.places[to] = self.places[from].clone(),
                        Step::Forget(at) => self.places[at] = None,
                        Step::Downgrade { from, to } => {
                            let weak = self.places[from].as_ref().map($P::downgrade);
                            self.weak[to] = weak.unwrap_or_default();
                        }
                        Step::Upgrade { from, to } => self.places[to] = self.weak[from].upgrade(),
                        Step::ForgetWeak(at) => self.weak[at] = $W::new(),
                        Step::Link(one, other) => self.link(one, other),
                        Step::Unlink(at) => {
                            let unlink = |of: &$P<Value>| of.links.borrow_mut().pop();
                            drop(self.places[at].as_ref().and_then(unlink));
                        }
                        Step::GetMut(at) => {
                            let value = self.places[at].as_mut().and_then($P::get_mut);
                            self.log.add(value.map(|value| value.changed += 1).is_some());
                        }
                        Step::MakeMut(at) => {
                            // What only a `Weak` sees is moved by `Rc`, and cloned by `Gc`.
                            let only = |it: &&mut $P<Value>| {
                                $P::strong_count(it) > 1 || $P::weak_count(it) == 0
                            };
                            let value = self.places[at].as_mut().filter(only).map($P::make_mut);
                            value.into_iter().for_each(|value| value.changed += 10);
                        }
                        _ => self.take_out(step),
                    }
                }

                fn link(&mut self, one: usize, other: usize) {
                    let (Some(one), Some(other)) = (&self.places[one], &self.places[other]) else {
                        return;
                    };
                    let newer = if one.id > other.id { one } else { other };
                    let older = if one.id > other.id { other } else { one };
                    if newer.id != older.id {
                        newer.links.borrow_mut().push(older.clone());
                    }
                }

                fn take_out(&mut self, step: Step) {
                    let at = match step {
                        Step::TryUnwrap(at) | Step::IntoInner(at) | Step::UnwrapOrClone(at) => at,
                        _ => {
                            ($collect)();
                            return;
                        }
                    };
                    let Some(pointer) = self.places[at].take() else { return };
                    match step {
                        Step::TryUnwrap(_) => match $P::try_unwrap(pointer) {
                            Ok(value) => self.log.add(format!("took out {}", value.id)),
                            Err(pointer) => self.places[at] = Some(pointer),
                        },
                        Step::IntoInner(_) => {
                            let value = $P::into_inner(pointer);
                            self.log.add(format!("into {:?}", value.map(|value| value.id)));
                        }
                        _ => self.places[at] = Some($P::new($P::unwrap_or_clone(pointer))),
                    }
                }

                /// Everything that can be seen.
                fn look(&self) {
                    for place in self.places.iter().flatten() {
                        let id = (place.id, place.changed);
                        let links: Vec<u32> = place.links.borrow().iter().map(|it| it.id).collect();
                        let counts = ($P::strong_count(place), $P::weak_count(place));
                        let equal = self.places.iter().flatten().map(|it| $P::ptr_eq(it, place));
                        self.log.add(format!(
                            "{id:?} {links:?} {counts:?} {:?}",
                            Vec::from_iter(equal)
                        ));
                    }
                    for weak in &self.weak {
                        let id = weak.upgrade().map(|it| it.id);
                        let counts = (weak.strong_count(), weak.weak_count());
                        let equal = self.weak.iter().map(|it| it.ptr_eq(weak));
                        self.log.add(format!("{id:?} {counts:?} {:?}", Vec::from_iter(equal)));
                    }
                }
            }

            pub(super) fn run(program: &[Step]) -> Vec<String> {
                let mut machine = Machine::default();
                for step in program {
                    machine.log.add(format!("{step:?}"));
                    machine.run(*step);
                    machine.look();
                }
                let log = machine.log.clone();
                drop(machine);
                log.take()
            }
        }
    };
}

use lastly::{Gc as AGc, Weak as AGcWeak};
use std::rc::{Rc as AnRc, Weak as AnRcWeak};

machine!(with_rc, AnRc, AnRcWeak, || {});
machine!(with_gc, AGc, AGcWeak, || _ = collect());

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn gc_and_rc(program in prop::collection::vec(step(), 1..60), threshold in 1..8_usize) {
        let expected = with_rc::run(&program);
        let found = alone(|| {
            collector::set_threshold(threshold);
            with_gc::run(&program)
        });
        prop_assert_eq!(found, expected);
    }
}
