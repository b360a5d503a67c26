//! Callers who are slow: at a head, at a body, at reading an answer.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use truc_listen::{Drained, Manners};
use truc_model::{Bytes, Millis};

use crate::server::{MOST, Seen, Server, answers, bounded, rest};

/// Far more than any of these tests takes.
const PATIENT: Millis = Millis(60_000);

/// 100 bytes in 100 ms.
fn manners() -> Manners {
    Manners {
        header_timeout: PATIENT,
        body_timeout: PATIENT,
        min_rate: Bytes(1000),
        rate_span: Millis(100),
        drain: PATIENT,
        ..Manners::default()
    }
}

const HEAD: &[u8] = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_is_refused_although_it_always_moves() {
    let server = Server::start(manners()).await;
    let mut stream = server.connect().await;
    stream.write_all(HEAD).await.unwrap();
    let mut drops = tokio::time::interval(Duration::from_millis(10));
    bounded(async {
        while server.seen().is_empty() {
            drops.tick().await;
            let _ = stream.write_all(b"x").await;
        }
    })
    .await;
    assert!(matches!(&*server.seen(), [Seen::Request(_, Err(408))]), "{:?}", server.seen());
    assert!(answers(&mut stream, 1).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_moves_well_may_take_many_spans() {
    let server = Server::start(manners()).await;
    let mut stream = server.connect().await;
    stream.write_all(HEAD).await.unwrap();
    let mut pieces = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..30 {
        pieces.tick().await;
        stream.write_all(&[b'x'; 2000]).await.unwrap();
    }
    assert!(answers(&mut stream, 1).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_not_waited_for_beyond_its_time_however_it_moves() {
    let server = Server::start(Manners { body_timeout: Millis(300), ..manners() }).await;
    let mut stream = server.connect().await;
    stream.write_all(HEAD).await.unwrap();
    let mut pieces = tokio::time::interval(Duration::from_millis(10));
    let begin = Instant::now();
    bounded(async {
        while server.seen().is_empty() {
            pieces.tick().await;
            let _ = stream.write_all(&[b'x'; 50]).await;
        }
    })
    .await;
    assert!(begin.elapsed() >= Duration::from_millis(250));
    assert!(matches!(&*server.seen(), [Seen::Request(_, Err(408))]), "{:?}", server.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_its_bound_is_not_read_to_its_end() {
    let server = Server::start(manners()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    let chunk = [format!("{MOST:x}\r\n").into_bytes(), vec![b'x'; MOST], b"\r\n".to_vec()].concat();
    for _ in 0..4 {
        let _ = stream.write_all(&chunk).await;
    }
    assert!(answers(&mut stream, 1).await.starts_with("HTTP/1.1 413 "));
    let _ = rest(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_takes_nothing_loses_the_connection() {
    let server = Server::start(manners()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    server.reached(1).await;
    // Serving ends only when every connection has ended, or was cut after a minute.
    server.stop.cancel();
    assert_eq!(bounded(server.served).await.unwrap(), Drained { cut: 0 });
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_drips_is_not_waited_for() {
    let server = Server::start(Manners { header_timeout: Millis(200), ..manners() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\nX: ").await.unwrap();
    let mut drops = tokio::time::interval(Duration::from_millis(10));
    bounded(async {
        loop {
            drops.tick().await;
            if stream.write_all(b"x").await.is_err() {
                return;
            }
        }
    })
    .await;
    assert_eq!(server.seen(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_do_not_pile_up() {
    let manners = Manners { min_rate: Bytes(0), max_unwritten: Bytes(1 << 20), ..manners() };
    let server = Server::start(manners).await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    server.reached(1).await;
    // No pace is asked for here: it is the bytes that are held which end this connection, before its answer is whole.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let got = rest(&mut slow).await;
    assert!(got.starts_with("HTTP/1.1 200 ") && got.len() < 32 << 20, "{}", got.len());
}
