//! The shops of `examples/` against the program itself, over a way that loses answers: whatever happens, an order is paid
//! once and for one code, or it is not paid.

#[path = "../../../../examples/rust/payments.rs"]
#[expect(dead_code, reason = "its main is for whoever runs it as a program")]
mod in_rust;
mod shop;
mod way;

use crate::harness::installation::{Installation, Serving, code_at, early_in_a_step, step, wrong_code};
use crate::harness::peer;
use serde_json::{Value, json};
use shop::Shop;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use way::{Fate, Way};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
/// For what one user does, with the shop's waits.
const SECONDS: u64 = 10;

struct Market {
    installation: Installation,
    serving: Serving,
    way: Way,
}

/// A shop, and a user of it who has a device.
struct Visit<'a> {
    way: &'a Way,
    shop: &'a Shop,
    token: String,
}

impl Market {
    async fn new() -> Self {
        Self::with("").await
    }

    async fn with(settings: &str) -> Self {
        let installation = Installation::with(settings).await;
        let serving = installation.serve().await;
        let way = Way::to(serving.address).await;
        Self { installation, serving, way }
    }

    async fn assert_is_right(&self, shop: &Shop) {
        for subject in
            ["paid", "wrong", "lost", "long-lost", "away", "long-away", "other", "at-once", "guessing"]
        {
            self.installation.import_device(subject);
        }
        let visit = |subject| Visit { way: &self.way, shop, token: self.installation.token(subject) };
        visit("paid").is_paid_once_and_as_ordered().await;
        visit("wrong").is_not_paid_for_a_wrong_code().await;
        visit("lost").is_paid_once_if_the_answer_is_lost().await;
        visit("long-lost").is_paid_for_the_first_code_if_all_answers_are_lost().await;
        visit("away").is_asked_again_where_nobody_knows().await;
        visit("long-away").is_not_paid_where_nobody_knows().await;
        visit("other").is_nobody_elses(&self.installation.token("somebody")).await;
        visit("at-once").is_paid_once_if_confirmed_at_once().await;
        visit("guessing").says_how_long_to_wait().await;
        let expired = self.installation.token_with("paid", &json!({ "exp": 1 }));
        Visit { way: &self.way, shop, token: expired }.is_not_paid_without_a_token().await;
        // Where operators have waits answered so.
        let market = Self::with("[throttle]\nstatus = 429").await;
        market.installation.import_device("guessing");
        self.way.lead_to(market.serving.address);
        let token = market.installation.token("guessing");
        Visit { way: &self.way, shop, token }.says_how_long_to_wait().await;
        let said = shop.said();
        assert!(!said.contains("Bearer") && !said.contains(&code_at(step())), "{said}");
    }
}

const PAID: &str = "paid";

impl Visit<'_> {
    async fn order(&self) -> String {
        early_in_a_step(SECONDS).await;
        self.way.sent();
        self.shop.order(&self.token, "Bakery", 1_250).await
    }

    async fn confirm(&self, order: &str, code: &str) -> (u16, Value) {
        let (status, told) = self.shop.confirm(&self.token, order, code).await;
        (status, told["state"].clone())
    }

    async fn times_paid(&self, order: &str) -> usize {
        self.shop.payments(order).await.len()
    }

    async fn is_paid_once_and_as_ordered(&self) {
        let order = self.order().await;
        let code = code_at(step());
        let body = json!({ "code": code, "cents": 1, "payee": "Somebody else" });
        assert_eq!(self.shop.confirm_with(&self.token, &order, &body).await.0, 200);
        assert_eq!(self.confirm(&order, &code).await, (200, json!(PAID)), "told again");
        let paid = json!([{ "order": order, "payee": "Bakery", "cents": 1_250 }]);
        assert_eq!(json!(self.shop.payments(&order).await), paid);
        // The code is spent, whatever else it would be used for.
        let second = self.order().await;
        assert_eq!(self.confirm(&second, &code).await, (403, json!("refused")));
        assert_eq!(self.times_paid(&second).await, 0);
        for wrong in [json!({ "payee": "Bakery", "cents": 0 }), json!({ "payee": "Bakery" }), json!([])] {
            self.shop.refuses_the_order(&self.token, &wrong).await;
        }
    }

    async fn is_not_paid_for_a_wrong_code(&self) {
        let order = self.order().await;
        assert_eq!(self.confirm(&order, &wrong_code()).await, (403, json!("refused")));
        assert_eq!(self.times_paid(&order).await, 0);
        assert_eq!(self.confirm(&order, &code_at(step())).await, (200, json!(PAID)));
        assert_eq!(self.times_paid(&order).await, 1);
        let sent = self.way.sent();
        assert!(sent.len() == 2 && sent[0].key != sent[1].key, "another code is another attempt: {sent:?}");
    }

    async fn is_paid_once_if_the_answer_is_lost(&self) {
        let order = self.order().await;
        self.way.strike(&[Fate::AnswerLost]);
        assert_eq!(self.confirm(&order, &code_at(step())).await, (200, json!(PAID)));
        assert_eq!(self.times_paid(&order).await, 1);
        let sent = self.way.sent();
        assert!(sent.len() == 2 && sent[0] == sent[1], "the same key and body: {sent:?}");
    }

    async fn is_paid_for_the_first_code_if_all_answers_are_lost(&self) {
        let order = self.order().await;
        self.way.strike(&[Fate::AnswerLost; 3]);
        assert_eq!(self.confirm(&order, &code_at(step())).await, (503, json!("unknown")));
        assert_eq!(self.times_paid(&order).await, 0);
        let next = code_at(step() + 1);
        assert_eq!(self.confirm(&order, &next).await, (200, json!(PAID)), "by what was accepted before");
        assert_eq!(self.times_paid(&order).await, 1);
        let sent = self.way.sent();
        assert!(sent.len() == 4 && sent.iter().all(|one| *one == sent[0]), "{sent:?}");
        // So the next code is not spent.
        let second = self.order().await;
        assert_eq!(self.confirm(&second, &next).await, (200, json!(PAID)));
    }

    async fn is_asked_again_where_nobody_knows(&self) {
        let order = self.order().await;
        self.way.strike(&[Fate::Unavailable]);
        assert_eq!(self.confirm(&order, &code_at(step())).await, (200, json!(PAID)));
        assert_eq!(self.times_paid(&order).await, 1);
        let sent = self.way.sent();
        assert!(sent.len() == 2 && sent[0] == sent[1], "the same key and body: {sent:?}");
    }

    async fn is_not_paid_where_nobody_knows(&self) {
        let order = self.order().await;
        self.way.strike(&[Fate::Unavailable; 3]);
        assert_eq!(self.confirm(&order, &code_at(step())).await, (503, json!("unknown")));
        assert_eq!((self.times_paid(&order).await, self.way.sent().len()), (0, 3));
        // No other code is tried before that is known.
        self.way.strike(&[Fate::Unavailable; 3]);
        assert_eq!(self.confirm(&order, &wrong_code()).await, (503, json!("unknown")));
        let sent = self.way.sent();
        assert!(sent.len() == 3 && sent.iter().all(|one| *one == sent[0]), "{sent:?}");
        assert_eq!(self.confirm(&order, &code_at(step())).await, (200, json!(PAID)));
        assert_eq!(self.times_paid(&order).await, 1);
        // Where the undecided one turns out to be wrong, the new one is tried.
        let second = self.order().await;
        self.way.strike(&[Fate::Unavailable; 3]);
        assert_eq!(self.confirm(&second, &wrong_code()).await, (503, json!("unknown")));
        assert_eq!(self.confirm(&second, &code_at(step() + 1)).await, (200, json!(PAID)));
        let sent = self.way.sent();
        assert!(sent.len() == 5 && sent[3] == sent[0] && sent[4].key != sent[0].key, "{sent:?}");
    }

    async fn is_nobody_elses(&self, other: &str) {
        let order = self.order().await;
        assert_eq!(self.shop.confirm(other, &order, &code_at(step())).await.0, 404);
        assert_eq!(self.confirm("0".repeat(32).as_str(), &code_at(step())).await.0, 404);
        assert_eq!((self.times_paid(&order).await, self.way.sent().len()), (0, 0));
    }

    async fn is_paid_once_if_confirmed_at_once(&self) {
        let order = self.order().await;
        let code = code_at(step());
        let confirm = || self.confirm(&order, &code);
        let (one, two, three) = tokio::join!(confirm(), confirm(), confirm());
        assert!([one, two, three].iter().all(|told| *told == (200, json!(PAID))));
        assert_eq!((self.times_paid(&order).await, self.way.sent().len()), (1, 1));
    }

    async fn says_how_long_to_wait(&self) {
        let order = self.order().await;
        let code = wrong_code();
        for _ in 0..5 {
            assert_eq!(self.confirm(&order, &code).await, (403, json!("refused")));
        }
        let (status, told) = self.shop.confirm(&self.token, &order, &code_at(step())).await;
        assert!(status == 403 && told["retryAfter"].as_u64().is_some_and(|seconds| seconds > 0), "{told}");
        assert_eq!(self.times_paid(&order).await, 0);
    }

    async fn is_not_paid_without_a_token(&self) {
        let order = self.order().await;
        assert_eq!(self.confirm(&order, &code_at(step())).await, (401, json!("signed-out")));
        assert_eq!(self.times_paid(&order).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_in_rust_pays_once_or_not_at_all() {
    let market = Market::new().await;
    market.assert_is_right(&Shop::in_rust(&market.way.url()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_in_python_pays_once_or_not_at_all() {
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the example in Python") else { return };
    let market = Market::new().await;
    let mut command = Command::new(python);
    let command = command.arg(format!("{EXAMPLES}/python/payments.py"));
    market.assert_is_right(&Shop::of_program(command, &market.way.url()).await).await;
}

/// The compiler must find nothing, and have nothing to do but to leave the types out, as Node.js does.
fn compiled(folder: &Path) -> TempDir {
    // Beside its packages.
    let directory = TempDir::new_in(folder).unwrap();
    fs::copy(format!("{EXAMPLES}/typescript/payments.ts"), directory.path().join("payments.ts")).unwrap();
    let mut compiler = Command::new("node");
    let compiler = compiler.arg(folder.join("node_modules/typescript/bin/tsc")).current_dir(directory.path());
    let options = ["--strict", "--erasableSyntaxOnly", "--verbatimModuleSyntax", "--types", "node"];
    let output =
        compiler.args(options).args(["--module", "nodenext", "--target", "es2022", "payments.ts"]).output();
    let output = output.expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    directory
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_in_typescript_pays_once_or_not_at_all() {
    let Some(folder) = peer("EINMAL_TEST_NODE", "the example in TypeScript") else { return };
    let directory = compiled(&folder);
    let market = Market::new().await;
    let mut command = Command::new("node");
    let command = command.arg(directory.path().join("payments.js"));
    market.assert_is_right(&Shop::of_program(command, &market.way.url()).await).await;
}
