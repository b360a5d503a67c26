//! More connections than there may be: who makes room, and who never does.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use truc_listen::Manners;
use truc_model::Millis;

use crate::server::{Server, answers, bounded};

/// So long that nothing ends for a lack of patience.
const PATIENT: Millis = Millis(60_000);

fn manners(max_connections: usize) -> Manners {
    Manners { max_connections, header_timeout: PATIENT, body_timeout: PATIENT, ..Manners::default() }
}

/// Connections that say nothing.
async fn silent(server: &Server, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(server.connect().await);
    }
    streams
}

fn ok(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200 ")
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_gets_in_whatever_number_of_others_says_nothing() {
    let server = Server::start(manners(16)).await;
    let mut crowd = Vec::new();
    for _ in 0..20 {
        crowd.extend(silent(&server, 20).await);
        let mut good = server.connect().await;
        assert!(ok(&server.ask(&mut good, "/a").await));
    }
    assert_eq!(server.seen().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_never_end_make_room_too() {
    let server = Server::start(manners(16)).await;
    let mut crowd = silent(&server, 40).await;
    for stream in &mut crowd {
        let _ = stream.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\nX: ").await;
    }
    let mut good = server.connect().await;
    assert!(ok(&server.ask(&mut good, "/a").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_never_closed() {
    let server = Server::start(manners(8)).await;
    let mut held = silent(&server, 4).await;
    for stream in &mut held {
        stream.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    }
    server.reached(4).await;
    let _crowd = silent(&server, 60).await;
    let mut good = server.connect().await;
    assert!(ok(&server.ask(&mut good, "/a").await));
    server.gate.add_permits(4);
    for stream in &mut held {
        assert!(ok(&answers(stream, 1).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_are_at_work_the_next_one_waits() {
    let server = Server::start(manners(2)).await;
    let mut held = silent(&server, 2).await;
    for stream in &mut held {
        stream.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    }
    server.reached(2).await;
    let mut next = server.connect().await;
    next.write_all(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    server.gate.add_permits(1);
    assert!(ok(&answers(&mut next, 1).await));
    server.gate.add_permits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_are_known_keep_their_connections_while_there_are_unknown_ones() {
    let server = Server::start(manners(8)).await;
    let mut known = silent(&server, 4).await;
    for stream in &mut known {
        assert!(ok(&server.ask(stream, "/known").await));
    }
    for _ in 0..10 {
        let _crowd = silent(&server, 20).await;
        let mut stranger = server.connect().await;
        assert!(ok(&server.ask(&mut stranger, "/a").await));
    }
    for stream in &mut known {
        assert!(ok(&server.ask(stream, "/known").await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_do_not_come_make_room_at_last() {
    let server = Server::start(manners(3)).await;
    let mut slow = silent(&server, 3).await;
    for stream in &mut slow {
        stream.write_all(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1").await.unwrap();
    }
    let mut good = server.connect().await;
    assert!(ok(&server.ask(&mut good, "/a").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_has_its_share_makes_room_for_itself() {
    let manners = Manners { max_of_address: Some(2), ..manners(100) };
    let server = Server::start(manners).await;
    let mut first = server.connect().await;
    assert!(ok(&server.ask(&mut first, "/a").await));
    let mut second = server.connect().await;
    assert!(ok(&server.ask(&mut second, "/a").await));
    // The time to look at a connection's first bytes is everybody's.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut third = server.connect().await;
    assert!(ok(&server.ask(&mut third, "/a").await));
    assert_eq!(bounded(first.read(&mut [0])).await.unwrap_or(0), 0, "it was silent for longest");
    assert!(ok(&server.ask(&mut second, "/a").await));
}
