//! The table: `tests/matrix.json`, which says itself what is in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

pub(crate) const LANGUAGES: [&str; 2] = ["Rust", "Python"];

/// What stands for the name of the signal that the ending is named for.
const THE_SIGNAL: &str = "the signal";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    #[serde(rename = "about")]
    _about: Vec<String>,
    endings: Vec<Named>,
    states: Vec<Named>,
    rows: Vec<Row>,
    /// The second table, of the same shape.
    pub(crate) declared: Option<Box<Self>>,
}

/// Its name here and for the programs, and what readers see in each language that has it.
#[derive(Deserialize)]
pub(crate) struct Named(pub(crate) String, pub(crate) BTreeMap<String, String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    language: Vec<String>,
    ending: Vec<String>,
    state: Vec<String>,
    #[serde(default)]
    pub(crate) stdout: Vec<String>,
    #[serde(default)]
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) left: Vec<String>,
    #[serde(default)]
    pub(crate) after: Vec<String>,
    #[serde(default)]
    pub(crate) stderr: Vec<String>,
    pub(crate) none: Option<String>,
    pub(crate) note: Option<String>,
}

pub(crate) struct Cell<'a> {
    pub(crate) ending: &'a str,
    pub(crate) state: &'a str,
    pub(crate) row: &'a Row,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Table {
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(root().join("tests/matrix.json")).expect("it is there");
        let table: Self = serde_json::from_str(&text).expect("it is written as it says itself");
        table.check();
        table.declared.as_ref().expect("there is a second table").check();
        table
    }

    fn check(&self) {
        let known = |named: &[Named], name: &String| named.iter().any(|it| it.0 == *name);
        for row in &self.rows {
            assert!(row.none.is_some() == row.status.is_empty(), "a status, or why there is none");
            assert!(row.ending.iter().all(|it| known(&self.endings, it)), "{:?}", row.ending);
            assert!(row.state.iter().all(|it| known(&self.states, it)), "{:?}", row.state);
            assert!(row.language.iter().all(|it| LANGUAGES.contains(&it.as_str())));
        }
    }

    pub(crate) fn endings(&self, language: &str) -> impl Iterator<Item = (&str, &str)> {
        of_language(&self.endings, language)
    }

    pub(crate) fn states(&self, language: &str) -> impl Iterator<Item = (&str, &str)> {
        of_language(&self.states, language)
    }

    /// Ending by ending; of each there is one, and only one.
    pub(crate) fn cells(&self, language: &str) -> Vec<Cell<'_>> {
        let mut cells = Vec::new();
        for (ending, _) in self.endings(language) {
            for (state, _) in self.states(language) {
                let rows: Vec<_> =
                    self.rows.iter().filter(|row| row.has(language, ending, state)).collect();
                let [row] = rows[..] else {
                    panic!("{} rows for {language}, {ending}, {state}", rows.len());
                };
                cells.push(Cell { ending, state, row });
            }
        }
        cells
    }
}

fn of_language<'a>(all: &'a [Named], language: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    all.iter().filter_map(move |Named(name, shown)| Some((&**name, &**shown.get(language)?)))
}

impl Row {
    fn has(&self, language: &str, ending: &str, state: &str) -> bool {
        let has = |names: &[String], name: &str| names.iter().any(|it| it == name);
        has(&self.language, language) && has(&self.ending, ending) && has(&self.state, state)
    }
}

impl Cell<'_> {
    pub(crate) fn stdout(&self) -> Vec<String> {
        self.row.stdout.iter().map(|line| line.replace(THE_SIGNAL, self.signal())).collect()
    }

    pub(crate) fn status(&self) -> String {
        self.row.status.replace(THE_SIGNAL, self.signal())
    }

    /// The first signal that is sent, if that is what it is about.
    pub(crate) fn signal(&self) -> &str {
        match self.ending {
            "second signal" => "SIGTERM",
            "killpg" => "SIGKILL",
            other => other.split(' ').next().expect("there is one"),
        }
    }
}
