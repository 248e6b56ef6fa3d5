//! `GET /user/authenticators/{id}/qr`: both images of one pending authenticator. Whether a camera reads them is asked of
//! other people's software, in `third_party`.

use super::authenticators::Begun;
use crate::harness::service::Service;
use crate::harness::wire::request;
use crate::http::client::Answer;
use png::{BitDepth, ColorType, Decoder};
use serde_json::json;
use std::io::Cursor;

/// Around the code, in modules.
const QUIET: usize = 4;
/// Of a module in a PNG.
const PIXELS: usize = 8;

impl Service {
    pub(crate) async fn image(&self, token: &str, method: &str, id: &str, accept: &str) -> Answer {
        let line = format!("{method} /user/2025-1/user/authenticators/{id}/qr");
        let token = format!("Authorization: Bearer {token}");
        let accept = format!("Accept: {accept}");
        let mut client = self.connect().await;
        client.send(request(&line, &[&token, &accept], b"")).await;
        client.answer_to(method).await
    }
}

/// With alice's token.
async fn service() -> (String, Service, Begun) {
    let service = Service::start().await;
    service.provision(&json!({ "id": "alice", "pin": "8299" })).await;
    let begun = service.begin("alice").await;
    (service.token("alice"), service, begun)
}

/// Whether each pixel of a PNG is dark.
fn pixels(png: &[u8]) -> Vec<Vec<bool>> {
    let mut reader = Decoder::new(Cursor::new(png)).read_info().unwrap();
    let (color, depth, width) =
        (reader.info().color_type, reader.info().bit_depth, reader.info().width as usize);
    assert_eq!((color, depth), (ColorType::Grayscale, BitDepth::One));
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row().unwrap() {
        let bit = |x: usize| row.data()[x / 8] >> (7 - x % 8) & 1;
        rows.push((0..width).map(|x| bit(x) == 0).collect());
    }
    rows
}

/// Whether each module of an SVG is dark.
fn modules(svg: &str) -> Vec<Vec<bool>> {
    let width = svg.split_once("viewBox=\"0 0 ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
    let dark = svg.split_once("fill=\"#000\" d=\"M").unwrap().1.split('"').next().unwrap();
    let mut modules = vec![vec![false; width]; width];
    for run in dark.split('M') {
        let (start, length) = run.strip_suffix('z').unwrap().split_once('h').unwrap();
        let (x, y) = start.split_once(' ').unwrap();
        let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
        let length: usize = length.split('v').next().unwrap().parse().unwrap();
        assert_eq!(run, format!("{x} {y}h{length}v1h-{length}z"));
        modules[y][x..x + length].fill(true);
    }
    modules
}

#[tokio::test]
async fn the_kind_of_the_image_is_the_one_that_the_client_likes_best() {
    let (token, service, begun) = service().await;
    for (accept, kind) in [
        ("", "image/svg+xml"),
        ("*/*", "image/svg+xml"),
        ("image/png", "image/png"),
        ("image/svg+xml;q=0.5, image/png;q=0.6", "image/png"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = service.image(&token, method, &begun.id, accept).await;
            answer.assert_has_common_headers();
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, Some(kind)),
                "{method} {accept}"
            );
            assert_eq!(answer.body.is_empty(), method == "HEAD");
            assert!(answer.header("content-length").unwrap().parse::<usize>().unwrap() > 500);
        }
    }
    for accept in ["application/json", "image/*;q=0", "image/webp"] {
        let answer = service.image(&token, "GET", &begun.id, accept).await;
        assert_eq!((answer.status, answer.code().as_str()), (406, "not-acceptable"), "{accept}");
        assert_eq!(answer.error()["source"]["header"], "Accept");
    }
}

#[tokio::test]
async fn both_images_are_the_same_code_with_room_around_it_and_sharp_edges() {
    let (token, service, begun) = service().await;
    let svg = service.image(&token, "GET", &begun.id, "image/svg+xml").await.body;
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.contains("role=\"img\"") && svg.contains("<title>"), "{svg}");
    assert!(!svg.contains(&begun.secret) && !svg.contains("otpauth"), "it is drawn, and not written");
    let modules = modules(&svg);
    let last = modules.len() - 1;
    for (y, row) in modules.iter().enumerate() {
        assert_eq!(row.len(), modules.len());
        for (x, is_dark) in row.iter().enumerate() {
            let is_within = |place: usize| (QUIET..=last - QUIET).contains(&place);
            assert!(!is_dark || (is_within(x) && is_within(y)), "{x} {y}");
        }
    }
    assert!(modules[QUIET][QUIET] && modules[QUIET][last - QUIET] && modules[last - QUIET][QUIET]);

    let png = service.image(&token, "GET", &begun.id, "image/png").await.body;
    let pixels = pixels(&png);
    assert_eq!(pixels.len(), modules.len() * PIXELS);
    for (y, row) in pixels.iter().enumerate() {
        for (x, is_dark) in row.iter().enumerate() {
            assert_eq!(*is_dark, modules[y / PIXELS][x / PIXELS], "{x} {y}");
        }
    }
}

#[tokio::test]
async fn once_confirmed_nobody_is_shown_it_again() {
    let (token, service, begun) = service().await;
    assert_eq!(service.confirm("alice", &begun.id, &service.code_of(&begun.secret, 0)).await.status, 204);
    for accept in ["image/svg+xml", "image/png"] {
        assert_eq!(service.image(&token, "GET", &begun.id, accept).await.code(), "not-found");
        assert_eq!(service.image(&token, "HEAD", &begun.id, accept).await.status, 404);
    }
}
