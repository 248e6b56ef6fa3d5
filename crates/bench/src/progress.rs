//! What is told while it goes on: to standard error, so that the table alone is on standard output.

use std::fmt::Arguments;
use std::io::{Write, stderr};

pub fn tell(text: Arguments<'_>) {
    // Whoever closed it does not want to know.
    let _ = writeln!(stderr().lock(), "bench: {text}");
}
