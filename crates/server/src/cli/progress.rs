//! A bar for work on many accounts. Drawn on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// `total` is 0 for as long as nobody knows it.
pub(super) fn bar(total: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

pub(super) const ACCOUNTS: &str = "{bar:40} {pos} of {len} accounts, {eta} left";
pub(super) const ACCOUNTS_SO_FAR: &str = "{spinner} {pos} accounts in {elapsed}";
pub(super) const BYTES: &str = "{bar:40} {bytes} of {total_bytes}, {eta} left";
