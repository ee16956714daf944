//! Many finalizers in words: those that say the same of themselves are one row of a table.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

use crate::report::Description;

/// How many rows a table has at most.
const ROWS: usize = 20;

/// A cell that is longer than this does not make its column wider.
const WIDTH: usize = 64;

/// Finalizers, grouped by what they are about. Its [`Display`] says how many there are, and then has a
/// table, in which the largest groups come first: whole lines, each with its end.
#[derive(Debug, Default)]
pub struct Groups {
    places: BTreeMap<Description, usize>,
    all: Vec<Group>,
}

/// Finalizers that say the same of themselves.
#[derive(Debug, Default)]
struct Group {
    count: usize,
    oldest: Option<Duration>,
    /// What became of so many; empty where nobody asks.
    fates: BTreeMap<&'static str, usize>,
}

impl Groups {
    /// One more finalizer, of this age where that is known. Gives back which group it is in.
    pub fn add(&mut self, of: &Description, age: Option<Duration>) -> usize {
        let place = match self.places.get(of) {
            Some(place) => *place,
            None => {
                self.all.push(Group::default());
                *self.places.entry(of.clone()).or_insert(self.all.len() - 1)
            }
        };
        let group = &mut self.all[place];
        group.count += 1;
        group.oldest = group.oldest.max(age);
        place
    }

    /// This became of one more of the group.
    pub(crate) fn tell(&mut self, place: usize, fate: &'static str) {
        *self.all[place].fates.entry(fate).or_default() += 1;
    }

    /// Largest first, then oldest, then by name.
    fn in_order(&self) -> Vec<(&Description, &Group)> {
        let rows = self.places.iter().map(|(of, place)| (of, &self.all[*place]));
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|(_, group)| (Reverse(group.count), Reverse(group.oldest)));
        rows
    }
}

const COLUMNS: usize = 6;
const HEADER: [&str; COLUMNS] =
    ["count", "oldest", "object", "function", "what became of it", "created at"];

/// The columns with numbers are aligned to the right.
const NUMBERS: usize = 2;

fn cells(of: &Description, group: &Group) -> [String; COLUMNS] {
    [
        group.count.to_string(),
        group.oldest.map_or(String::new(), |age| format!("{age:.1?}")),
        of.object.to_string(),
        of.function.to_string(),
        fates(group),
        of.created.as_deref().unwrap_or_default().to_owned(),
    ]
}

fn fates(group: &Group) -> String {
    let mut fates = group.fates.iter();
    match (fates.next(), fates.next()) {
        (Some((fate, _)), None) => (*fate).to_owned(),
        _ => {
            let each = group.fates.iter().map(|(fate, count)| format!("{count} {fate}"));
            each.collect::<Vec<_>>().join(", ")
        }
    }
}

impl Display for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.all.iter().map(|group| group.count).sum();
        writeln!(f, "{count} finalizer{}", if count == 1 { "" } else { "s" })?;
        let rows = self.in_order();
        let mut shown: Vec<_> =
            rows.iter().take(ROWS).map(|(of, group)| cells(of, group)).collect();
        let columns: Vec<_> = (0..COLUMNS).filter_map(|column| width(&shown, column)).collect();
        if !shown.is_empty() {
            shown.insert(0, HEADER.map(str::to_owned));
        }
        shown.iter().try_for_each(|row| writeln!(f, "{}", line(row, &columns).trim_end()))?;
        let hidden = rows.get(ROWS..).unwrap_or_default();
        if hidden.is_empty() {
            return Ok(());
        }
        let count: usize = hidden.iter().map(|(_, group)| group.count).sum();
        writeln!(f, "… and {} more, with {count}", hidden.len())
    }
}

/// A column and its width; none where nothing is known of any.
fn width(rows: &[[String; COLUMNS]], column: usize) -> Option<(usize, usize)> {
    let lengths = rows.iter().map(|row| row[column].chars().count());
    let longest = lengths.clone().filter(|length| *length <= WIDTH).max().unwrap_or(0);
    lengths.max().filter(|length| *length > 0)?;
    Some((column, longest.max(HEADER[column].len())))
}

fn line(row: &[String; COLUMNS], columns: &[(usize, usize)]) -> String {
    let cell = |&(column, width): &(usize, usize)| {
        let cell = &row[column];
        if column < NUMBERS { format!("{cell:>width$}") } else { format!("{cell:width$}") }
    };
    columns.iter().map(cell).collect::<Vec<_>>().join("  ")
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn description(object: &str, created: Option<&str>) -> Description {
        let [object, function] = [object, "clean"].map(|name| name.to_owned().into());
        Description { object, function, created: created.map(|it| it.to_owned().into()) }
    }

    #[test]
    fn the_largest_group_comes_first() {
        let mut groups = Groups::default();
        let second = |seconds| Some(Duration::from_secs(seconds));
        groups.add(&description("Young", Some("a.rs:1")), second(1));
        groups.add(&description("Old", None), second(9));
        for age in [Some(Duration::from_millis(1500)), second(62), None] {
            groups.add(&description("Many", Some("a.rs:2")), age);
        }
        let table = "\
5 finalizers
count  oldest  object  function  created at
    3   62.0s  Many    clean     a.rs:2
    1    9.0s  Old     clean
    1    1.0s  Young   clean     a.rs:1
";
        assert_eq!(groups.to_string(), table);
    }

    #[test]
    fn what_became_of_them_is_counted_where_it_differs() {
        let mut groups = Groups::default();
        for (name, fates) in [("One", &["run", "run"][..]), ("Two", &["run", "skipped", "run"])] {
            for fate in fates {
                let place = groups.add(&description(name, None), None);
                groups.tell(place, fate);
            }
        }
        let table = "\
5 finalizers
count  object  function  what became of it
    3  Two     clean     2 run, 1 skipped
    2  One     clean     run
";
        assert_eq!(groups.to_string(), table);
    }

    #[test]
    fn a_long_table_is_cut_and_a_long_name_is_not() {
        let mut groups = Groups::default();
        for number in 0..ROWS + 2 {
            groups.add(&description(&format!("Kind{number:02}"), Some("x")), None);
        }
        let long = "L".repeat(WIDTH + 1);
        groups.add(&description(&long, Some("x")), None);
        groups.add(&description(&long, Some("x")), None);
        let table = groups.to_string();
        assert_eq!(table.lines().count(), 1 + 1 + ROWS + 1);
        assert!(
            table.contains(&format!("\n    2  {long}  clean     x\n    1  Kind00  clean")),
            "{table}"
        );
        assert!(table.ends_with("\n… and 3 more, with 3\n"), "{table}");
    }

    #[test]
    fn of_none_and_of_one() {
        let mut groups = Groups::default();
        assert_eq!(groups.to_string(), "0 finalizers\n");
        groups.add(&description("One", None), None);
        assert!(groups.to_string().starts_with("1 finalizer\n"));
    }
}
