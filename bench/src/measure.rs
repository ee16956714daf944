//! Rounds, medians, ratios.

/// Lets the contenders take turns for `count` rounds, after one that does not count.
pub(crate) fn rounds<C>(
    count: usize,
    contenders: &[C],
    measure: impl Fn(&C) -> f64,
) -> Vec<Vec<f64>> {
    let mut figures = vec![Vec::with_capacity(count); contenders.len()];
    for round in 0..=count {
        for (contender, figures) in contenders.iter().zip(&mut figures) {
            let figure = measure(contender);
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    figures
}

/// The median of each contender over as many rounds.
pub(crate) fn medians<C>(count: usize, contenders: &[C], measure: impl Fn(&C) -> f64) -> Vec<f64> {
    rounds(count, contenders, measure).iter().map(|figures| median(figures)).collect()
}

pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

pub(crate) fn ratio(figure: f64, to: f64) -> String {
    format!("{:.2}", figure / to)
}
