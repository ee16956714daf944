//! What living processes have declared is theirs, whatever a dead one said of the place that it is in.

use std::fs;
use std::process::Command;

use lastly_tests::crash::resource::{Kind, Resource, place};

use crate::fixture::{Fixture, PUPPET, Puppet};

#[test]
fn what_a_living_process_has_in_the_tree_of_a_dead_one_keeps_all_of_it() {
    let fixture = Fixture::new("inside");
    let [outer, inner] = [2, 4].map(|number| Resource { number, kind: Kind::Tree });
    let mut dead = fixture.puppet_with("0");
    dead.have(outer.number);
    let inside = outer.path(&fixture.folder).join("inside");
    fs::create_dir_all(place(&inside)).expect("there is room");
    let mut command = Command::new(PUPPET);
    command.arg("puppet").arg(&inside).env("LASTLY_JOURNALS", fixture.journals());
    let mut living = Puppet::start(command.env("LASTLY_GUARD", "0"));
    living.have(inner.number);
    dead.kill();
    for _ in 0..2 {
        let told = fixture.sweep(&[]);
        let why = ": left alone: something in it is a living process's";
        assert!(told.iter().any(|it| it.ends_with(why)), "{told:?}");
        assert_eq!(told.last().expect("some"), "0 done, 1 left, 0 failed.");
        assert!(outer.is_there(&fixture.folder) && inner.is_there(&inside));
    }
    let shown = fixture.lastly(&["status"]).stdout;
    assert_eq!(String::from_utf8_lossy(&shown).matches(" remove_tree ").count(), 2, "{shown:?}");
    // It goes on as if nothing had been.
    living.have(6);
    living.tell("call 6");
    living.kill();
    fixture.sweep(&[]);
    assert!(!outer.is_there(&fixture.folder) && !inner.is_there(&inside));
    fixture.clear();
}
