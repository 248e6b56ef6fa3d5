//! The table, for people and for programs.

use crate::experiment::{Measure, Outcome, Row};
use crate::footprint::Footprint;
use crate::machine::Machine;
use crate::postgres;
use crate::workbench::Scale;
use serde::Serialize;
use std::fmt::{self, Write};

#[derive(Serialize)]
pub struct Report {
    pub machine: Machine,
    pub postgres: Option<String>,
    pub rounds: usize,
    pub seconds: f64,
    pub fresh_tokens: u64,
    pub seen_accounts: u64,
    pub most_accounts: u64,
    pub outcomes: Vec<Outcome>,
    pub footprint: Option<Footprint>,
}

impl Report {
    pub fn new(machine: Machine, scale: Scale) -> Self {
        Self {
            machine,
            postgres: None,
            rounds: scale.rounds,
            seconds: scale.seconds,
            fresh_tokens: scale.fresh_tokens,
            seen_accounts: scale.seen_accounts,
            most_accounts: scale.most_accounts,
            outcomes: Vec::new(),
            footprint: None,
        }
    }

    pub fn markdown(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        self.write_head(&mut text)?;
        for outcome in &self.outcomes {
            write_outcome(&mut text, outcome)?;
        }
        if let Some(footprint) = &self.footprint {
            write_footprint(&mut text, footprint)?;
        }
        Ok(text)
    }

    fn write_head(&self, text: &mut String) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            text,
            "Measured {} at revision {} by `einmal-bench {}`.\n",
            machine.date, machine.revision, machine.command
        )?;
        writeln!(
            text,
            "{}; {} cores, which servers and load share; {} MiB; Linux {}; {}; {}; allocator: {}; load average at the \
             start: {}.\n",
            machine.cpu,
            machine.cores,
            machine.memory_mib,
            machine.kernel,
            machine.file_system,
            machine.rustc,
            machine.allocator,
            machine.load_average
        )?;
        if let Some(version) = &self.postgres {
            writeln!(text, "PostgreSQL {version}, {}.\n", postgres::SETTINGS)?;
        }
        if self.most_accounts != u64::MAX {
            writeln!(
                text,
                "**No store had more than {} accounts, whatever a title says.**\n",
                self.most_accounts
            )?;
        }
        writeln!(
            text,
            "{} rounds of {} s each, contestants in turns; medians. Ratios are to the first row of a table, taken round by \
             round: median (least – most). Fresh tokens: {}; accounts whose tokens are seen again: {}.\n",
            self.rounds, self.seconds, self.fresh_tokens, self.seen_accounts
        )
    }
}

fn write_outcome(text: &mut String, outcome: &Outcome) -> fmt::Result {
    let is_latency = matches!(outcome.measure, Measure::Latency { .. });
    let what = if is_latency { "ratio of p99" } else { "ratio of answers/s" };
    writeln!(text, "### {} (`{}`)\n", outcome.title, outcome.name)?;
    if let Some(rate) = outcome.rate {
        writeln!(text, "At {rate:.0} requests a second.\n")?;
    }
    writeln!(
        text,
        "| | answers/s | {what} | p50 | p90 | p99 | p99.9 ms | server CPU | load CPU | resident |"
    )?;
    writeln!(text, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")?;
    for row in &outcome.rows {
        write_row(text, row)?;
    }
    for row in outcome.rows.iter().filter(|row| row.median.beside_per_second > 0.0) {
        writeln!(
            text,
            "\n{}: {:.0} answers a second to those beside.",
            row.label, row.median.beside_per_second
        )?;
    }
    writeln!(text)
}

fn write_row(text: &mut String, row: &Row) -> fmt::Result {
    if let Some(reason) = &row.not_run {
        let reason = reason.replace(['\n', '|'], " ");
        return writeln!(text, "| {} | not run: {reason} | | | | | | | | |", row.label);
    }
    let (median, ratio, ms) = (&row.median, row.ratio, row.median.latency_ms);
    writeln!(
        text,
        "| {} | {:.0} | {:.2} ({:.2} – {:.2}) | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} µs | {:.1} µs | {} MiB |",
        row.label,
        median.per_second,
        ratio.median,
        ratio.least,
        ratio.most,
        ms.p50,
        ms.p90,
        ms.p99,
        ms.p999,
        median.server_cpu_us,
        median.load_cpu_us,
        median.resident_bytes / 1024 / 1024
    )
}

fn write_footprint(text: &mut String, footprint: &Footprint) -> fmt::Result {
    let mib = |bytes: u64| format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576);
    writeln!(text, "### The program (`footprint`)\n")?;
    writeln!(text, "| | |\n| --- | --- |")?;
    writeln!(text, "| size | {} |", mib(footprint.binary_bytes))?;
    writeln!(
        text,
        "| start to ready, {} accounts on SQLite | {:.0} ms |",
        footprint.accounts, footprint.start_to_ready_ms
    )?;
    writeln!(text, "| resident, idle | {} |", mib(footprint.idle_resident_bytes))
}
