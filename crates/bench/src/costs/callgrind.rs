//! Reads callgrind's dumps (format version 1, without compressed names): how many instructions there were in all, and
//! how many calls of the allocator.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Of one verification.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Cost {
    pub(super) instructions: u64,
    /// On average: now and then something grows.
    pub(super) allocations: f64,
}

/// Whatever language asks for memory ends up there.
const ALLOCATORS: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];

/// Of a dump that holds `times` verifications.
pub(super) fn cost(dump: &str, times: u32) -> Result<Cost> {
    let (mut total, mut allocations, mut called) = (None, 0.0, "");
    for line in dump.lines() {
        if let Some(value) = line.strip_prefix("summary: ").or_else(|| line.strip_prefix("totals: ")) {
            total = total.or(value.split(' ').next());
        } else if let Some(name) = line.strip_prefix("cfn=") {
            called = name;
        } else if let Some(calls) = line.strip_prefix("calls=")
            && ALLOCATORS.contains(&called)
        {
            let count = calls.split(' ').next().and_then(|count| count.parse::<f64>().ok());
            allocations += count.with_context(|| format!("a number of calls in {line:?}"))?;
        }
    }
    let total: u64 = total.context("a dump without a total")?.parse().context("a total")?;
    // "(below main)" is a name.
    if dump.contains("fn=(0") || dump.contains("fn=(1") {
        bail!("names in the dump are compressed, which hides the allocator's");
    }
    Ok(Cost { instructions: total / u64::from(times), allocations: allocations / f64::from(times) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "version: 1\nevents: Ir\nsummary: 5000\n\nfn=main\n1 20\ncfn=malloc\ncalls=7 0\n1 900\n\
                        cfn=free\ncalls=9 0\n1 30\n\nfn=other\ncfn=realloc\ncalls=4 0\n1 40\n\ntotals: 5000\n";

    #[test]
    fn instructions_and_calls_of_the_allocator_are_those_of_one_verification() {
        assert_eq!(cost(DUMP, 10).unwrap(), Cost { instructions: 500, allocations: 1.1 });
    }

    #[test]
    fn what_is_no_dump_is_an_error() {
        assert!(cost("", 1).is_err());
        assert!(cost("fn=(1) main\nsummary: 5\n", 1).is_err());
    }
}
