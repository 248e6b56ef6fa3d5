//! Whether the server keeps what it acknowledges: over a crash, and over the loss of its machine. Looks only.

use super::failure::Failure;
use super::session::Session;
use std::time::Duration;
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_secs(2);

/// A standby is whatever receives the log but a backup that is being taken. Whoever asks need not have the right to see
/// more of them than that they are there.
const QUESTION: &str = "SELECT current_setting('fsync', true), current_setting('full_page_writes', true),
    current_setting('synchronous_standby_names', true),
    (SELECT count(*) FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup')";

/// What may make it lose an acknowledged commit, in words; empty if nothing is known to.
pub(super) async fn doubts(session: &Session) -> Result<Vec<String>, Failure> {
    let answer = session.ask(Instant::now() + DEADLINE, |client| client.query_one(QUESTION, &[])).await;
    let row = match answer {
        Ok(row) => row,
        Err(Failure::Refused { message, .. }) => {
            return Ok(vec![format!("it does not say how it keeps commits ({message})")]);
        }
        Err(failure) => return Err(failure),
    };
    let setting = |column: usize| -> Result<Option<String>, Failure> { Ok(row.try_get(column)?) };
    let mut doubts = Vec::new();
    if setting(0)?.as_deref() == Some("off") {
        doubts.push("fsync is off: a crash of the machine loses commits, or all".to_owned());
    }
    if setting(1)?.as_deref() == Some("off") {
        doubts.push("full_page_writes is off: a crash of the machine may damage tables".to_owned());
    }
    let standbys: i64 = row.try_get(3)?;
    if standbys > 0 && setting(2)?.is_some_and(|names| names.trim().is_empty()) {
        doubts.push(format!(
            "synchronous_standby_names is empty and there are standbys ({standbys}): a failover loses commits"
        ));
    }
    Ok(doubts)
}
