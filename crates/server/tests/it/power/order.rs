//! What the program tells its kernel, in that order, as strace writes it down: no answer that says something happened is
//! given to a socket before the log of the database was synced with it.

use crate::harness::crowd::{Crowd, Target};
use crate::harness::history::Answer;
use crate::harness::installation::{Installation, Serving};
use crate::harness::program::PROGRAM;
use crate::harness::{peer, tell};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const ONE_BY_ONE: usize = 20;
const ACCOUNTS: usize = 200;
const WORKERS: usize = 8;
const CALLS: &str = "trace=read,readv,recvfrom,recvmsg,write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,\
     sync_file_range,ftruncate";

/// A call of the system, with the lines of the trace on which it began and ended.
#[derive(Debug)]
struct Call {
    began: usize,
    ended: usize,
    text: String,
}

impl Call {
    fn is(&self, names: &[&str]) -> bool {
        self.text.split_once('(').is_some_and(|(name, _)| names.contains(&name))
    }

    fn has_succeeded(&self) -> bool {
        self.text
            .rsplit_once("= ")
            .is_some_and(|(_, result)| !result.starts_with('-') && !result.starts_with('?'))
    }

    /// Its first argument, which strace follows up with what it is.
    fn descriptor(&self) -> &str {
        let arguments = self.text.split_once('(').map_or("", |(_, rest)| rest);
        arguments.split(", ").next().unwrap_or_default().trim_end_matches(')')
    }

    fn is_of_log(&self) -> bool {
        self.descriptor().contains("einmal.db-wal>")
    }
}

/// In the order in which they began. One that others came into is on two lines.
fn calls(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut unfinished: HashMap<&str, (usize, &str)> = HashMap::new();
    for (number, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(begin) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, (number, begin));
        } else if let Some(end) = rest.strip_prefix("<... ") {
            let Some((began, start)) = unfinished.remove(thread) else { continue };
            let end = end.split_once(" resumed>").map_or("", |(_, end)| end);
            calls.push(Call { began, ended: number, text: format!("{start}{end}") });
        } else {
            calls.push(Call { began: number, ended: number, text: rest.to_owned() });
        }
    }
    // What the process died in has no end, and is no answer that anybody got.
    calls.sort_by_key(|call| call.began);
    calls
}

/// Answers to attempts, each with everything that must have happened before it; what is wrong with them.
struct Order<'a> {
    calls: &'a [Call],
    answers: usize,
    faults: Vec<String>,
}

impl<'a> Order<'a> {
    /// `is_alone`: whether nothing else was under way, so that the log may have nothing that is not synced.
    fn judge(calls: &'a [Call], is_alone: impl Fn(usize) -> bool) -> Self {
        let mut order = Self { calls, answers: 0, faults: Vec::new() };
        let mut asked: HashMap<&str, &Call> = HashMap::new();
        for call in calls {
            if call.is(&["read", "readv", "recvfrom", "recvmsg"]) && call.text.contains("\"POST /user/") {
                asked.insert(call.descriptor(), call);
            } else if call.is(&["write", "writev", "sendto", "sendmsg"])
                && (call.text.contains("\"HTTP/1.1 204") || call.text.contains("\"HTTP/1.1 404"))
                && let Some(request) = asked.remove(call.descriptor())
            {
                order.judge_answer(request, call, is_alone(order.answers));
                order.answers += 1;
            }
        }
        order
    }

    fn judge_answer(&mut self, request: &Call, answer: &Call, is_alone: bool) {
        let before = || self.calls.iter().filter(|call| call.began < answer.began && call.is_of_log());
        let writes =
            || before().filter(|call| call.is(&["write", "pwrite64", "pwritev"]) && call.has_succeeded());
        let own = || writes().filter(|write| write.began > request.ended);
        let covers = |sync: &&Call, write: &Call| sync.began > write.ended && sync.ended < answer.began;
        let syncs = || before().filter(|call| call.is(&["fsync", "fdatasync"]) && call.has_succeeded());
        let is_synced = |write: &Call| syncs().any(|sync| covers(&sync, write));
        let fault = if own().next().is_none() {
            "nothing was written between it and its request"
        } else if !own().any(is_synced) {
            "nothing that was written since its request was synced"
        } else if is_alone && !own().all(is_synced) {
            "not everything that was written since its request was synced"
        } else {
            return;
        };
        self.faults.push(format!("line {}: {fault}: {}", answer.began + 1, answer.text));
    }
}

#[test]
fn an_answer_before_its_sync_is_found() {
    let request =
        "1 recvfrom(9<TCP:[a->b]>, \"POST /user/2025-1/user/otp/verify\"..., 99, 0, NULL, NULL) = 99\n";
    let write = "2 pwrite64(7</x/einmal.db-wal>, \"\\0\"..., 24, 0) = 24\n";
    let sync = "2 fdatasync(7</x/einmal.db-wal>) = 0\n";
    let (begun, ended) =
        ("2 fdatasync(7</x/einmal.db-wal> <unfinished ...>\n", "2 <... fdatasync resumed>) = 0\n");
    let answer = "3 sendto(9<TCP:[a->b]>, \"HTTP/1.1 204 No Content\\r\\n\"..., 80, 0, NULL, 0) = 80\n";
    let judged = |lines: &[&str]| {
        let calls = calls(&lines.concat());
        let order = Order::judge(&calls, |_| true);
        assert_eq!(order.answers, 1);
        order.faults.len()
    };
    assert_eq!(judged(&[request, write, sync, answer]), 0);
    assert_eq!(judged(&[request, write, begun, ended, answer]), 0);
    for wrong in [
        &[request, write, answer, sync][..],
        &[request, write, begun, answer, ended],
        &[request, begun, write, ended, answer],
        &[write, sync, request, answer],
        &[write, request, sync, answer],
        &[request, write, sync, write, answer],
        &[request, write, "2 fdatasync(7</x/einmal.db-wal>) = -1 EIO (Input/output error)\n", answer],
        &[request, write, "2 fdatasync(7</x/einmal.db>) = 0\n", answer],
    ] {
        assert_eq!(judged(wrong), 1, "{wrong:?}");
    }
}

fn traced(installation: &Installation, strace: &Path) -> Command {
    let mut command = Command::new(strace);
    // The program stays our child: strace goes and watches from beside it.
    command.args([
        "-D",
        "-f",
        "-yy",
        "-s",
        "48",
        "-e",
        CALLS,
        "-e",
        "signal=none",
        "-o",
        "trace",
        PROGRAM,
        "serve",
    ]);
    command.env_clear().current_dir(installation.directory.path()).env("EINMAL_CONFIG", "einmal.toml");
    command
}

/// Written to its end, after that of the program.
async fn whole_trace(path: &Path, process: u32) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let trace = fs::read_to_string(path).unwrap();
        let is_end = |line: &str| line.starts_with(&process.to_string()) && line.contains("+++ exited");
        if trace.lines().any(is_end) {
            return trace;
        }
        assert!(Instant::now() < deadline, "the trace has no end");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_reaches_a_socket_before_the_log_with_its_commit_is_synced() {
    let what = "the order of the program's calls to its system, by strace";
    let Some(strace) = peer("EINMAL_TEST_STRACE", what) else { return };
    let installation = Installation::with("drain = \"0s\"").await;
    let crowd = Crowd::of(installation.accounts("user", ACCOUNTS));
    let serving = Serving::start(&mut traced(&installation, &strace)).await;
    serving.until_ready().await;
    let target = Target { address: serving.address, number: 0 };
    for account in 0..ONE_BY_ONE {
        let code = crowd.next_code(account).unwrap();
        assert_eq!(crowd.verify(target, code).await, Answer::Accepted);
        assert_eq!(crowd.guess(target, account).await, Answer::Refused);
    }
    let load = crowd.load(target, ONE_BY_ONE..ACCOUNTS, WORKERS);
    tokio::join!(crowd.has_accepted(ACCOUNTS), crowd.guess_at(target, 0..ONE_BY_ONE, 2));
    crowd.stop();
    load.join_all().await;
    let process = serving.program.id();
    serving.stop().await;

    let attempts = crowd.assert_lawful("traced");
    let trace = whole_trace(&installation.path("trace"), process).await;
    let calls = calls(&trace);
    let order = Order::judge(&calls, |answer| answer < 2 * ONE_BY_ONE);
    assert!(order.faults.is_empty(), "{}", order.faults.join("\n"));
    assert_eq!(order.answers, attempts.len(), "answers that the trace has");
    let syncs = calls.iter().filter(|call| call.is_of_log() && call.is(&["fsync", "fdatasync"])).count();
    assert!(syncs < order.answers, "{syncs} syncs of {} answers: none was shared", order.answers);
    tell(&format!("{} answers by strace, each after the sync of its commit; {syncs} syncs", order.answers));
}
