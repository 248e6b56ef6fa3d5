//! The stored figures: what each stage may cost on each processor architecture.

use super::callgrind::Cost;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// In both directions: what has become cheaper is to be stored, or it could become dear again unseen.
const TOLERANCE_PERCENT: u64 = 10;
/// Less than one more each time, and more than chance: groups of the store are not always the same.
const ALLOCATIONS_SPARED: f64 = 0.5;

/// By architecture and stage. `allocations` are the most that are allowed.
pub(super) struct Baseline(BTreeMap<String, BTreeMap<String, Cost>>);

impl Baseline {
    /// An empty one if there is no such file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self(BTreeMap::new()));
        }
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text)
            .map(Self)
            .with_context(|| format!("stored figures in {}", path.display()))
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.0)? + "\n";
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    pub(super) fn store(&mut self, costs: &[(&'static str, Cost)]) {
        let most = |cost: &Cost| Cost {
            allocations: ((cost.allocations + ALLOCATIONS_SPARED) * 10.0).round() / 10.0,
            ..*cost
        };
        let stages = costs.iter().map(|(name, cost)| ((*name).to_owned(), most(cost))).collect();
        self.0.insert(std::env::consts::ARCH.to_owned(), stages);
    }

    /// A table, and what must not be.
    pub(super) fn compare(&self, costs: &[(&'static str, Cost)]) -> (String, Vec<String>) {
        let mut table = "| stage | instructions | stored | allocations | at most |\n\
                         | --- | --- | --- | --- | --- |\n"
            .to_owned();
        let stored = self.0.get(std::env::consts::ARCH);
        let mut faults = Vec::new();
        for (name, cost) in costs {
            let Some(stored) = stored.and_then(|stages| stages.get(*name)) else {
                faults.push(format!("{name}: nothing is stored for {}", std::env::consts::ARCH));
                continue;
            };
            let row = (cost.instructions, stored.instructions, cost.allocations, stored.allocations);
            // Writing to a string cannot fail.
            let _ = writeln!(table, "| {name} | {} | {} | {:.1} | {:.1} |", row.0, row.1, row.2, row.3);
            if cost.instructions.abs_diff(stored.instructions) * 100 > stored.instructions * TOLERANCE_PERCENT
            {
                faults.push(format!(
                    "{name}: {} instructions, expected {} within {TOLERANCE_PERCENT} %",
                    cost.instructions, stored.instructions
                ));
            }
            if cost.allocations > stored.allocations {
                faults.push(format!(
                    "{name}: {:.1} allocations, expected at most {:.1}",
                    cost.allocations, stored.allocations
                ));
            }
        }
        (table, faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(instructions: u64, allocations: f64) -> [(&'static str, Cost); 1] {
        [("decision", Cost { instructions, allocations })]
    }

    #[test]
    fn a_tenth_more_or_less_is_let_through_and_no_allocation_more() {
        let mut baseline = Baseline(BTreeMap::new());
        assert_eq!(baseline.compare(&found(1_000, 5.0)).1.len(), 1, "nothing is stored yet");
        baseline.store(&found(1_000, 5.0));
        for (instructions, allocations, faults) in [
            (1_000, 5.4, 0),
            (1_100, 5.0, 0),
            (900, 4.0, 0),
            (1_101, 5.0, 1),
            (899, 5.0, 1),
            (1_000, 6.0, 1),
            (2_000, 9.0, 2),
        ] {
            let (table, said) = baseline.compare(&found(instructions, allocations));
            assert_eq!(said.len(), faults, "{instructions} {allocations}: {said:?}");
            assert!(table.contains(&instructions.to_string()));
        }
    }

    #[test]
    fn what_was_stored_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("costs.json");
        let mut baseline = Baseline::read(&path).unwrap();
        baseline.store(&found(1_000, 5.0));
        baseline.write(&path).unwrap();
        assert!(Baseline::read(&path).unwrap().compare(&found(1_000, 5.0)).1.is_empty());
    }
}
