//! What holds secrets in memory must not leave them behind in a file when it crashes.

use crate::harness::installation::Installation;
use crate::harness::program::{PATIENCE, Program};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Waits until it has forbidden itself core dumps, for good.
async fn has_none(program: &Program) {
    let started = Instant::now();
    loop {
        let limits = fs::read_to_string(format!("/proc/{}/limits", program.id())).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
        let limits: Vec<_> = line.unwrap().split_whitespace().take(2).collect();
        if limits == ["0", "0"] {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{limits:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_the_service_nor_an_import_has_any() {
    let installation = Installation::new().await;
    let serving = installation.serve().await;
    has_none(&serving.program).await;
    let mut import = installation.einmal(&["accounts", "import", "-"]);
    has_none(&Program::start(import.stdin(Stdio::piped()))).await;
}
