//! What holds secrets in memory must neither leave them behind in a file when it crashes, nor show them to another process.

use crate::harness::installation::{Installation, Serving, as_ordinary, for_ordinary};
use crate::harness::program::{PATIENCE, Program};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_of_the_same_user_sees_neither_its_memory_nor_its_environment_149() {
    let installation = Installation::new().await;
    let program = for_ordinary(&installation);
    let mut serve = Command::new(&program);
    serve.arg("serve").current_dir(installation.directory.path()).env_clear().stdin(Stdio::null());
    serve.env("EINMAL_CONFIG", "einmal.toml").env("TMPDIR", installation.directory.path());
    let serving = Serving::start(as_ordinary(&mut serve)).await;
    let id = serving.program.id();
    // proc(5): the files of a process that is not dumpable belong to root.
    let owner = |name: &str| fs::metadata(format!("/proc/{id}/{name}")).unwrap().uid();
    assert_eq!(["environ", "maps", "mem"].map(owner), [0; 3]);
    let reads = |process: u32, name: &str| {
        let mut head = Command::new("head");
        head.args(["-c", "1", &format!("/proc/{process}/{name}")]).stdin(Stdio::null());
        as_ordinary(&mut head).output().unwrap().status.success()
    };
    for name in ["environ", "maps", "auxv"] {
        assert!(!reads(id, name), "/proc/PID/{name} is open");
    }
    // That such a process reads what is not hidden.
    let mut other = Command::new("sleep");
    let mut other = as_ordinary(other.arg("60").stdin(Stdio::null())).spawn().unwrap();
    let started = Instant::now();
    while !reads(other.id(), "maps") {
        assert!(started.elapsed() < PATIENCE, "nobody reads anything here, which proves nothing");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    other.kill().unwrap();
    other.wait().unwrap();
}
