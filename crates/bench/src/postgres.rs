//! A PostgreSQL server of our own, kept between runs. A shell starts it as a user other than root, and ends it when
//! this process has gone, however it went.

use anyhow::{Context, Result, bail};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What is said about it in the report, too.
pub const SETTINGS: &str =
    "fsync=on synchronous_commit=on full_page_writes=on shared_buffers=512MB max_wal_size=4GB";

/// Waits for the end of its input.
const SCRIPT: &str = r#"
if [ ! -f "$2/data/PG_VERSION" ]; then
  "$1/initdb" -D "$2/data" -U einmal -A trust -E UTF8 >"$2/log" 2>&1 || exit 1
fi
options="-p $3 -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200"
for setting in $4; do options="$options -c $setting"; done
"$1/postgres" -D "$2/data" $options >>"$2/log" 2>&1 &
server=$!
read -r _
kill -INT $server
wait
"#;

const PATIENCE: Duration = Duration::from_mins(1);

pub struct PostgresServer {
    programs: PathBuf,
    port: u16,
    input: Option<ChildStdin>,
    shell: Child,
}

impl PostgresServer {
    pub fn start(directory: &Path) -> Result<Self> {
        let programs = programs().context("no PostgreSQL server is installed")?;
        fs::create_dir_all(directory)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("sh");
        if rustix::process::geteuid().is_root() {
            // The server refuses to run as root.
            let status = Command::new("chown").arg("-R").arg("postgres").arg(directory).status()?;
            if !status.success() {
                bail!("there is no user postgres to run the server as");
            }
            command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh"]);
        }
        command.args(["-c", SCRIPT, "sh"]).arg(&programs).arg(directory).arg(port.to_string()).arg(SETTINGS);
        let mut shell = command.current_dir("/").stdin(Stdio::piped()).spawn()?;
        let input = shell.stdin.take();
        let mut server = Self { programs, port, input, shell };
        let deadline = Instant::now() + PATIENCE;
        while server.sql("postgres", "SELECT 1").is_err() {
            if Instant::now() > deadline || server.shell.try_wait()?.is_some() {
                bail!("PostgreSQL does not start, see {}", directory.join("log").display());
            }
            thread::park_timeout(Duration::from_millis(50));
        }
        Ok(server)
    }

    pub fn url(&self, name: &str) -> String {
        format!("postgres://einmal@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    /// The URL of a database; one that should be kept is not made anew.
    pub fn database(&self, name: &str, is_kept: bool) -> Result<String> {
        let exists =
            self.sql("postgres", &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'"))? == "1";
        if exists && !is_kept {
            self.sql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"))?;
        }
        if !exists || !is_kept {
            self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        }
        Ok(self.url(name))
    }

    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let output = self.psql(database).args(["-c", sql]).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            bail!("{sql}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// With SQL on its standard input.
    pub fn psql(&self, database: &str) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "einmal", "-d", database]);
        command.arg("-p").arg(self.port.to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn version(&self) -> Result<String> {
        self.sql("postgres", "SHOW server_version")
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.shell.wait();
    }
}

/// The newest. Debian keeps them where nobody looks.
fn programs() -> Option<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable_by(|one, other| other.cmp(one));
    let folders = versions.into_iter().map(|version| format!("/usr/lib/postgresql/{version}/bin").into());
    let further = ["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from);
    folders.chain(further).find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}
