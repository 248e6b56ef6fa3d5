//! The guide for mobile apps, and that for payments where it shows what a user sees: their lines in a shell, against `dev`, and
//! the calculator of codes.

use super::{read, root, run_samples, shell_samples, statuses_said, statuses_shown};
use crate::harness::installation::early_in_a_step;
use crate::harness::peer;
use crate::harness::program::{Program, run};
use crate::process::dev::Dev;
use std::process::Command;
use tempfile::TempDir;

const DEV: &str = "127.0.0.1:8080";
const SHOP: &str = "127.0.0.1:8300";
const SECONDS: u64 = 8;

#[tokio::test]
async fn the_requests_of_the_guide_for_mobile_apps_get_what_they_say() {
    let dev = Dev::start(&[]).await;
    let directory = TempDir::new().unwrap();
    let samples = shell_samples(&read("docs/MOBILE_APP.md"));
    assert_eq!((samples.len(), statuses_said(&samples).len()), (5, 7));
    early_in_a_step(SECONDS).await;
    let script = samples.join("\n").replace(DEV, &dev.address.to_string());
    let (out, err) = run_samples(&script, directory.path());
    assert_eq!(statuses_shown(&out), statuses_said(&samples), "{out}\n{err}");
}

#[test]
fn the_calculator_of_the_guide_for_mobile_apps_gives_einmals_codes() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the calculator of codes in docs/MOBILE_APP.md") else {
        return;
    };
    let guide = read("docs/MOBILE_APP.md");
    let sample = guide.split_once("```python\n").unwrap().1.split_once("```").unwrap().0;
    for (secret, algorithm, digits, period) in [
        ("KRUGS4ZANFZSAYJAONSWG4TFOQQGM33S", "SHA1", "6", "30"),
        ("KRUGS4ZANFZSAYJAONSWG4TFOQQGM33SMFRGG", "SHA256", "8", "30"),
        ("KRUGS4ZANFZSAYJAONSWG4TFOQQGM33SMFRGG", "SHA512", "7", "60"),
    ] {
        for time in ["59", "1111111109", "1234567890", "2000000000", "20000000000"] {
            // The time that it takes from the phone is what the test says.
            let script = format!(
                "{sample}\ntime.time = lambda: {time} + 5\n\
                 print(code('{secret}', '{algorithm}', {digits}, {period}, offset=-5))"
            );
            let said = Command::new(&python).args(["-c", &script]).output().unwrap();
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
            let ours = ["code", "--secret", secret, "--algorithm", algorithm, "--digits", digits];
            let ours = run(&[&ours[..], &["--period", period, "--at", time]].concat());
            assert_eq!(ours.code, Some(0), "{ours:?}");
            assert_eq!(String::from_utf8_lossy(&said.stdout), ours.stdout, "{algorithm} at {time}");
        }
    }
}

#[tokio::test]
async fn the_requests_of_the_guide_to_payments_get_what_they_say() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the requests of docs/PAYMENTS.md") else { return };
    let dev = Dev::start(&[]).await;
    let mut command = Command::new(python);
    command.arg(root().join("examples/python/payments.py"));
    let mut shop = Program::start(command.args([&format!("http://{}", dev.address), "127.0.0.1:0"]));
    let find = |text: &str| text.lines().next()?.strip_prefix("shop at http://").map(str::to_owned);
    let address = shop.printed("line that says where the shop is", find).await;

    let directory = TempDir::new().unwrap();
    let samples = shell_samples(&read("docs/PAYMENTS.md"));
    assert_eq!((samples.len(), statuses_said(&samples).len()), (1, 3));
    early_in_a_step(SECONDS).await;
    let script = samples.join("\n").replace(DEV, &dev.address.to_string()).replace(SHOP, &address);
    let (out, err) = run_samples(&script, directory.path());
    assert_eq!(statuses_shown(&out), statuses_said(&samples), "{out}\n{err}");
    let payments = out.rsplit_once("\r\n\r\n").unwrap().1;
    assert_eq!(payments.matches("\"cents\": 1250").count(), 1, "{out}");
}
