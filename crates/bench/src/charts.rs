//! Pictures of what was measured, for docs/PERFORMANCE.md: plain SVG that follows the reader's light or dark background.

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const WIDTH: u32 = 720;
const LABELS: u32 = 230;
const BARS: u32 = 380;
const ROW: u32 = 30;
const TOP: u32 = 56;

/// Draw what has been measured
#[derive(Args)]
pub struct ChartsCommand {
    /// The stored costs of a verification
    #[arg(long, default_value = "crates/bench/costs.json")]
    costs: PathBuf,
    /// The report of a run that has the experiments by number of accounts
    #[arg(long, default_value = "target/bench-data/report.json")]
    report: PathBuf,
    /// Where the pictures go
    #[arg(long, default_value = "docs/images")]
    into: PathBuf,
}

impl ChartsCommand {
    pub fn run(&self) -> Result<()> {
        fs::write(self.into.join("costs.svg"), costs(&self.costs)?)?;
        Ok(fs::write(self.into.join("accounts.svg"), accounts(&self.report)?)?)
    }
}

#[derive(Deserialize)]
struct Cost {
    instructions: u64,
}

/// What a request with a new token costs, by what it is spent on.
pub fn costs(path: &Path) -> Result<String> {
    let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let stored: BTreeMap<String, BTreeMap<String, Cost>> = serde_json::from_slice(&text)?;
    let stages = stored.get("x86_64").context("costs of x86_64")?;
    let of = |name: &str| Ok::<_, anyhow::Error>(stages.get(name).context(name.to_owned())?.instructions);
    let (token, decision, account, request) =
        (of("token new")?, of("decision")?, of("account")?, of("request")?);
    ensure!(request > token + account && account > decision, "a part costs more than the whole");
    let bars = [
        ("checking an RS256 token that is new", token),
        ("comparing the code and deciding", decision),
        ("load, open, seal, commit", account - decision),
        ("HTTP, body, log line, metrics", request - token - account),
    ];
    let bars = bars.map(|(label, value)| Bar { label: label.to_owned(), value, series: 0 });
    Ok(draw("Instructions of one verification (x86-64, as callgrind counts them)", &bars, &[]))
}

#[derive(Deserialize)]
struct Report {
    outcomes: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    name: String,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    label: String,
    median: Median,
}

#[derive(Deserialize)]
struct Median {
    per_second: f64,
}

/// Verifications a second by number of accounts.
fn accounts(path: &Path) -> Result<String> {
    let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let report: Report = serde_json::from_slice(&text)?;
    let rows = |name: &str| {
        let found = report.outcomes.iter().find(|outcome| outcome.name == name);
        found.map(|outcome| &outcome.rows).with_context(|| format!("{name} is not in {}", path.display()))
    };
    let (seen, fresh) = (rows("accounts-seen")?, rows("accounts-fresh")?);
    let mut bars = Vec::new();
    for (row, series) in seen.iter().zip(fresh).flat_map(|(seen, fresh)| [(seen, 0), (fresh, 1)]) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some ten thousand")]
        let value = row.median.per_second.round() as u64;
        let label = if series == 0 { row.label.clone() } else { String::new() };
        bars.push(Bar { label, value, series });
    }
    Ok(draw("Verifications a second on SQLite", &bars, &["tokens seen before", "each token new (RS256)"]))
}

struct Bar {
    label: String,
    value: u64,
    /// Which of the colours.
    series: usize,
}

const STYLE: &str = "text{font:14px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600;font-size:15px}\
    .s0{fill:#2f6fde}.s1{fill:#d97706}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s0{fill:#6ea0f5}.s1{fill:#f0a94b}}";

fn draw(title: &str, bars: &[Bar], series: &[&str]) -> String {
    let rows = u32::try_from(bars.len()).unwrap_or(u32::MAX);
    let height = TOP + rows * ROW + if series.is_empty() { 12 } else { 44 };
    let most = bars.iter().map(|bar| bar.value).max().unwrap_or(1).max(1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         <style>{STYLE}</style>\n<text class=\"title\" x=\"8\" y=\"26\">{title}</text>\n"
    );
    // Writing to a string cannot fail.
    for (number, bar) in (0..).zip(bars) {
        let (y, width) = (TOP + number * ROW, bar.value * u64::from(BARS) / most);
        let (baseline, end) = (y + 16, u64::from(LABELS) + width + 8);
        let Bar { label, value, series } = bar;
        let _ = writeln!(svg, "<text x=\"8\" y=\"{baseline}\">{label}</text>");
        let _ = writeln!(
            svg,
            "<rect class=\"s{series}\" x=\"{LABELS}\" y=\"{y}\" width=\"{width}\" height=\"22\" rx=\"3\"/>\
             <text x=\"{end}\" y=\"{baseline}\">{}</text>",
            grouped(*value)
        );
    }
    for (number, name) in (0_u32..).zip(series) {
        let (x, y) = (LABELS + number * 190, TOP + rows * ROW + 12);
        let _ = writeln!(
            svg,
            "<rect class=\"s{number}\" x=\"{x}\" y=\"{y}\" width=\"14\" height=\"14\" rx=\"2\"/>\
             <text x=\"{}\" y=\"{}\">{name}</text>",
            x + 20,
            y + 12
        );
    }
    svg + "</svg>\n"
}

/// With commas between the thousands.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!([7, 1_234, 100_000, 12_345_678].map(grouped), ["7", "1,234", "100,000", "12,345,678"]);
    }

    #[test]
    fn the_picture_of_costs_in_the_manual_is_that_of_the_stored_figures() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let drawn = costs(&root.join("crates/bench/costs.json")).unwrap();
        let shown = fs::read_to_string(root.join("docs/images/costs.svg")).unwrap();
        assert_eq!(shown, drawn, "`einmal-bench charts` draws it anew");
    }
}
