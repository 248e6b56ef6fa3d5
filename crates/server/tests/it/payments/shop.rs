//! A shop of `examples/`, started as its page says, and asked as its users do.

use crate::harness::program::Program;
use reqwest::Client;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

enum Run {
    Program(Program),
    /// The example in Rust is a part of this program: nothing builds examples for a single test.
    Task(JoinHandle<()>),
}

pub(super) struct Shop {
    address: SocketAddr,
    client: Client,
    run: Run,
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Run::Task(task) = &self.run {
            task.abort();
        }
    }
}

impl Shop {
    /// What it prints first is where it is.
    pub(super) async fn of_program(command: &mut Command, einmal: &str) -> Self {
        let mut program = Program::start(command.args([einmal, "127.0.0.1:0"]));
        let address = program
            .printed("line that says where the shop is", |text| {
                text.lines().next()?.strip_prefix("shop at http://")?.parse().ok()
            })
            .await;
        Self::at(address, Run::Program(program))
    }

    pub(super) async fn in_rust(einmal: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = super::in_rust::serve(listener, einmal.to_owned());
        let task = tokio::spawn(async move { serving.await.unwrap() });
        Self::at(address, Run::Task(task))
    }

    fn at(address: SocketAddr, run: Run) -> Self {
        Self { address, client: Client::builder().no_proxy().build().unwrap(), run }
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let request = self.client.post(format!("http://{}{path}", self.address)).bearer_auth(token);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Its number.
    pub(super) async fn order(&self, token: &str, payee: &str, cents: u64) -> String {
        let (status, made) = self.post("/orders", token, &json!({ "payee": payee, "cents": cents })).await;
        assert_eq!((status, &made["payee"], &made["cents"]), (201, &json!(payee), &json!(cents)), "{made}");
        made["order"].as_str().unwrap().to_owned()
    }

    pub(super) async fn refuses_the_order(&self, token: &str, order: &Value) {
        let (status, _) = self.post("/orders", token, order).await;
        assert!((400..500).contains(&status), "{order}: {status}");
    }

    pub(super) async fn confirm(&self, token: &str, order: &str, code: &str) -> (u16, Value) {
        self.confirm_with(token, order, &json!({ "code": code })).await
    }

    pub(super) async fn confirm_with(&self, token: &str, order: &str, body: &Value) -> (u16, Value) {
        self.post(&format!("/orders/{order}/confirm"), token, body).await
    }

    /// What it has paid for this order, each time that it has.
    pub(super) async fn payments(&self, order: &str) -> Vec<Value> {
        let answer = self.client.get(format!("http://{}/payments", self.address)).send().await.unwrap();
        let payments: Vec<Value> = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        payments.into_iter().filter(|payment| payment["order"] == order).collect()
    }

    /// All that it has written anywhere.
    pub(super) fn said(&self) -> String {
        match &self.run {
            Run::Program(program) => program.stdout() + &program.stderr(),
            Run::Task(_) => String::new(),
        }
    }
}
