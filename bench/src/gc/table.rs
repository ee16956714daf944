//! Cells of the tables, and bars of the chart.

use super::contenders::{ALL, Collects};

/// Bars of the chart that are compared with each other.
pub(crate) struct Group {
    title: String,
    unit: &'static str,
    /// In the order of the contenders.
    figures: Vec<f64>,
}

pub(crate) fn group(
    title: &str,
    unit: &'static str,
    figures: impl IntoIterator<Item = f64>,
) -> Group {
    Group { title: title.to_owned(), unit, figures: figures.into_iter().collect() }
}

/// A figure, or a dash where there is none.
pub(crate) fn cell(figure: f64, digits: usize) -> String {
    match figure.is_nan() {
        true => "–".to_owned(),
        false => format!("{figure:.digits$}"),
    }
}

/// Prints the cells of a row.
pub(crate) fn row<F>(label: &str, figures: &[F], cell: impl Fn(&F) -> String) {
    let cells: Vec<String> = figures.iter().map(cell).collect();
    println!("| {label} | {} |", cells.join(" | "));
}

/// The best of these figures.
pub(crate) fn least(figures: impl IntoIterator<Item = f64>) -> f64 {
    figures.into_iter().fold(f64::NAN, f64::min)
}

/// What `chart.py` draws.
pub(crate) fn json(groups: &[Group]) -> String {
    let groups: Vec<String> = groups.iter().map(json_group).collect();
    format!("[{}]\n", groups.join(",\n"))
}

fn json_group(Group { title, unit, figures }: &Group) -> String {
    let figures = ALL.iter().zip(figures).filter(|(contender, figure)| {
        // Who leaves its cycles alone is not beside the others.
        contender.collects != Collects::Never && !figure.is_nan()
    });
    let figures: Vec<String> =
        figures.map(|(contender, figure)| format!("{:?}: {figure}", contender.key)).collect();
    format!("{{\"title\": {title:?}, \"unit\": {unit:?}, \"figures\": {{{}}}}}", figures.join(", "))
}
