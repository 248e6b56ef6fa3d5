//! PostgreSQL servers: one for all tests of a process, and others for tests that stop or kill theirs. A shell starts them
//! as a user other than root, and takes them away when this process has gone, however it went.

use super::peer;
use einmal::config::{Document, Engine, Environment, Postgres};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Waits for `start` and for the end of its input.
const SCRIPT: &str = r#"
trap : INT TERM
directory=$(mktemp -d)
"$1/initdb" -D "$directory/data" -U einmal -A trust -E UTF8 --no-sync >"$directory/log" 2>&1
cat >>"$directory/data/postgresql.conf" <<END
port = $2
listen_addresses = '127.0.0.1'
unix_socket_directories = '$directory'
shared_buffers = 16MB
max_connections = 300
$3
END
echo "$directory"
server=
while read -r _; do
  "$1/postgres" -D "$directory/data" >>"$directory/log" 2>&1 &
  server=$!
done
kill -CONT $server 2>/dev/null
kill -QUIT $server 2>/dev/null
wait
rm -rf "$directory"
"#;

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct PostgresServer {
    programs: PathBuf,
    directory: PathBuf,
    pub(crate) port: u16,
    commands: Option<ChildStdin>,
    shell: Child,
}

impl PostgresServer {
    /// The one that nobody disturbs. `None` where there is no PostgreSQL, which has been told.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<PostgresServer>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("")).as_ref()
    }

    /// With lines added to its configuration.
    pub(crate) fn start(settings: &str) -> Option<Self> {
        let programs = peer("EINMAL_TEST_POSTGRES", "a test on PostgreSQL")?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // The server refuses to run as root.
        let mut command = if rustix::process::geteuid().is_root() {
            let has_own = fs::read_to_string("/etc/passwd").unwrap().contains("\npostgres:");
            let mut command = Command::new("runuser");
            command.args(["-u", if has_own { "postgres" } else { "nobody" }, "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        command.args(["-c", SCRIPT, "sh"]).arg(&programs).arg(port.to_string()).arg(settings);
        let mut shell =
            command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut directory = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut directory).unwrap();
        let directory = PathBuf::from(directory.trim_end());
        let commands = shell.stdin.take();
        let mut server = Self { programs, directory, port, commands, shell };
        server.start_again();
        Some(server)
    }

    /// Returns when it can be asked.
    pub(crate) fn start_again(&mut self) {
        self.commands.as_mut().unwrap().write_all(b"start\n").unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !self.psql("postgres", "SELECT 1").status().unwrap().success() {
            assert!(Instant::now() < deadline, "does not start:\n{}", self.log());
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// A new database, which is empty.
    pub(crate) fn database(&self) -> Database {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        Database { name: name.clone(), url: format!("postgres://einmal@127.0.0.1:{}/{name}", self.port) }
    }

    /// What the server answers to this, as text.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A program that came with the server.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Makes a file in the data directory, which only the server's own user can read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.data().join(name);
        self.sql(
            "postgres",
            &format!(
                "COPY (SELECT regexp_split_to_table($file${text}$file$, '\n')) TO PROGRAM 'umask 077; cat > {}'",
                file.display()
            ),
        );
    }

    fn psql(&self, database: &str, sql: &str) -> Command {
        let mut command = Command::new(self.program("psql"));
        command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "einmal", "-d", database]);
        command.arg("-p").arg(self.port.to_string()).args(["-c", sql]);
        // Also on one that is read-only for others.
        command.env("PGOPTIONS", "-c default_transaction_read_only=off");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap()
    }

    /// All of its processes, the first one first: nobody answers, and nothing is closed.
    pub(crate) fn pause(&self) {
        self.signal_all(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal_all(Signal::CONT);
    }

    /// As `kill -9` of the whole server. Returns when it is gone.
    pub(crate) fn kill(&self) {
        let processes = self.processes();
        self.signal_all(Signal::KILL);
        let deadline = Instant::now() + PATIENCE;
        while processes.iter().any(|pid| is_running(*pid)) {
            assert!(Instant::now() < deadline, "does not die");
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// As its operator ends it, with clients that are told. Returns when it is gone.
    pub(crate) fn stop(&self) {
        let processes = self.processes();
        kill_process(Pid::from_raw(processes[0]).unwrap(), Signal::INT).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while processes.iter().any(|pid| is_running(*pid)) {
            assert!(Instant::now() < deadline, "does not end:\n{}", self.log());
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Its first process and then its children.
    fn processes(&self) -> Vec<i32> {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let first: i32 = file.lines().next().unwrap().parse().unwrap();
        let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let children = processes.filter_map(|process| child_of(first, &process));
        [first].into_iter().chain(children).collect()
    }

    fn signal_all(&self, signal: Signal) {
        for pid in self.processes() {
            // One that has ended meanwhile needs no signal.
            let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            self.go_on();
        }
        self.commands = None;
        let _ = self.shell.wait();
    }
}

/// The process's id if this is its parent: proc(5), the fourth field of `stat`.
fn child_of(parent: i32, process: &Path) -> Option<i32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    (fields.get(1)?.parse() == Ok(parent)).then(|| process.file_name()?.to_str()?.parse().ok()).flatten()
}

/// A process that has ended and that nobody has waited for yet counts as gone.
fn is_running(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

pub(crate) struct Database {
    pub(crate) name: String,
    /// Without parameters.
    pub(crate) url: String,
}

impl Database {
    /// The section of a configuration file.
    pub(crate) fn section(&self) -> String {
        format!("[store]\nurl = \"{}\"\n", self.url)
    }

    /// As the configuration reads it.
    pub(crate) fn settings(&self) -> Postgres {
        read_url(&self.url, "")
    }
}

/// What a configuration makes of this `store.url`, with further lines in its section.
pub(crate) fn read_url(url: &str, lines: &str) -> Postgres {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("einmal.toml");
    fs::write(&file, format!("[store]\nurl = \"{url}\"\n{lines}\n")).unwrap();
    let document = Document::open(Some(&file), Environment::from([("", ""); 0])).unwrap();
    match document.store().unwrap_or_else(|error| panic!("{error}")).engine {
        Engine::Postgres(server) => *server,
        Engine::Sqlite(_) => panic!("{url} is SQLite's"),
    }
}
