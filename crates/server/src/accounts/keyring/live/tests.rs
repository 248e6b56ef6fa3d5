//! The file changes under a keyring in use: what it takes, what it keeps, and how often it looks.

use super::*;
use crate::entropy::SystemEntropy;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex as Shared;
use std::thread;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::advance;
use tracing::{Dispatch, Event, Subscriber, dispatcher};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

fn made() -> (TempDir, KeyringFile, Arc<LiveKeyring>) {
    let directory = tempfile::tempdir().unwrap();
    let file = KeyringFile::private(directory.path().join("keys"));
    file.create(&SystemEntropy).unwrap();
    let live = Arc::new(LiveKeyring::of_file(file.clone()).unwrap());
    (directory, file, live)
}

fn roles(live: &LiveKeyring) -> Vec<Role> {
    live.current().keys().map(|(_, role)| role).collect()
}

#[tokio::test]
async fn a_key_that_was_added_is_there_after_a_look() {
    let (_directory, file, live) = made();
    file.rotate(&SystemEntropy).unwrap();
    assert_eq!(roles(&live), [Role::Seals]);
    live.look_again().await;
    assert_eq!(roles(&live), [Role::Seals, Role::New]);
    file.promote().unwrap();
    let before = live.current();
    live.look_again().await;
    assert_ne!(live.current().sealing().id, before.sealing().id);
    assert_eq!(before.keys().count(), 2, "who works with the old one goes on with it");
}

#[tokio::test]
async fn a_file_that_is_missing_broken_or_exposed_leaves_the_keys_in_use() {
    let (_directory, file, live) = made();
    let (id, text) = (live.current().sealing().id, fs::read_to_string(&file.path).unwrap());
    let breakages: [&dyn Fn(); 4] = [
        &|| fs::remove_file(&file.path).unwrap(),
        &|| fs::write(&file.path, "").unwrap(),
        &|| fs::write(&file.path, &text[..text.len() - 5]).unwrap(),
        &|| fs::set_permissions(&file.path, Permissions::from_mode(0o640)).unwrap(),
    ];
    for (number, breakage) in breakages.into_iter().enumerate() {
        breakage();
        live.look_again().await;
        assert_eq!(live.current().sealing().id, id, "{number}");
        fs::write(&file.path, &text).unwrap();
        fs::set_permissions(&file.path, Permissions::from_mode(0o600)).unwrap();
    }
    fs::write(&file.path, Keyring::generate(&SystemEntropy).unwrap().as_bytes()).unwrap();
    live.look_again().await;
    assert_ne!(live.current().sealing().id, id, "a whole one is taken, also without the old key");
}

#[tokio::test(start_paused = true)]
async fn who_meets_unknown_keys_waits_and_the_file_is_read_once_a_second() {
    let (_directory, file, live) = made();
    let start = Instant::now();
    live.look_again().await;
    file.rotate(&SystemEntropy).unwrap();
    // On a clock that stands still, everything would begin at once.
    advance(Duration::from_millis(1)).await;
    let mut flood = JoinSet::new();
    for _ in 0..1_000 {
        let live = Arc::clone(&live);
        flood.spawn(async move {
            live.look_again().await;
            (start.elapsed(), live.current().keys().count())
        });
    }
    let is_after = |elapsed: Duration, pauses| {
        let due = LiveKeyring::PAUSE * pauses;
        (due..due + Duration::from_millis(10)).contains(&elapsed)
    };
    for (elapsed, keys) in flood.join_all().await {
        assert!(is_after(elapsed, 1) && keys == 2, "{elapsed:?}, {keys} keys");
    }
    for round in 2..5 {
        advance(Duration::from_millis(1)).await;
        live.look_again().await;
        assert!(is_after(start.elapsed(), round), "{:?}", start.elapsed());
    }
}

/// For each line of the log, whether the keys could be had while it was written.
#[derive(Clone)]
struct Reads(Arc<LiveKeyring>, Arc<Shared<Vec<bool>>>);

impl<S: Subscriber> Layer<S> for Reads {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        self.1.lock().unwrap().push(self.0.current.try_read().is_ok());
    }
}

/// Every attempt asks for them, on the thread of the store; and the log waits for whoever reads it.
#[tokio::test(start_paused = true)]
async fn a_log_that_stands_still_keeps_the_keys_from_nobody() {
    let (_directory, file, live) = made();
    // By then the places that log are known, here and to tests beside this one.
    file.rotate(&SystemEntropy).unwrap();
    live.look_again().await;
    let reads = Reads(Arc::clone(&live), Arc::default());
    // Of a subscriber that is the only one, places that other threads find first would never hear.
    let (subscriber, _other) =
        (Dispatch::new(Registry::default().with(reads.clone())), Dispatch::new(Registry::default()));
    let _default = dispatcher::set_default(&subscriber);
    file.promote().unwrap();
    advance(LiveKeyring::PAUSE).await;
    live.look_again().await;
    assert_eq!(*reads.1.lock().unwrap(), [true], "one line, and no lock");
}

/// Nobody asks: the server knew both keys when it started.
#[tokio::test(start_paused = true)]
async fn a_promotion_is_noticed_within_its_interval_without_being_asked_for() {
    let (_directory, file, live) = made();
    file.rotate(&SystemEntropy).unwrap();
    live.look_again().await;
    let following = live.follow();
    tokio::time::sleep(LiveKeyring::INTERVAL / 2).await;
    let promotion = file.promote().unwrap();
    assert_eq!(live.current().sealing().id, promotion.from);
    settled(&live, promotion.to).await;

    drop(following);
    file.rotate(&SystemEntropy).unwrap();
    tokio::time::sleep(LiveKeyring::INTERVAL * 10).await;
    assert_eq!(live.current().keys().count(), 2, "nobody follows any more");
}

/// Within an interval; the clock stands still while a thread reads the file.
async fn settled(live: &LiveKeyring, id: KeyId) {
    let start = Instant::now();
    while live.current().sealing().id != id {
        assert!(start.elapsed() <= LiveKeyring::INTERVAL, "not noticed");
        tokio::time::sleep(Duration::from_millis(100)).await;
        thread::yield_now();
    }
}

#[tokio::test]
async fn an_environment_variable_has_nothing_to_look_at() {
    let keyring = Keyring::parse(&Keyring::generate(&SystemEntropy).unwrap()).unwrap();
    let live = Arc::new(LiveKeyring::from(keyring));
    live.look_again().await;
    assert!(live.follow().is_none());
    assert_eq!(roles(&live), [Role::Seals]);
}
