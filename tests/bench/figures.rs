//! Samples, and the table that comes of them.

use std::fmt::Write as _;
use std::time::Duration;

/// Measured values of one kind, ascending.
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// Durations in milliseconds.
    pub(crate) fn of_durations(durations: &[Duration]) -> Self {
        Self::new(
            durations
                .iter()
                .map(|duration| duration.as_secs_f64() * 1e3),
        )
    }

    pub(crate) fn median(&self) -> f64 {
        self.percentile(50.0)
    }

    /// The nearest rank.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
    }

    /// The median, and from where to where, as `12 (11–14)`.
    pub(crate) fn spread(&self) -> String {
        let (low, high) = (self.percentile(0.0), self.percentile(100.0));
        format!(
            "{} ({}–{})",
            digits(self.median()),
            digits(low),
            digits(high)
        )
    }
}

/// The median of the ratios of what was measured side by side, which a machine that is now fast
/// and now slow does not distort.
pub(crate) fn paired_ratio(ours: &[Duration], others: &[Duration]) -> f64 {
    let pairs = ours.iter().zip(others);
    Samples::new(pairs.map(|(ours, other)| ours.as_secs_f64() / other.as_secs_f64())).median()
}

/// As many digits as say something.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        small if small >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) measure: String,
    pub(crate) ours: String,
    /// What it is compared with, and what that needed.
    pub(crate) beside: String,
    pub(crate) ratio: String,
    pub(crate) target: String,
    pub(crate) verdict: Verdict,
}

/// Whether a target was reached.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    Met,
    Missed,
    /// There is none.
    NoTarget,
}

impl Verdict {
    pub(crate) fn met_if(is_met: bool) -> Self {
        if is_met { Self::Met } else { Self::Missed }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "**missed**",
            Self::NoTarget => "",
        }
    }
}

/// The table in Markdown, with what is measured in the head.
pub(crate) fn table(ours: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "| measure | {ours} | beside it | ratio | target | |\n\
         |---|---|---|---|---|---|\n"
    );
    for row in rows {
        let Row {
            measure,
            ours,
            beside,
            ratio,
            target,
            verdict,
        } = row;
        let verdict = verdict.word();
        // It never fails on a string.
        let _ = writeln!(
            text,
            "| {measure} | {ours} | {beside} | {ratio} | {target} | {verdict} |"
        );
    }
    text
}
