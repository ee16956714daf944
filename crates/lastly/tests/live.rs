//! What is alive. A binary of its own, as totals are of the whole process; and one test, as tests of one
//! binary run beside each other.
#![cfg(not(loom))]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use lastly::{Cleaner, Watched, defer, finalize, live, paused, report};

fn clean(_: ()) {}

fn objects() -> Vec<String> {
    live().iter().map(|entry| entry.object.to_string()).collect()
}

#[test]
fn what_is_alive_and_what_became_of_the_rest() {
    report::set_hook(|_| ());
    nothing_is_alive();
    entries_tell_what_they_are();
    ages_are_known_once_they_are_recorded();
    it_is_a_picture();
    it_is_safe_anywhere();
    totals_count();
    a_table_groups_them();
    what_waits_is_alive();
}

fn nothing_is_alive() {
    assert!(live().is_empty());
    let nothing = "0 finalizers\n\
        created 0; called 0, object died 0, exit 0, signal 0, detached 0; failed 0, lost 0";
    assert_eq!(live().to_string(), nothing);
}

fn entries_tell_what_they_are() {
    let first = Watched::new(1_u8);
    let second = Watched::new("two");
    finalize(&first, clean, ());
    let line = line!() + 1;
    let left_out = finalize(&second, clean, ());
    left_out.set_at_exit(false);
    let guard = defer(clean, ());
    let all = live();
    assert_eq!(objects(), ["u8", "&str", "a scope (lastly::defer)"], "oldest first");
    assert!(all.iter().all(|entry| entry.function == "live::clean" && !entry.waiting));
    assert_eq!(all[1].created, format!("{}:{line}:20", file!()));
    let at_exit: Vec<bool> = all.iter().map(|entry| entry.at_exit).collect();
    assert_eq!(at_exit, [true, false, true]);
    assert_eq!(all.iter().filter(|entry| entry.object == "u8").count(), 1);
    left_out.detach();
    drop((first, guard));
    assert!(live().is_empty());
}

fn ages_are_known_once_they_are_recorded() {
    let before = Watched::new("before");
    finalize(&before, clean, ());
    assert_eq!(live()[0].age, None);
    live::record();
    let after = Watched::new(3);
    finalize(&after, clean, ());
    let later = Watched::new(4);
    finalize(&later, clean, ());
    let all = live();
    assert_eq!(all[0].age, None);
    assert!(all[1].age > all[2].age && all[2].age.is_some());
    assert!(live()[2].age > all[2].age);
}

/// It neither changes nor holds anything.
fn it_is_a_picture() {
    let owned = Arc::new(());
    let object = Watched::new(5);
    finalize(&object, drop, owned.clone());
    let all = live();
    drop(object);
    assert_eq!((all.len(), live().len()), (1, 0));
    assert_eq!(Arc::strong_count(&owned), 1);
    assert_eq!(all.clone().into_iter().map(|entry| entry.object).collect::<Vec<_>>(), ["i32"]);
}

/// In callbacks, and while other threads come and go.
fn it_is_safe_anywhere() {
    let steady: Vec<_> = (0..100).map(Watched::new).collect();
    for object in &steady {
        finalize(object, clean, ());
    }
    let come_and_go = || {
        for _ in 0..200 {
            let object = Watched::new("passing");
            finalize(&object, clean, ()).call();
            finalize(&object, |()| assert!(live().len() >= 100), ());
            finalize(&object, clean, ()).detach();
        }
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(come_and_go);
        }
        for _ in 0..50 {
            let all = live();
            assert_eq!(all.iter().filter(|entry| entry.object == "i32").count(), 100);
            assert!(all.to_string().contains(" finalizers\n"));
        }
    });
    assert_eq!(live().len(), 100);
}

fn totals_count() {
    let before = live().totals().clone();
    let object = Watched::new(6);
    finalize(&object, clean, ()).call();
    finalize(&object, clean, ()).detach();
    finalize(&object, clean, ());
    finalize(&object, |()| Err::<(), _>("no luck"), ());
    let alive = finalize(&object, clean, ());
    alive.call();
    drop(object);
    let after = live().totals().clone();
    assert_eq!(after.created - before.created, 5);
    assert_eq!(after.called - before.called, 2);
    assert_eq!(after.detached - before.detached, 1);
    assert_eq!(after.object_died - before.object_died, 2);
    assert_eq!(after.failed - before.failed, 1);
    assert_eq!((after.exit, after.signal, after.lost), (0, 0, 0));
    assert!(after.cleaners.is_empty());
    for slow in &after.slowest {
        assert!(
            slow.duration >= Duration::from_millis(20) && slow.cause == live::Cause::ObjectDied
        );
    }
}

fn a_table_groups_them() {
    let many: Vec<_> = (0..3).map(|_| Watched::new(7_u64)).collect();
    for object in &many {
        finalize(object, clean, ());
    }
    let one = Watched::new("one");
    finalize(&one, drop, 'c');
    let text = live().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "4 finalizers", "{text}");
    let [count, _, object, function, created] = lines[2].split_whitespace().collect::<Vec<_>>()[..]
    else {
        panic!("five columns: {text}");
    };
    assert_eq!((count, object, function), ("3", "u64", "live::clean"));
    assert!(created.starts_with(file!()), "{text}");
    assert!(lines[3].contains("core::mem::drop<char>"), "{text}");
    assert!(lines[4].starts_with("created "), "{text}");
}

fn what_waits_is_alive() {
    let before = live().len();
    let cleaner = Cleaner::builder(7).name("files").build();
    let pause = paused();
    cleaner.finalize(&Watched::new(8.0), clean, ());
    let all = live();
    let waiting: Vec<_> = all.iter().filter(|entry| entry.waiting).collect();
    assert_eq!((waiting.len(), &*waiting[0].object, all.len()), (1, "f64", before + 1));
    drop(pause);
    assert!(cleaner.drain(None));
    let all = live();
    let [state] = &all.totals().cleaners[..] else { panic!("one cleaner") };
    assert_eq!((&*state.name, state.waiting, state.limit, state.handed), ("files", 0, 7, 1));
    assert!(all.to_string().ends_with("\ncleaner files: 0 of 7 wait; handed over 1"), "{all}");
    assert_eq!(all.len(), before);
}
