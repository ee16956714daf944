//! Reports as events of `tracing`, as a subscriber sees them.
#![cfg(feature = "tracing")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use lastly::{Watched, finalize, report};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// What one event says, by field; and its level and target.
type Seen = BTreeMap<&'static str, String>;

/// A subscriber that takes down every event.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Seen>>>);

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Seen::new());
        event.record(&mut fields);
        fields.0.insert("level", event.metadata().level().to_string());
        fields.0.insert("target", event.metadata().target().to_owned());
        self.0.lock().unwrap().push(fields.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Fields(Seen);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

#[test]
fn a_failure_is_an_event() {
    let recorder = Recorder::default();
    report::to_tracing();
    let object = Watched::new(1_u8);
    let line = line!() + 1;
    finalize(&object, std::fs::remove_file::<&str>, "no/such/file");
    tracing::subscriber::with_default(recorder.clone(), || drop(object));
    let seen = recorder.0.lock().unwrap();
    let [event] = &seen[..] else { panic!("one event, not {seen:?}") };
    assert_eq!(event["level"], Level::ERROR.to_string());
    assert_eq!(event["target"], "lastly");
    assert_eq!(event["message"], "a cleanup failed");
    assert_eq!(event["cause"], "object died");
    assert_eq!(event["object"], "u8");
    assert_eq!(event["function"], "std::fs::remove_file<&str>");
    assert_eq!(event["created"], format!("crates/lastly/tests/tracing.rs:{line}:5"));
    assert!(event["problem"].starts_with("returned an error: Os { code: 2"), "{event:?}");
    assert!(event.contains_key("duration"), "measured, as there is a hook: {event:?}");
}
